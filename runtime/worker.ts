// The entry of a worker thread: attaches to its lane, loads the handlers, goes live.
import { parentPort, workerData } from "node:worker_threads";
import { loadAddon } from "./addon-loader.js";
import { describe } from "./describe.js";
import { Dispatcher } from "./dispatcher.js";
import { correctEventLoopUtilization } from "./event-loop-utilization.js";
import { ExportError, type HandlerTable, handlersOf, methodsOf } from "./handler.js";
import type { HandlerSource, WorkerData, WorkerMessage } from "./messages.js";
import { parameterNames } from "./parameters.js";

function post(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

async function load(source: HandlerSource, directory: string): Promise<HandlerTable | null> {
  post({ type: "loading", handler: source.name });
  try {
    const module = (await import(source.url)) as Record<string, unknown>;
    return await handlersOf(module, source.name, source.options, { directory });
  } catch (error) {
    const message =
      error instanceof ExportError ? error.message : `${source.name}: ${describe(error)}`;
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
  const handlers: HandlerTable[] = [];
  for (const source of data.handlers) {
    const table = await load(source, data.directory);
    if (table === null) process.exit(1);
    handlers.push(table);
  }
  dispatcher = new Dispatcher({
    memory: region,
    laneOffset,
    handlers,
    context: {
      routes: data.routes.map((pattern) => ({ pattern, parameters: parameterNames(pattern) })),
      remoteAddress: (slot, generation) => addon.remoteAddress(data.shard, slot, generation),
    },
    ringStandIn: () => {
      addon.ringStandIn(data.shard);
    },
    log: (entry) => {
      post({ type: "log", ...entry });
    },
  });
  addon.live(data.shard, data.lane, handlers.map(methodsOf));
  post({ type: "ready" });
}

await start(workerData as WorkerData);
