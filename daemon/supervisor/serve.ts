// The life of the daemon: configuration, sockets, shards, workers; then signals, and the way back down.
import { randomInt } from "node:crypto";
import type { Addon, ShardHandle } from "../../runtime/addon.js";
import type { WriteLimits } from "../../runtime/messages.js";
import { parseListenArguments } from "../config/address.js";
import { kernelInterface } from "../config/kernel-interface.js";
import type { Config } from "../config/types.js";
import { createLog, type Log } from "../log/log.js";
import { planInChild, type Plan } from "../plan.js";
import type { RoutePlan } from "../routes.js";
import { restrictWriting, warnOfRoot } from "../sandbox/restrict.js";
import type { ServeArguments } from "../serve-arguments.js";
import { findCores, planShards } from "./cores.js";
import {
  FEWEST_CONNECTIONS_OF_SHARD,
  leastOpenFiles,
  mostConnections,
  openFilesLimit,
} from "./descriptors.js";
import { inheritedSockets, openListeners } from "./listeners.js";
import { findMemoryLimit, memoryWarning } from "./memory-limit.js";
import { notifySystemd } from "./notify.js";
import { shardOptions } from "./shard-options.js";
import { waitForStop } from "./signals.js";
import { spawnWorker } from "./spawn-worker.js";
import { createWorkerKeeper, type WorkerKeeper } from "./worker-keeper.js";

interface RunningShard {
  handle: ShardHandle;
  keeper: WorkerKeeper;
}

const DRAIN_POLL_MS = 50;
// Node touches most of its own code only to start: 66 MB resident with one shard, 32 without what serving does not use.
const STARTUP_OVER_MS = 500;
// The last tenth of `timeouts.drain`, within these bounds, is for what comes after the requests: threads end, the access
// log is written.
const END_LEAST_MS = 100;
const END_MOST_MS = 1000;
// An idle daemon uses no CPU: a look every five seconds costs some 50 us.
const SLOWEST_CHECK_MS = 5000;
// Until the workers are live: a handler that does not load is to be named soon.
const START_CHECK_MS = 1000;
// The cache drops what nobody has used for days.
const KEEP_COMPILED_MS = 3600 * 1000;

/** Serves a file until a signal; resolves with the exit code. Throws before anything is served if it cannot be. */
export async function serveFile({ file, listen }: ServeArguments): Promise<number> {
  process.title = `pinion serve ${file}`;
  const own = parseListenArguments(listen, process.cwd());
  const plan = planInChild(file);
  if (own.length > 0) plan.config.listen = own;
  const { loadAddon } = await import("../../runtime/addon-loader.js");
  return serve(loadAddon(), plan);
}

async function serve(addon: Addon, { config, routes, compiled }: Plan): Promise<number> {
  const log = createLog(config.log);
  const ownRing = process.env["UV_USE_IO_URING"] ?? "0";
  if (ownRing !== "0" && config.write !== "any") {
    // Its threads keep the rights that they have begun with.
    throw new Error(
      "with UV_USE_IO_URING in the environment libuv's own threads cannot be kept from writing; remove it, or write: any",
    );
  }
  const { cpus, reason } = planShards(config.shards, findCores(), randomInt(2 ** 31));
  const connections = connectionsWithin(config, cpus.length, log);
  const tooLarge = memoryWarning(cpus.length, config.limits, findMemoryLimit());
  if (tooLarge !== undefined) log.warn(`${tooLarge.what}; ${tooLarge.remedy}`);
  const listeners = await openListeners(
    addon,
    config.listen,
    cpus.length,
    inheritedSockets(process.env, process.pid),
  );
  const shards: RunningShard[] = [];
  // A client, or whoever watches, may meet any shard: where one is in a crash loop, all say so.
  const looping = new Set<number>();
  let deadline: number;
  const onCrashLoop = (index: number, stands: boolean) => {
    if (stands) looping.add(index);
    else looping.delete(index);
    shards.forEach(({ handle }) => addon.setCrashLoop(handle, looping.size > 0));
  };
  try {
    warnOfRoot(log);
    const writing = restrictWriting(addon, config, process.env, log);
    for (const [index, cpu] of cpus.entries()) {
      const own = listeners.map(({ fds, proxyProtocol }) => ({
        fd: fds[index] ?? -1,
        proxyProtocol,
      }));
      const handle = addon.createShard(
        shardOptions(config, routes.native, {
          cpu,
          count: cpus.length,
          connections,
          listeners: own,
        }),
        () => shards[index]?.keeper.check(),
      );
      const keeper = keeperFor(addon, config, routes, handle, index, writing, log, (stands) =>
        onCrashLoop(index, stands),
      );
      shards.push({ handle, keeper });
    }
    const stop = waitForStop(
      () => log.warn("SIGHUP: reloading is not there yet; restart to use a changed configuration"),
      (signal) => log.warn(`${signal} again: stopping at once; requests in flight are cut off`),
      (exitCode) => addon.endProcess(exitCode),
    );
    process.on("SIGUSR2", () => {
      shards.forEach(({ handle, keeper: { crashLoop } }, shard) =>
        log.info("status", { shard, ...addon.status(handle), crashLoop }),
      );
    });
    announceShards(addon, config, shards, reason, log);
    const check = () => shards.forEach(({ keeper }) => keeper.check());
    const checks = setInterval(check, checkInterval(config));
    const startChecks = setInterval(check, START_CHECK_MS);
    if (compiled !== undefined) setInterval(() => void keep(compiled), KEEP_COMPILED_MS).unref();
    const started = Promise.all(shards.map(({ keeper }) => keeper.start()));
    // A signal may come while the handlers are still being loaded.
    const isLive = await Promise.race([started.then(() => true), stop.then(() => false)]);
    clearInterval(startChecks);
    if (isLive) {
      setTimeout(() => addon.dropStartupCode(), STARTUP_OVER_MS).unref();
      const urls = listeners.map(({ url }) => url);
      announceServing(config, urls, log);
    } else started.catch(() => {});
    const signal = await stop;
    clearInterval(checks);
    log.info(`${signal}: draining; again to stop at once`, { drainMs: config.timeouts.drain });
    notifySystemd(log, "STOPPING=1", "draining");
    deadline = performance.now() + config.timeouts.drain;
    await drain(addon, shards, deadline - endingMs(config.timeouts.drain), log);
  } catch (error) {
    await shutDown(addon, shards, performance.now() + END_MOST_MS);
    throw error;
  } finally {
    listeners.forEach((listener) => listener.remove());
  }
  await shutDown(addon, shards, deadline);
  log.info("stopped");
  return 0;
}

function keeperFor(
  addon: Addon,
  config: Config,
  routes: RoutePlan,
  shard: ShardHandle,
  index: number,
  writing: WriteLimits | null,
  log: Log,
  onCrashLoop: (stands: boolean) => void,
): WorkerKeeper {
  const patterns = routes.native.map(({ pattern }) => pattern);
  const { handlers } = routes;
  return createWorkerKeeper({
    addon,
    shard,
    index,
    spinMs: config.timeouts.spin,
    log,
    onCrashLoop,
    spawn: (lane, events) =>
      spawnWorker(
        { shard, lane, handlers, routes: patterns, directory: config.folder, writing },
        config.limits,
        log,
        events,
      ),
  });
}

function announceShards(
  addon: Addon,
  config: Config,
  shards: RunningShard[],
  reason: string,
  log: Log,
): void {
  log.info(`io is ${describeInterface(addon, config)}`);
  log.info(`shards: ${shards.length} (${reason})`);
}

function describeInterface(addon: Addon, config: Config): string {
  const io = kernelInterface(config);
  // The probe's sentence begins with the name of what it has chosen.
  if (io === "auto") return addon.probe().why;
  if (config.io === "auto")
    return `${io}, because io_uring cannot number an arena of more than 256 MiB (limits.arena)`;
  return `${io === "uring" ? "io_uring" : io}: io in the configuration`;
}

function announceServing(config: Config, urls: string[], log: Log): void {
  if (config.routes.length === 0)
    log.warn("there are no routes: all requests but health checks get 404");
  // Standard output is the access log's, if there is one.
  const out = config.log.access ? process.stderr : process.stdout;
  out.on("error", () => {}); // nobody reads it any more
  out.write(`pinion: serving ${urls.join(" ")}\n`);
  notifySystemd(log, "READY=1", `serving ${urls.join(" ")}`);
}

async function keep(compiled: string): Promise<void> {
  const { keepCompiled } = await import("../../runtime/compile-handlers.js");
  keepCompiled(compiled);
}

function connectionsWithin(config: Config, shards: number, log: Log): number {
  const limit = openFilesLimit();
  const wanted = config.limits.connections;
  const most = limit === undefined ? wanted : mostConnections(limit, shards);
  if (wanted <= most) return wanted;
  if (most < shards * FEWEST_CONNECTIONS_OF_SHARD)
    throw new Error(
      `the limit on open files (${limit}) leaves room for ${most} connections in ${shards} shard${shards === 1 ? "" : "s"}: raise LimitNOFILE= of the unit, or the hard limit (\`ulimit -Hn\`), to at least ${leastOpenFiles(shards)}`,
    );
  log.warn(
    `limits.connections is ${wanted}, but the limit on open files (${limit}) leaves room for ${most}, which is used instead; raise LimitNOFILE or \`ulimit -n\`, or lower limits.connections`,
  );
  return most;
}

/** Often enough that a time-out is not overrun by more than an eighth. */
function checkInterval({ timeouts }: Config): number {
  return Math.min(SLOWEST_CHECK_MS, Math.max(50, timeouts.spin / 8));
}

async function drain(
  addon: Addon,
  shards: RunningShard[],
  deadline: number,
  log: Log,
): Promise<void> {
  for (const { handle } of shards) addon.drain(handle);
  while (!shards.every(({ handle }) => addon.drained(handle))) {
    if (performance.now() >= deadline) {
      const connections = shards.reduce(
        (sum, { handle }) => sum + addon.status(handle).connections,
        0,
      );
      log.warn("timeouts.drain is over: the connections that are left are closed", { connections });
      return;
    }
    await sleep(DRAIN_POLL_MS);
  }
}

// A shard's memory may go only when no thread can write to it any more. A thread that sits in a long native call may take
// longer than anybody wants to wait; then the process ends with its memory in place, and without process.exit()'s own
// wait for such threads. SIGUSR2 finds no destroyed shard.
async function shutDown(addon: Addon, shards: RunningShard[], deadline: number): Promise<void> {
  const leftMs = () => Math.max(END_LEAST_MS, deadline - performance.now());
  const ended = Promise.all(shards.map(({ keeper }) => keeper.stop())).then(() => true);
  const threadsMs = Math.min(END_MOST_MS, leftMs());
  const hasEnded = await Promise.race([ended, sleep(threadsMs).then(() => false)]);
  if (hasEnded) shards.splice(0).forEach(({ handle }) => addon.destroyShard(handle, leftMs()));
  else process.once("exit", (exitCode) => addon.endProcess(exitCode));
}

/** Of `drainMs`, what is kept for the end of the process. */
function endingMs(drainMs: number): number {
  return Math.min(END_MOST_MS, Math.max(END_LEAST_MS, drainMs / 10));
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
