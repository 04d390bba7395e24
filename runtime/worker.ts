// The entry of a worker thread: attaches to its lane, loads the handlers, goes live.
import { parentPort, workerData } from "node:worker_threads";
import { loadAddon } from "./addon-loader.js";
import { describe } from "./describe.js";
import { Dispatcher } from "./dispatcher.js";
import { correctEventLoopUtilization } from "./event-loop-utilization.js";
import { ExportError, type HandlerTable, handlersOf, methodsOf } from "./handler.js";
import { LogGate } from "./log-gate.js";
import type { HandlerSource, WorkerData, WorkerMessage } from "./messages.js";
import { parameterNames } from "./parameters.js";
import { writeHint } from "./write-hint.js";

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

type Hint = (error: unknown) => string;

async function load(
  source: HandlerSource,
  directory: string,
  hint: Hint,
): Promise<HandlerTable | null> {
  post({ type: "loading", handler: source.name });
  try {
    const module = (await import(source.url)) as Record<string, unknown>;
    return await handlersOf(module, source.name, source.options, { directory });
  } catch (error) {
    const message =
      error instanceof ExportError
        ? error.message
        : `${source.name}: ${describe(error)}${hint(error)}`;
    post({ type: "startFailed", handler: source.name, message });
    return null;
  }
}

async function start(data: WorkerData): Promise<void> {
  process.setSourceMapsEnabled(true);
  const addon = loadAddon();
  // First: this pins the thread, and what the handlers allocate while they load lies near its core.
  let dispatcher: Dispatcher | undefined = undefined;
  const { region, laneOffset, unseenSleepMs } = addon.enter(data.shard, data.lane, () => {
    dispatcher?.dispatch();
  });
  correctEventLoopUtilization(unseenSleepMs);
  const hint: Hint = (error) => writeHint(error, data.writing);
  // What nobody catches ends this worker, and is logged by the main thread, which gets the error as a copy.
  process.on("uncaughtExceptionMonitor", (error) => {
    const line = hint(error);
    if (line !== "") error.stack = `${error.stack ?? error.message}${line}`;
  });
  const handlers: HandlerTable[] = [];
  for (const source of data.handlers) {
    const table = await load(source, data.directory, hint);
    if (table === null) process.exit(1);
    handlers.push(table);
  }
  const gate = new LogGate(data.linesTaken, post);
  dispatcher = new Dispatcher({
    memory: region,
    laneOffset,
    handlers,
    context: {
      routes: data.routes.map((pattern) => ({ pattern, parameters: parameterNames(pattern) })),
      remoteAddress: (slot, generation) => addon.remoteAddress(data.shard, slot, generation),
    },
    calls: {
      ringStandIn: () => {
        addon.ringStandIn(data.shard);
      },
      sendNow: (slot, generation, bytes, start, end) =>
        addon.sendNow(data.shard, data.lane, slot, generation, bytes, start, end),
    },
    hint,
    log: (entry) => {
      gate.write(entry);
    },
    abandonedMost: data.abandonedMost,
  });
  addon.live(data.shard, data.lane, handlers.map(methodsOf));
  post({ type: "ready" });
}

await start(workerData as WorkerData);
