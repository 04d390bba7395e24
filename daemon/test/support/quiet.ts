// While nothing happens, nothing is done.
import type { ExecutionContext } from "ava";
import { cpuMs, type Daemon } from "./daemon.js";

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// Of a second. What spins uses all that it gets, second after second; a collection, or a machine that is busy, does not.
const QUIET_MS = 20;

/** Fails the test unless the daemon is quiet for a second before long. */
export async function isQuiet(t: ExecutionContext, daemon: Daemon, what: string): Promise<void> {
  const seen: number[] = [];
  while (seen.length < 8) {
    const before = await cpuMs(daemon.pid);
    await sleep(1000);
    seen.push((await cpuMs(daemon.pid)) - before);
    if ((seen.at(-1) ?? 0) <= QUIET_MS) {
      t.pass();
      return;
    }
  }
  t.fail(`${what}: ${seen.join(", ")} ms of CPU in seconds one after the other`);
}
