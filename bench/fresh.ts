// The measurements that are more than a load: memory of idle connections, of the whole server, and a busy JavaScript.
import { setTimeout as sleep } from "node:timers/promises";
import { exchange } from "./exchange.js";
import type { Script } from "./load.js";
import { type Metrics, rateMetrics } from "./metrics.js";
import { type Memory, readMemory } from "./processes.js";
import { type Bench, type Subject, window } from "./rounds.js";
import type { Load } from "./works.js";

/** V8 shrinks its heap when little has been allocated for some 8 s. */
const REST_MS = 12_000;
/** A spinning handler outlasts the load by this much at either end. */
const MARGIN_MS = 500;

/** After 12 s in which collections and timers come to rest (less in short rounds). */
async function restedMemory(bench: Bench, processes: readonly number[]): Promise<Memory> {
  await sleep(REST_MS * Math.min(1, bench.seconds));
  return readMemory(processes);
}

export async function measureIdle(
  bench: Bench,
  load: Load,
  { running }: Subject,
  script: Script,
): Promise<Metrics> {
  const idle = load.idle ?? 0;
  const processes = running.processes();
  await bench.client.measure(
    script,
    { connections: 64, seconds: Math.min(1, bench.seconds) },
    processes,
  );
  const before = (await restedMemory(bench, processes)).user;
  const held = await bench.client.hold(script, idle);
  try {
    return { connectionBytes: ((await restedMemory(bench, processes)).user - before) / idle };
  } finally {
    await held.release();
  }
}

export async function measureResident(
  bench: Bench,
  load: Load,
  { running }: Subject,
  script: Script,
): Promise<Metrics> {
  const processes = running.processes();
  const idle = (await restedMemory(bench, processes)).resident;
  const { connections } = load;
  await bench.client.measure(script, { connections, seconds: bench.seconds }, processes);
  const loaded = (await restedMemory(bench, processes)).resident;
  return { residentIdle: idle / 2 ** 20, residentLoaded: loaded / 2 ** 20 };
}

/** The same load twice: with JavaScript idle, and while a handler spins. */
export async function measureBlocked(
  bench: Bench,
  load: Load,
  { running }: Subject,
  script: Script,
): Promise<Metrics> {
  const volume = { ...load, ...window(bench) };
  const idle = rateMetrics(await bench.client.measure(script, volume, running.processes()));
  const milliseconds = Math.round(bench.seconds * 1000) + 200 + 2 * MARGIN_MS;
  const request = `GET /spin/${milliseconds} HTTP/1.1\r\nHost: bench.example\r\n\r\n`;
  const began = Date.now();
  const spin = exchange(running.port, Buffer.from(request));
  await sleep(MARGIN_MS);
  const blocked = rateMetrics(await bench.client.measure(script, volume, running.processes()));
  if (Date.now() - began > milliseconds) throw new Error("the handler did not spin all the while");
  const answer = (await spin).toString();
  const { clockNs, cpuNs } = JSON.parse(answer.slice(answer.indexOf("{"))) as {
    clockNs: number;
    cpuNs: number;
  };
  return {
    ...idle,
    blockedP50: blocked.p50 ?? NaN,
    blockedP99: blocked.p99 ?? NaN,
    share: cpuNs / clockNs,
  };
}
