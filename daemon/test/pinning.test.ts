// All of a shard runs on its core: the worker and the stand-in; and only on cores that the process may use.
import { readdirSync, readFileSync } from "node:fs";
import test from "ava";
import { findCores } from "../supervisor/cores.js";
import { startDaemon } from "./support/daemon.js";
import { fetchRaw } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
// The handler's thread says who it is: /proc/thread-self is the one that reads it.
const FILES = {
  "thread.ts": `import { readlinkSync } from "node:fs";
    export default () => readlinkSync("/proc/thread-self").split("/").pop();`,
};
const CONFIG = `routes: [{ path: /thread, handler: ./thread.ts }]\n`;

interface Thread {
  name: string;
  cores: string;
}

function threads(pid: number): Map<string, Thread> {
  const found = new Map<string, Thread>();
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${id}/status`, "utf8");
    found.set(id, {
      name: /^Name:\t(.*)$/m.exec(text)?.[1] ?? "",
      cores: /^Cpus_allowed_list:\t(.*)$/m.exec(text)?.[1] ?? "",
    });
  }
  return found;
}

/** The cores of the workers that answer, and of the stand-ins, each sorted. */
async function pinned(
  pid: number,
  port: number,
  shards: number,
): Promise<{ workers: string[]; standIns: string[] }> {
  const ids = new Set<string>();
  // The kernel spreads connections by hash: 400 on one shard alone do not happen.
  for (let i = 0; i < 400 && ids.size < shards; i++)
    ids.add((await fetchRaw(port, get("/thread"))).body);
  const all = threads(pid);
  return {
    workers: [...ids].map((id) => all.get(id)?.cores ?? `no thread ${id}`).sort(),
    standIns: [...all.values()]
      .filter(({ name }) => name === "pinion-standin")
      .map(({ cores }) => cores)
      .sort(),
  };
}

const { allowed, quota } = findCores();
const isPinned = quota === undefined || Math.ceil(quota) >= allowed.length;

test("each shard's worker and stand-in are pinned to its core, one shard for each core", async (t) => {
  const daemon = await startDaemon(t, { config: `shards: auto\n${CONFIG}`, files: FILES });
  if (!isPinned) {
    t.log(`the cgroup grants ${quota} of ${allowed.length} cores: no shard is pinned`);
    t.regex(daemon.output(), /shards are not pinned/);
    return;
  }
  const each = allowed.map(String).sort();
  const { workers, standIns } = await pinned(daemon.pid, daemon.port, allowed.length);
  t.deepEqual(workers, each);
  t.deepEqual(standIns, each);
  // The main thread goes wherever there is room.
  t.is(
    threads(daemon.pid).get(String(daemon.pid))?.cores,
    threads(process.pid).get(String(process.pid))?.cores,
  );
});

test("affinity limits the shards", async (t) => {
  const core = String(allowed.at(-1));
  const daemon = await startDaemon(t, {
    config: `shards: auto\n${CONFIG}`,
    files: FILES,
    wrapper: ["taskset", "-c", core],
  });
  await daemon.said(/shards: 1\b/);
  const { workers, standIns } = await pinned(daemon.pid, daemon.port, 1);
  t.deepEqual(workers, [core]);
  t.deepEqual(standIns, [core]);
});
