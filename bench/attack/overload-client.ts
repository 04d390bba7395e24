// Offers more than the server can do. A process of its own. Phases, each a message out: `capacity` (closed loop), `half`
// (half of it, open loop), `during` (a multiple of it), `after` (half again), then `result`.
import { helperOptions, report } from "./child.js";
import { nowUs, sleep } from "./clock.js";
import { HttpClient, type Order, type Outcome } from "./http-client.js";
import { parseTarget, urlOf, type Target } from "./loopback.js";
import { seededRandom } from "./random.js";
import { atRate } from "./schedule.js";
import { latenciesOf, recoveryMs, type Latencies } from "./statistics.js";

export interface OverloadOptions {
  url: string;
  /** `${work}/ID` costs a millisecond of JavaScript, `${work}/0` tells which IDs were started. */
  work: string;
  /** Times the capacity. */
  factor: number;
  connections: number;
  seconds: number;
  seed: number;
}

export interface OverloadResult {
  /** 200s a second. */
  capacity: number;
  half: Phase;
  during: Phase;
  after: Phase;
  /** Until latency was as at half the load before, milliseconds; null: not while it was watched. */
  recoveryMs: number | null;
  /** Requests that reached JavaScript though they were over: refused or timed out, reset or closed by the client. */
  reached: { over: number; reset: number; closed: number };
  /** How many there were that must not. */
  overs: { over: number; reset: number; closed: number };
}

export interface Phase {
  offered: number;
  seconds: number;
  /** 200s that arrived during the phase, a second. */
  goodput: number;
  accepted: Latencies;
  refused: Latencies;
  /** 503s without Retry-After. */
  bare: number;
  /** Neither 200 nor 503, nor given up by order. */
  others: Record<string, number>;
  lateP99: number | null;
}

const TIMEOUT_MS = 5000;
const CLOSED_CONNECTIONS = 16;
/** One in so many requests is given up after so long, in turns by a reset and by a close. */
const ABANDON_EVERY = 20;
const ABANDON_MS = 30;
/** What a reset needs to be seen by the server, at the most. */
const GRACE_US = 50_000;

const options = helperOptions<OverloadOptions>();
const target: Target = parseTarget(options.url);
const random = seededRandom(options.seed);
/** Of the phases without overload. */
const calmSeconds = Math.min(3, options.seconds);
let nextId = 1;

/** Requests one after the other on each of a few connections: the most that the server does. */
async function closedLoop(seconds: number): Promise<number> {
  let answered = 0;
  let over = false;
  const order = (): Order => {
    const now = nowUs();
    const id = nextId++;
    return { id, path: `${options.work}/${id}`, scheduledUs: now, seenUs: now };
  };
  const client = new HttpClient(target, {
    as: "load",
    connections: CLOSED_CONNECTIONS,
    timeoutMs: TIMEOUT_MS,
    done(outcome) {
      if (outcome.status === 200) answered++;
      if (over || nextId > 1_000_000) return;
      // What fails at once is not asked again at once.
      if (outcome.status === 200) client.request(order());
      else setTimeout(() => client.request(order()), 10);
    },
  });
  for (let i = 0; i < CLOSED_CONNECTIONS; i++) client.request(order());
  await sleep(1000); // warms up
  const start = nowUs();
  const before = answered;
  await sleep(seconds * 1000);
  const capacity = ((answered - before) * 1e6) / (nowUs() - start);
  over = true;
  await sleep(200);
  client.close();
  return capacity;
}

interface Load {
  outcomes: Outcome[];
  unsent: number;
  startUs: number;
  endUs: number;
}

/** A fixed rate for a time. What is still under way at its end goes on; what has not even been sent is forgotten. */
async function openLoop(rate: number, seconds: number, abandon: boolean): Promise<Load> {
  const load: Load = { outcomes: [], unsent: 0, startUs: nowUs(), endUs: 0 };
  const client = new HttpClient(target, {
    as: "load",
    connections: options.connections,
    timeoutMs: TIMEOUT_MS,
    done: (outcome) => load.outcomes.push(outcome),
  });
  const stop = atRate(rate, seconds, (scheduledUs, seenUs) => {
    const id = nextId++;
    const order: Order = { id, path: `${options.work}/${id}`, scheduledUs, seenUs };
    if (abandon && random() < 1 / ABANDON_EVERY) {
      order.abandon = { afterMs: ABANDON_MS, by: random() < 0.5 ? "reset" : "close" };
    }
    client.request(order);
  });
  await sleep(seconds * 1000);
  stop();
  load.unsent = client.forget();
  load.endUs = nowUs();
  setTimeout(() => client.close(), TIMEOUT_MS + 100);
  return load;
}

const latency = (each: Outcome): number => (each.doneUs - each.order.scheduledUs) / 1000;

function phaseOf(load: Load): Phase {
  const seconds = (load.endUs - load.startUs) / 1e6;
  const accepted = load.outcomes.filter((each) => each.status === 200);
  const refused = load.outcomes.filter((each) => each.status === 503);
  const others: Record<string, number> = {};
  for (const { status, failure } of load.outcomes) {
    if (status === 200 || status === 503 || failure === "reset" || failure === "close") continue;
    const key = failure ?? String(status);
    others[key] = (others[key] ?? 0) + 1;
  }
  if (load.unsent > 0) others["unsent"] = (others["unsent"] ?? 0) + load.unsent;
  return {
    offered: load.outcomes.length + load.unsent,
    seconds,
    goodput: accepted.filter((each) => each.doneUs < load.endUs).length / seconds,
    accepted: latenciesOf(accepted.map(latency)),
    refused: latenciesOf(refused.map(latency)),
    bare: refused.filter((each) => !each.retryAfter).length,
    others,
    lateP99: latenciesOf(
      load.outcomes.map((each) => (each.order.seenUs - each.order.scheduledUs) / 1000),
    ).p99,
  };
}

/** Asks the handler itself what it has been called with. */
async function reachedBy(outcomes: readonly Outcome[]) {
  const response = await fetch(`${urlOf(target)}${options.work}/0`, {
    redirect: "error", // it may lead away from loopback
    signal: AbortSignal.timeout(10_000),
  });
  const { started } = (await response.json()) as { started: [number, number][] };
  const startedUs = new Map(started);
  const reached = { over: 0, reset: 0, closed: 0 };
  const overs = { over: 0, reset: 0, closed: 0 };
  for (const { order, status, failure, doneUs } of outcomes) {
    if (status === 200 || failure === "connect" || failure === "malformed") continue;
    const kind = failure === "reset" || failure === "close" ? failure : "over";
    const key = kind === "close" ? "closed" : kind;
    const at = startedUs.get(order.id);
    // What had begun before it was over, by more than messages take, is no fault; a 503 must not begin at all.
    const graceUs = status === 503 ? -Infinity : kind === "over" && status > 0 ? 0 : GRACE_US;
    if (at !== undefined && at <= doneUs + Math.max(graceUs, 0) && status !== 503) continue;
    overs[key]++;
    if (at !== undefined) reached[key]++;
  }
  return { reached, overs };
}

async function main(): Promise<void> {
  process.on("disconnect", () => process.exit(1));
  report("capacity");
  const capacity = await closedLoop(calmSeconds);
  await sleep(300);
  const halfLoad = await openLoop(capacity / 2, calmSeconds, false);
  report("during");
  const duringLoad = await openLoop(capacity * options.factor, options.seconds, true);
  report("after");
  const afterLoad = await openLoop(capacity / 2, calmSeconds + 1, false);
  await sleep(TIMEOUT_MS + 200); // what is under way, to its time-out
  const half = phaseOf(halfLoad);
  const recovered = recoveryMs(
    afterLoad.outcomes.map((each) => ({
      atMs: (each.order.scheduledUs - duringLoad.endUs) / 1000,
      latencyMs: each.status === 200 ? latency(each) : Infinity,
    })),
    3 * (half.accepted.p99 ?? 0),
  );
  const { reached, overs } = await reachedBy(duringLoad.outcomes);
  const settled = duringLoad.endUs + 1e6;
  const result: OverloadResult = {
    capacity,
    half,
    during: phaseOf(duringLoad),
    after: phaseOf({
      ...afterLoad,
      outcomes: afterLoad.outcomes.filter((each) => each.order.scheduledUs >= settled),
      startUs: settled,
    }),
    recoveryMs: Number.isFinite(recovered) ? recovered : null,
    reached,
    overs,
  };
  report("result", result);
  process.removeAllListeners("disconnect");
  process.disconnect();
}

await main();
