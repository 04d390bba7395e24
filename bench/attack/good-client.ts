// Well-behaved clients: a fixed rate on each of two routes (native, JavaScript), open loop, over a few connections that
// are kept alive. A process of its own. Messages in: `{ phase }`, then `{ phase: "end" }`. Message out: `result`.
import { helperOptions, report } from "./child.js";
import { nowUs } from "./clock.js";
import { HttpClient, type Outcome } from "./http-client.js";
import { parseTarget } from "./loopback.js";
import { atRate } from "./schedule.js";
import { latenciesOf, type Latencies } from "./statistics.js";

export interface GoodClientOptions {
  url: string;
  /** The paths that are asked, each at `rate` a second over `connections` connections. */
  paths: Record<string, string>;
  rate: number;
  connections: number;
  mostSeconds: number;
}

export interface RoutePhase extends Latencies {
  /** 200s that arrived during the phase, a second. */
  rate: number;
  offered: number;
  failed: number;
  /** How answers other than 200 and failures came: by status or failure. */
  others: Record<string, number>;
  /** p99 of how late this client was itself, milliseconds; and of the latencies less that. */
  lateP99: number | null;
  ownP99: number | null;
  /** The worst latency of each quarter of a second, milliseconds. */
  timeline: number[];
}

export interface GoodResult {
  /** By phase, then by route. */
  phases: Record<string, Record<string, RoutePhase>>;
}

const TIMEOUT_MS = 5000;

interface Sample {
  phase: string;
  outcome: Outcome;
}

async function main(): Promise<void> {
  const options = helperOptions<GoodClientOptions>();
  const target = parseTarget(options.url);
  const marks: { phase: string; atUs: number }[] = [{ phase: "warm", atUs: nowUs() }];
  const samples = new Map<string, Sample[]>();
  const phaseOf = (atUs: number): string =>
    marks.findLast((each) => each.atUs <= atUs)?.phase ?? "";
  const stops = Object.entries(options.paths).map(([route, path]) => {
    const of: Sample[] = [];
    samples.set(route, of);
    const client = new HttpClient(target, {
      as: "good",
      connections: options.connections,
      timeoutMs: TIMEOUT_MS,
      done: (outcome) => of.push({ phase: phaseOf(outcome.order.scheduledUs), outcome }),
    });
    client.prepare();
    let id = 0;
    const stop = atRate(options.rate, options.mostSeconds, (scheduledUs, seenUs) =>
      client.request({ id: id++, path, scheduledUs, seenUs }),
    );
    return { stop, client };
  });
  const ended = new Promise<void>((done) => {
    process.on("message", ({ phase }: { phase: string }) => {
      marks.push({ phase, atUs: nowUs() });
      if (phase === "end") done();
    });
    process.on("disconnect", done);
  });
  await ended;
  for (const { stop } of stops) stop();
  await new Promise((done) => setTimeout(done, 500)); // what is under way
  report("result", resultOf(marks, samples));
  for (const { client } of stops) client.close();
  process.disconnect();
}

function resultOf(
  marks: readonly { phase: string; atUs: number }[],
  samples: ReadonlyMap<string, Sample[]>,
): GoodResult {
  const phases: GoodResult["phases"] = {};
  marks.forEach(({ phase, atUs }, index) => {
    const endUs = marks[index + 1]?.atUs;
    if (endUs === undefined) return;
    phases[phase] = Object.fromEntries(
      [...samples].map(([route, all]) => [route, routePhase(all, phase, atUs, endUs)]),
    );
  });
  return { phases };
}

function routePhase(all: Sample[], phase: string, startUs: number, endUs: number): RoutePhase {
  const of = all.filter((each) => each.phase === phase).map((each) => each.outcome);
  const answered = of.filter((each) => each.status === 200);
  const inTime = all.filter(
    ({ outcome }) => outcome.status === 200 && outcome.doneUs >= startUs && outcome.doneUs < endUs,
  );
  const others: Record<string, number> = {};
  for (const { status, failure } of of) {
    const key = failure ?? String(status);
    if (status !== 200) others[key] = (others[key] ?? 0) + 1;
  }
  // Who got no answer waited at least this long: leaving them out would flatter the percentiles.
  const latency = (each: Outcome): number => (each.doneUs - each.order.scheduledUs) / 1000;
  const late = (each: Outcome): number => (each.order.seenUs - each.order.scheduledUs) / 1000;
  return {
    ...latenciesOf(of.map(latency)),
    rate: (inTime.length * 1e6) / (endUs - startUs),
    offered: of.length,
    failed: of.length - answered.length,
    others,
    lateP99: latenciesOf(of.map(late)).p99,
    ownP99: latenciesOf(of.map((each) => latency(each) - late(each))).p99,
    timeline: worstOf(of, startUs, latency),
  };
}

function worstOf(of: Outcome[], startUs: number, latency: (each: Outcome) => number): number[] {
  const worst: number[] = [];
  for (const each of of) {
    const quarter = Math.max(0, Math.floor((each.order.scheduledUs - startUs) / 250_000));
    while (worst.length <= quarter) worst.push(0);
    worst[quarter] = Math.max(worst[quarter] ?? 0, Math.round(latency(each) * 10) / 10);
  }
  return worst;
}

await main();
