// Keeps one live worker on a shard: starts it, replaces it when it dies, stays in JavaScript too long, or breaks the rules
// of shared memory.
import type { Addon, ShardHandle } from "../../runtime/addon.js";
import { errorFields, type Fields, type Log } from "../log/log.js";
import { createBackOff, HEALTHY_MS } from "./back-off.js";

/** What a worker tells its keeper. */
export interface WorkerEvents {
  /** It begins to load this handler. */
  loading(handler: string): void;
  /** Its handlers are loaded and its lane is live. */
  ready(): void;
  /** Why it is about to end: the error that it could not go on after. */
  failed(error: unknown): void;
  /** Its thread has ended: nothing of it writes to the shard any more. */
  ended(exitCode: number): void;
}

export interface WorkerThread {
  terminate(): void;
}

export interface KeeperOptions {
  addon: Pick<Addon, "reserveLane" | "quarantineLane" | "releaseLane" | "status">;
  shard: ShardHandle;
  /** Number of the shard, for messages. */
  index: number;
  spinMs: number;
  log: Log;
  /** Workers end again and again, from now on or no more. */
  onCrashLoop: (stands: boolean) => void;
  spawn: (lane: number, events: WorkerEvents) => WorkerThread;
  now?: () => number;
  later?: (delayMs: number, run: () => void) => () => void;
}

export interface WorkerKeeper {
  /** Resolves when the first worker is live; rejects if it ends before. */
  start(): Promise<void>;
  /** Looks for a worker that is overdue or has broken the rules; to be called now and then, and when a lane has broken. */
  check(): void;
  /** Workers have ended again and again, and none since has lived for long. */
  readonly crashLoop: boolean;
  /** Ends all workers; resolves when the last thread has ended. */
  stop(): Promise<void>;
}

// A module that awaits something for ever at its top would else leave the shard without a worker.
const START_MS = 60_000;
const NO_LANE_RETRY_MS = 1000;
// A module that takes so long waits for something, and whoever watches should know which.
const SLOW_LOAD_MS = 5000;
const SLOW_LOAD_AGAIN_MS = 30_000;

interface Running {
  lane: number;
  thread: WorkerThread;
  startedAt: number;
  liveAt: number | undefined;
  /** The handler that is being loaded, since when, and when to say so. */
  loading: { handler: string; since: number; warnAt: number } | undefined;
  isQuarantined: boolean;
  cause: unknown;
}

export function createWorkerKeeper(options: KeeperOptions): WorkerKeeper {
  const {
    addon,
    shard,
    index,
    spinMs,
    log,
    onCrashLoop,
    spawn,
    now = () => performance.now(),
    later = runLater,
  } = options;
  const backOff = createBackOff();
  const running = new Set<Running>();
  let current: Running | undefined;
  let isStopping = false;
  let crashLoop = false;
  let cancelStart = () => {};
  let whenAllEnded = () => {};
  let firstStart: { resolve: () => void; reject: (error: Error) => void } | undefined;

  function startWorker(lane = addon.reserveLane(shard)): void {
    if (lane === -1) {
      // Threads that were given up on still sit in native code: their lanes come back when they end.
      log.error("no lane is free for a new worker; waiting for an old one to end", {
        shard: index,
      });
      startLater(NO_LANE_RETRY_MS);
      return;
    }
    const worker: Running = {
      lane,
      thread: { terminate() {} },
      startedAt: now(),
      liveAt: undefined,
      loading: undefined,
      isQuarantined: false,
      cause: undefined,
    };
    running.add(worker);
    current = worker;
    worker.thread = spawn(lane, {
      ready: () => becameLive(worker),
      loading: (handler) => {
        worker.loading = { handler, since: now(), warnAt: now() + SLOW_LOAD_MS };
      },
      failed: (error) => (worker.cause = error),
      ended: (exitCode) => ended(worker, exitCode),
    });
  }

  // A lane that is reserved already is kept for it meanwhile.
  function startLater(delayMs: number, lane?: number): void {
    const cancel = later(delayMs, () => {
      cancelStart = () => {};
      startWorker(lane);
    });
    cancelStart = () => {
      cancel();
      if (lane !== undefined) addon.releaseLane(shard, lane);
    };
  }

  function becameLive(worker: Running): void {
    worker.liveAt = now();
    // The first is what the start is about; that another has taken over is news.
    log.write(firstStart === undefined ? "info" : "debug", "worker is live", {
      shard: index,
      lane: worker.lane,
      startMs: Math.round(worker.liveAt - worker.startedAt),
    });
    firstStart?.resolve();
    firstStart = undefined;
  }

  function warnOfSlowLoad({ loading }: Running): void {
    if (loading === undefined || now() < loading.warnAt) return;
    loading.warnAt = now() + SLOW_LOAD_AGAIN_MS;
    const seconds = Math.round((now() - loading.since) / 1000);
    log.warn(
      `${loading.handler} is still being loaded after ${seconds} s: nothing is served by handlers until it is; does it await something at its top?`,
      { shard: index },
    );
  }

  function quarantine(worker: Running): void {
    if (worker.isQuarantined) return;
    worker.isQuarantined = true;
    addon.quarantineLane(shard, worker.lane);
  }

  function ended(worker: Running, exitCode: number): void {
    quarantine(worker);
    addon.releaseLane(shard, worker.lane);
    running.delete(worker);
    if (running.size === 0) whenAllEnded();
    if (worker !== current) return;
    current = undefined;
    if (isStopping) return;
    if (firstStart !== undefined) {
      firstStart.reject(
        asError(
          worker.cause ?? new Error(`the worker ended with exit code ${exitCode} while it started`),
        ),
      );
      firstStart = undefined;
      return;
    }
    const restartMs = countDeath(worker);
    log.error(`worker ended: ${whyEnded(worker.cause, exitCode)}`, {
      shard: index,
      lane: worker.lane,
      restartMs,
      ...causeFields(worker.cause),
    });
    startLater(restartMs);
  }

  /** How long it has served; being stuck is no service. */
  function lived({ liveAt }: Running, stuckMs = 0): number {
    return liveAt === undefined ? 0 : now() - liveAt - stuckMs;
  }

  /** Returns how long the next one has to wait. */
  function countDeath(worker: Running, stuckMs?: number): number {
    const { delayMs, deaths, isLoop } = backOff.died(lived(worker, stuckMs));
    sayCrashLoop(isLoop);
    if (isLoop) {
      log.error(
        "workers of this shard end again and again: /-/ready answers 503, JavaScript routes answer late or with 503",
        { shard: index, deaths },
      );
    }
    return delayMs;
  }

  function sayCrashLoop(stands: boolean): void {
    if (stands === crashLoop) return;
    crashLoop = stands;
    onCrashLoop(stands);
  }

  // The new worker's lane is reserved first: without one, a stuck worker is better than none.
  function replaceStuck(worker: Running, stuckMs: number, fields: Fields): void {
    const reason = "worker stays in JavaScript and answers nothing";
    const lane = addon.reserveLane(shard);
    if (lane === -1) {
      log.error(`${reason}; it cannot be replaced: no lane is free`, { shard: index, ...fields });
      return;
    }
    const restartMs = countDeath(worker, stuckMs);
    const { lane: old } = worker;
    log.error(`${reason}; it is replaced`, { shard: index, lane: old, restartMs, ...fields });
    quarantine(worker);
    current = undefined;
    if (restartMs > 0) startLater(restartMs, lane);
    else startWorker(lane);
    worker.thread.terminate();
  }

  // Nothing more is read of its lane. Its thread may sleep, or sit in native code, for ever: nobody waits for its end.
  function replaceBroken(worker: Running, what: string): void {
    quarantine(worker);
    const reason = `worker broke the rules of shared memory: ${what}`;
    worker.cause ??= new Error(reason);
    worker.thread.terminate();
    if (firstStart !== undefined) return; // which fails once it has ended
    const fields = { shard: index, lane: worker.lane };
    if (worker !== current) {
      log.error(`${reason}; its successor is live already`, fields);
      return;
    }
    current = undefined;
    const restartMs = countDeath(worker);
    log.error(`${reason}; it is replaced`, { ...fields, restartMs });
    startLater(restartMs);
  }

  return {
    start() {
      return new Promise((resolve, reject) => {
        firstStart = { resolve, reject };
        startWorker();
      });
    },
    check() {
      if (isStopping) return;
      const { brokenLanes, awayMs, started, queued } = addon.status(shard);
      for (const worker of [...running]) {
        const what = brokenLanes[worker.lane];
        if (what !== undefined && !worker.isQuarantined) replaceBroken(worker, what);
      }
      if (current === undefined) return;
      if (current.liveAt === undefined) {
        warnOfSlowLoad(current);
        if (now() - current.startedAt > START_MS) {
          current.cause ??= new Error(
            `${current.loading?.handler ?? "the handlers"} was not loaded within ${START_MS / 1000} s; does it await something at its top?`,
          );
          current.thread.terminate();
        }
        return;
      }
      if (crashLoop && lived(current, awayMs) >= HEALTHY_MS) {
        log.info("a worker of this shard has lived for long enough: no crash loop any more", {
          shard: index,
        });
        sayCrashLoop(false);
      }
      if (awayMs <= spinMs || started + queued === 0) return;
      replaceStuck(current, awayMs, { awayMs, started, queued });
    },
    get crashLoop() {
      return crashLoop;
    },
    stop() {
      isStopping = true;
      cancelStart();
      return new Promise((resolve) => {
        whenAllEnded = resolve;
        if (running.size === 0) resolve();
        for (const worker of running) {
          // Its clients are told at once what is not coming: the thread may sit in native code.
          quarantine(worker);
          worker.thread.terminate();
        }
      });
    },
  };
}

function whyEnded(cause: unknown, exitCode: number): string {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return "its heap was full; raise limits.heap, or look for what the handlers keep";
  }
  if (cause !== undefined) return "an error that nobody caught";
  return `exit code ${exitCode}; did a handler call process.exit()?`;
}

function causeFields(cause: unknown): Fields {
  return cause === undefined ? {} : errorFields(cause);
}

function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}

function runLater(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}
