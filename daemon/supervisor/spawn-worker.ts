// Starts the thread of a worker, and passes on what it says.
import { Worker } from "node:worker_threads";
import type { WorkerData, WorkerMessage } from "../../runtime/messages.js";
import type { Log } from "../log/log.js";
import type { WorkerEvents, WorkerThread } from "./worker-keeper.js";

const ENTRY = new URL("../../runtime/worker.js", import.meta.url);
const MIB = 1024 * 1024;

export function spawnWorker(
  data: Omit<WorkerData, "abandonedMost" | "linesTaken">,
  limits: { heap?: number | undefined; youngHeap: number; abandoned: number }, // bytes
  log: Log,
  events: WorkerEvents,
): WorkerThread {
  const linesTaken = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(ENTRY, {
    workerData: { ...data, abandonedMost: limits.abandoned, linesTaken } satisfies WorkerData,
    name: "pinion worker",
    resourceLimits: {
      maxYoungGenerationSizeMb: Math.floor(limits.youngHeap / MIB),
      ...(limits.heap === undefined
        ? {}
        : { maxOldGenerationSizeMb: Math.floor(limits.heap / MIB) }),
    },
  });
  worker.on("message", (message: WorkerMessage) => {
    switch (message.type) {
      case "ready":
        return events.ready();
      case "loading":
        return events.loading(message.handler);
      case "startFailed":
        return events.failed(new Error(message.message));
      case "leftOut":
        return log.warn(`${message.lines} lines of a worker were left out: there were too many`);
      case "log": {
        Atomics.add(linesTaken, 0, 1);
        const { type: _, level, message: text, ...fields } = message;
        return log.write(level === "warning" ? "warn" : level, text, fields);
      }
    }
  });
  worker.on("messageerror", (error) =>
    log.error("a worker's message cannot be read", { error: error.message }),
  );
  worker.on("error", (error) => events.failed(error));
  worker.on("exit", (exitCode) => events.ended(exitCode));
  return { terminate: () => void worker.terminate() };
}
