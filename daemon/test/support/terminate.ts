// What no configuration can bring about: worker.terminate() at any moment. A preload remembers the daemon's workers and
// ends the newest one at a signal.
import type { Daemon } from "./daemon.js";

const PRELOAD = `
import worker_threads from "node:worker_threads";
import { syncBuiltinESMExports } from "node:module";
if (worker_threads.isMainThread) {
  let newest;
  worker_threads.Worker = class extends worker_threads.Worker {
    constructor(...options) { super(...options); newest = this; }
  };
  syncBuiltinESMExports();
  process.on("SIGWINCH", () => void newest.terminate());
}`;

/** For DaemonOptions.env: terminate() works. */
export const TERMINATES = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(PRELOAD)}`,
};

/** Ends the newest worker. */
export function terminate(daemon: Daemon): void {
  daemon.signal("SIGWINCH");
}
