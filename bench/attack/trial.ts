// One attack against one server: before, during, after.
import type { AttackerOptions } from "./attacker.js";
import {
  GOOD_CONNECTIONS,
  type Attack,
  type Held,
  type Paths,
  type Scale,
} from "./attacks/attack.js";
import { prioritise, startHelper, type Helper } from "./child.js";
import { sleep } from "./clock.js";
import type { Tally } from "./crowd.js";
import type { GoodClientOptions, GoodResult } from "./good-client.js";
import { urlOf } from "./loopback.js";
import { kernelTcpBytes, peakBytes, residentBytes, resetPeak } from "./memory.js";
import {
  ARENA_BYTES,
  SEGMENT_BYTES,
  type Server,
  type ServerKind,
  type ShardStatus,
} from "./server.js";
import { grouped } from "./table.js";
import {
  HEAP_BYTES,
  judgeArena,
  judgeGoodClients,
  judgeMemory,
  verdictOf,
  type ArenaUse,
  type Verdict,
} from "./verdict.js";

export interface TrialOptions {
  /** Of the attack. */
  seconds: number;
  /** Undefined: as many as the attack says. */
  connections: number | undefined;
  /** Requests a second of the good clients on each route. */
  rate: number;
  serverCpus: string | undefined;
  clientCpus: string | undefined;
  seed: number;
  /** Times are not judged, and no more connections than a busy machine can open in the time. */
  coarse: boolean;
}

export interface Memory {
  beforeBytes: number;
  peakBytes: number;
  allowedBytes: number;
  kernelTcpBytes: number;
  /** Undefined: the server does not say. */
  arena: ArenaUse | undefined;
}

export interface TrialResult {
  server: string;
  attack: string;
  tried: string;
  good: GoodResult;
  memory: Memory;
  verdict: Verdict;
  /** How often it was run until it passed, or as often as allowed; the last one is told of. */
  tries: number;
}

export const ALLOWED_BYTES = ARENA_BYTES + HEAP_BYTES;
/** The longest that the phases without an attack last: shorter ones for a shorter attack. */
const WARM_SECONDS = 2;
const BEFORE_SECONDS = 4;
const AFTER_SECONDS = 3;
/** What is compared with nothing needs no longer. Warm it has to be: memory is compared. */
const COARSE_SECONDS = 1;
const COARSE_CONNECTIONS = 1500;
/** How often the server is asked for its status. */
const ARENA_LOOKS_MS = 250;

/** The good clients, the server's memory, and what it says of itself, for the length of a trial. */
export class Watch {
  readonly #server: Server;
  readonly #good: Helper;
  #idle: ShardStatus | undefined;
  #samplers: NodeJS.Timeout[] = [];
  #looking: Promise<void> = Promise.resolve();
  #arena: ArenaUse | undefined;
  readonly #held: Held = { most: 0 };
  #tcpBytes = 0;
  #beforeBytes = 0;
  readonly #seconds: number;
  /** Of the phases without an attack, at the most. */
  readonly #calmSeconds: number;

  constructor(server: Server, options: TrialOptions, mostSeconds: number) {
    this.#server = server;
    this.#seconds = options.seconds;
    this.#calmSeconds = options.coarse ? COARSE_SECONDS : options.seconds;
    const goodOptions: GoodClientOptions = {
      url: urlOf(server.target),
      paths: goodPaths(server.paths),
      rate: options.rate,
      connections: GOOD_CONNECTIONS,
      mostSeconds,
    };
    this.#good = startHelper("./good-client.js", goodOptions, options.clientCpus, mostSeconds + 10);
    prioritise(this.#good.child.pid ?? 0, -15);
  }

  /** The first phase: warms up, then looks at the server as it is without the attack. */
  async before(): Promise<void> {
    await sleep(Math.min(WARM_SECONDS, this.#seconds) * 1000);
    this.#good.send({ phase: "before" });
    await sleep(Math.min(BEFORE_SECONDS, this.#calmSeconds) * 1000);
    this.#idle = await this.#server.status();
    this.#beforeBytes = residentBytes(this.#server.pid);
    resetPeak(this.#server.pid);
    const sample = (): void => {
      this.#tcpBytes = Math.max(this.#tcpBytes, kernelTcpBytes());
    };
    this.#samplers.push(setInterval(sample, 100));
    if (this.#idle === undefined) return;
    // One look at a time.
    const look = (): void => void (this.#looking = this.#looking.then(() => this.#lookAtArena()));
    this.#samplers.push(setInterval(look, ARENA_LOOKS_MS));
  }

  async #lookAtArena(): Promise<void> {
    const status = await this.#server.status();
    if (status === undefined) return;
    this.#held.most = Math.max(this.#held.most, status.connections);
    const used = (status.segmentsTotal - status.segmentsFree) * SEGMENT_BYTES;
    this.#arena = {
      totalBytes: status.segmentsTotal * SEGMENT_BYTES,
      peakBytes: Math.max(this.#arena?.peakBytes ?? 0, used),
    };
  }

  phase(phase: string): void {
    this.#good.send({ phase });
  }

  /** The last phases, and whatever there is to say. */
  async after(): Promise<{
    good: GoodResult;
    memory: Memory;
    held: Held;
    failures: (string | undefined)[];
  }> {
    this.#samplers.splice(0).forEach((each) => clearInterval(each));
    await this.#looking;
    // The second within which everything has to be as before.
    this.phase("settling");
    await sleep(1000);
    this.phase("after");
    await sleep(Math.min(AFTER_SECONDS, this.#calmSeconds) * 1000);
    this.phase("end");
    const good = (await this.#good.message<GoodResult>("result")) ?? { phases: {} };
    await this.#good.exited;
    const peak = peakBytes(this.#server.pid);
    const leak = await this.#leak();
    const ended = this.#server.ended();
    return {
      good,
      memory: {
        beforeBytes: this.#beforeBytes,
        peakBytes: peak,
        allowedBytes: ALLOWED_BYTES,
        kernelTcpBytes: this.#tcpBytes,
        arena: this.#arena,
      },
      held: this.#held,
      failures: [
        ended === undefined ? undefined : `the server ${ended}`,
        Object.keys(good.phases).length === 0 ? "the good clients ended early" : undefined,
        judgeMemory(this.#beforeBytes, peak, ALLOWED_BYTES),
        this.#arena === undefined ? undefined : judgeArena(this.#arena, ARENA_BYTES),
        leak,
      ],
    };
  }

  /** Ends what is still running: something has failed. */
  abort(): void {
    this.#samplers.splice(0).forEach((each) => clearInterval(each));
    this.#good.kill();
  }

  /** Pinion only: everything that the attack has held has to come back once its connections are closed. */
  async #leak(): Promise<string | undefined> {
    const idle = this.#idle;
    if (idle === undefined || this.#server.ended() !== undefined) return undefined;
    let status: ShardStatus | undefined;
    for (let i = 0; i < 50; i++) {
      status = await this.#server.status();
      if (status === undefined) return "the server does not say its status any more";
      // While the good clients ran a few slots were theirs: now there may only be more.
      const back =
        status.connections <= idle.connections &&
        status.queued === 0 &&
        status.started === 0 &&
        status.slotsFree >= idle.slotsFree &&
        status.segmentsFree + status.segmentsLent >= idle.segmentsFree + idle.segmentsLent;
      if (back) return undefined;
      await sleep(100);
    }
    return `leak: ${JSON.stringify(status)}, before ${JSON.stringify(idle)}`;
  }
}

function goodPaths(paths: Paths): Record<string, string> {
  return { native: paths.native, javascript: paths.javascript };
}

export async function runTrial(
  kind: ServerKind,
  attack: Attack,
  options: TrialOptions,
): Promise<TrialResult> {
  const most = options.coarse ? COARSE_CONNECTIONS : Infinity;
  const connections = options.connections ?? Math.min(attack.connections, most);
  const { seconds, rate, coarse } = options;
  const scale: Scale = { seconds, rate, coarse, connections };
  const server = await kind.start({
    cpus: options.serverCpus,
    connections: attack.serverConnections?.(scale) ?? connections + 1000,
    settings: attack.settings?.(scale),
  });
  const mostSeconds = BEFORE_SECONDS + options.seconds + AFTER_SECONDS + 20;
  const watch = new Watch(server, options, mostSeconds);
  try {
    await watch.before();
    watch.phase("during");
    const attacker = startHelper(
      "./attacker.js",
      {
        url: urlOf(server.target),
        attack: attack.name,
        paths: server.paths,
        connections,
        seconds: options.seconds,
        seed: options.seed,
      } satisfies AttackerOptions,
      options.clientCpus,
      options.seconds + 10,
      { last: !options.coarse },
    );
    const tally = await attacker.message<Tally>("result");
    await attacker.exited;
    const { good, memory, held, failures } = await watch.after();
    return {
      server: kind.name,
      attack: attack.name,
      tried: describe(attack, connections, tally),
      tries: 1,
      good,
      memory,
      verdict: verdictOf([
        tally === undefined ? "the attacker ended early" : attack.tried(tally, scale),
        ...(tally !== undefined && kind.takesSettings ? attack.judge(tally, scale, held) : []),
        ...failures,
        ...judgeGoodClients(good, options.coarse),
      ]),
    };
  } finally {
    watch.abort();
    await server.stop();
  }
}

function describe(attack: Attack, connections: number, tally: Tally | undefined): string {
  if (attack.connections === 0) return attack.what;
  const parts = [`${grouped(connections)} ${attack.what}`];
  if (tally === undefined) return parts.join("");
  parts.push(`: at most ${grouped(tally.peak)} at once, ${grouped(tally.opened)} opened`);
  if (tally.failed > 0) parts.push(`, ${grouped(tally.failed)} failed`);
  if (tally.reset > 0) parts.push(`, ${grouped(tally.reset)} reset`);
  if (tally.closed > 0) parts.push(`, ${grouped(tally.closed)} ended by the server`);
  parts.push(`, ${bytes(tally.sent)} sent, ${bytes(tally.received)} received`);
  const statuses = Object.entries(tally.statuses).map(
    ([code, count]) => `${code}: ${grouped(count)}`,
  );
  if (statuses.length > 0) parts.push(` (${statuses.join(", ")})`);
  return parts.join("");
}

function bytes(count: number): string {
  if (count < 10_000) return `${count} B`;
  return count < 10_000_000 ? `${(count / 1e3).toFixed(0)} kB` : `${(count / 1e6).toFixed(0)} MB`;
}
