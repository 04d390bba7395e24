// Runs one work: starts its servers, checks their answers, and measures them in turn, round by round.
import { setTimeout as sleep } from "node:timers/promises";
import { measureBlocked, measureIdle, measureResident } from "./fresh.js";
import type { Floors } from "./floors.js";
import { type Answer, learnAnswer } from "./exchange.js";
import { type Client, type Script, writeScript } from "./load.js";
import { closedMetrics, type Metrics, rateMetrics, type Results } from "./metrics.js";
import { freePort, type Running, startServer } from "./processes.js";
import { ROUTES, type RouteName } from "./routes.js";
import type { Server } from "./servers.js";
import type { Load, Work } from "./works.js";
import { latencies, type Wrk2 } from "./wrk2.js";

export interface Bench {
  client: Client;
  floors: Floors;
  results: Results;
  wrk2: Wrk2 | undefined;
  clientCore: number;
  serverCore: number;
  /** For the files of a run. */
  folder: string;
  content: string;
  rounds: number;
  seconds: number;
  say(line: string): void;
}

/** A server that runs, and what its answers to each route of the work look like. */
export interface Subject {
  server: Server;
  running: Running;
  scripts: Map<RouteName, Script>;
}

/** Once at full load before the rounds: code is compiled, memory is touched. */
const WARM_UP_SECONDS = 1.5;
/** After the client has closed its connections, before the next server is measured. */
const SETTLE_MS = 100;
const SETTLE_IDLE_MS = 1500;

/** Each round's window, behind some load that is not counted. */
export function window({ seconds }: Bench): { seconds: number; warm: number } {
  return { seconds, warm: Math.min(0.2, seconds) };
}

const routesOf = (work: Work): RouteName[] => [...new Set(work.loads.map((load) => load.route))];

export function takesPart(server: Server, load: Load): boolean {
  return server.routes.includes(load.route);
}

export async function start(bench: Bench, server: Server, work: Work): Promise<Subject> {
  const port = await freePort();
  const routes = routesOf(work).filter((route) => server.routes.includes(route));
  const first = routes[0];
  if (first === undefined) throw new Error("it serves no route of this work");
  const floor = {
    requestBytes: ROUTES[first].request.length,
    answerFile: bench.floors.file(first),
  };
  const { folder, content } = bench;
  const command = server.command({ port, folder, content, floor });
  // A young generation that breathes by megabytes would hide what 15,000 connections take.
  const idle = work.loads.some(({ kind }) => kind === "idle");
  const env = { ...command.env, ...(idle ? { NODE_OPTIONS: "--max-semi-space-size=1" } : {}) };
  const running = await startServer({ ...command, env }, port, bench.serverCore);
  try {
    const scripts = new Map<RouteName, Script>();
    for (const route of routes) {
      const answer: Answer = await learnAnswer(port, ROUTES[route]);
      const name = `${server.name}-${route}`;
      scripts.set(route, writeScript(folder, name, port, ROUTES[route].request, answer));
    }
    return { server, running, scripts };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

export async function runWork(bench: Bench, work: Work, servers: readonly Server[]): Promise<void> {
  const fresh = work.loads.filter(({ kind }) => kind === "idle" || kind === "resident");
  for (const load of fresh) await runFresh(bench, work, load, servers);
  const lasting = work.loads.filter((load) => !fresh.includes(load));
  if (lasting.length === 0) return;
  const subjects: Subject[] = [];
  try {
    for (const server of servers) {
      bench.say(`${work.name}: starting ${server.name}`);
      await attempt(bench, work, lasting, server, async () => {
        const subject = await start(bench, server, work);
        subjects.push(subject);
        await warmUp(bench, subject, lasting);
      });
    }
    for (let round = 0; round < bench.rounds; round++) {
      for (const load of lasting) await runRound(bench, work, load, subjects, round);
    }
    if (bench.wrk2 !== undefined) await runWrk2(bench, bench.wrk2, work, lasting, subjects);
  } finally {
    for (const { running } of subjects) await running.stop();
  }
}

/** An error is the server's: it is kept with its cells, and the others go on. */
async function attempt(
  bench: Bench,
  work: Work,
  loads: readonly Load[],
  server: Server,
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    bench.say(`${work.name}: ${server.name} has FAILED: ${failure}`);
    for (const load of loads)
      bench.results.cell(work.name, load.name, server.name).failure = failure;
  }
}

async function warmUp(bench: Bench, subject: Subject, loads: readonly Load[]): Promise<void> {
  const seconds = Math.min(WARM_UP_SECONDS, bench.seconds);
  for (const [route, script] of subject.scripts) {
    const connections = Math.max(
      ...loads.map((load) => (load.route === route ? load.connections : 1)),
    );
    await bench.client.measure(script, { connections, seconds }, subject.running.processes());
  }
}

/** Each round begins with another server, so that none is always behind the same one. */
async function runRound(
  bench: Bench,
  work: Work,
  load: Load,
  subjects: readonly Subject[],
  round: number,
): Promise<void> {
  const taking = subjects.filter(({ server }) => takesPart(server, load));
  for (let turn = 0; turn < taking.length; turn++) {
    const subject = taking[(turn + round) % taking.length];
    if (subject === undefined) continue;
    const cell = bench.results.cell(work.name, load.name, subject.server.name);
    if (cell.failure !== undefined) continue;
    await attempt(bench, work, [load], subject.server, async () => {
      const metrics = await measure(bench, load, subject);
      cell.rounds[round] = metrics;
      bench.say(progress(bench, work, load, subject.server, round, metrics));
    });
    await sleep(
      load.idle === undefined ? Math.min(SETTLE_MS, 1000 * bench.seconds) : SETTLE_IDLE_MS,
    );
  }
}

async function measure(bench: Bench, load: Load, subject: Subject): Promise<Metrics> {
  const script = subject.scripts.get(load.route);
  if (script === undefined) throw new Error(`no answer to ${load.route} is known`);
  if (load.kind === "blocked") return measureBlocked(bench, load, subject, script);
  const volume = { ...load, ...window(bench) };
  const count = await bench.client.measure(script, volume, subject.running.processes());
  if (load.kind === "rate") return rateMetrics(count);
  // What lay in the sockets already costs no CPU: two bursts for each connection at least.
  return closedMetrics(count, 2 * load.connections * (load.depth ?? 1));
}

/** Memory is measured on servers that have just been started: what was once taken is not taken again. */
async function runFresh(
  bench: Bench,
  work: Work,
  load: Load,
  servers: readonly Server[],
): Promise<void> {
  for (let round = 0; round < bench.rounds; round++) {
    for (const server of servers.filter((each) => takesPart(each, load))) {
      const cell = bench.results.cell(work.name, load.name, server.name);
      if (cell.failure !== undefined) continue;
      await attempt(bench, work, [load], server, async () => {
        const subject = await start(bench, server, work);
        try {
          const script = subject.scripts.get(load.route);
          if (script === undefined) throw new Error(`no answer to ${load.route} is known`);
          const take = load.kind === "idle" ? measureIdle : measureResident;
          const metrics = await take(bench, load, subject, script);
          cell.rounds[round] = metrics;
          bench.say(progress(bench, work, load, server, round, metrics));
        } finally {
          await subject.running.stop();
        }
      });
    }
  }
}

async function runWrk2(
  bench: Bench,
  wrk2: Wrk2,
  work: Work,
  loads: readonly Load[],
  subjects: readonly Subject[],
): Promise<void> {
  for (const load of loads.filter((each) => (each.wrk2Rate ?? 0) > 0)) {
    for (const { server, running } of subjects.filter((each) => takesPart(each.server, load))) {
      const cell = bench.results.cell(work.name, load.name, server.name);
      const first = cell.rounds[0];
      if (first === undefined || cell.failure !== undefined) continue;
      bench.say(`${work.name} ${load.name}: wrk2 against ${server.name}`);
      try {
        Object.assign(first, await latencies(bench, wrk2, load, running.port));
      } catch (error) {
        bench.say(`wrk2 has failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}

function progress(
  bench: Bench,
  work: Work,
  load: Load,
  server: Server,
  round: number,
  metrics: Metrics,
): string {
  const shown = Object.entries(metrics)
    .map(([name, value]) => `${name} ${value < 100 ? value.toFixed(2) : value.toFixed(0)}`)
    .join(", ");
  return `${work.name} ${load.name}: round ${round + 1} of ${bench.rounds}: ${server.name}: ${shown}`;
}
