// The memory limit of the process's cgroup (v1 and v2), and whether a configuration fits into it.
import { SLOT_BYTES } from "../../runtime/layout.generated.js";
import { formatSize } from "../config/units.js";
import { ancestors, readText, type ReadText } from "./cores.js";

const MIB = 1024 * 1024;
// v1 says "no limit" as the largest multiple of a page: 2^63 - 4096, or with larger pages a little less.
const NO_LIMIT = 2 ** 60;
// Resident before anybody asks for anything, with an arena that is untouched: Node itself, and what a worker adds.
const PROCESS_BYTES = 32 * MIB;
const WORKER_BYTES = 8 * MIB;
// Of an upload that its handler has not read: UNREAD_MAX of runtime/body-reader.ts.
const UNREAD_BYTES = 64 * 1024;

export interface MemoryLimit {
  bytes: number;
  /** The file that says so. */
  path: string;
}

/** The tightest limit on the way up; undefined: none. */
export function findMemoryLimit(read: ReadText = readText): MemoryLimit | undefined {
  const paths = (read("/proc/self/cgroup") ?? "").split("\n").flatMap((line) => {
    const [id, controllers = "", ...rest] = line.split(":");
    const group = rest.join(":");
    if (id === "0" && controllers === "")
      return ancestors(group).map((path) => `/sys/fs/cgroup${path}/memory.max`);
    if (controllers.split(",").includes("memory"))
      return ancestors(group).map((path) => `/sys/fs/cgroup/memory${path}/memory.limit_in_bytes`);
    return [];
  });
  return paths
    .map((path) => ({ path, bytes: Number((read(path) ?? "").trim() || NaN) })) // v2 says "max"
    .filter(({ bytes }) => bytes > 0 && bytes < NO_LIMIT)
    .reduce<MemoryLimit | undefined>(
      (least, each) => (least === undefined || each.bytes < least.bytes ? each : least),
      undefined,
    );
}

export interface MemoryLimits {
  arena: number;
  slots: number;
  youngHeap: number;
  abandoned: number;
  /** Undefined: V8 decides, and what the handlers keep cannot be known. */
  heap?: number | undefined;
}

/** What the server may come to hold while it keeps within its own bounds, without what handlers keep outside of a heap. */
export function memoryNeeded(shards: number, limits: MemoryLimits): number {
  const { arena, slots, youngHeap, abandoned, heap = 0 } = limits;
  const unread = (slots / 2) * UNREAD_BYTES; // half of the slots are for uploads
  const each = WORKER_BYTES + arena + slots * SLOT_BYTES + unread + youngHeap + abandoned + heap;
  return PROCESS_BYTES + shards * each;
}

/** Why it does not fit, and what to do; undefined: it does, or there is no limit. */
export function memoryWarning(
  shards: number,
  limits: MemoryLimits,
  limit: MemoryLimit | undefined,
): { what: string; remedy: string } | undefined {
  const needed = memoryNeeded(shards, limits);
  if (limit === undefined || needed <= limit.bytes) return undefined;
  const heap = limits.heap === undefined ? "" : ` and a heap of ${formatSize(limits.heap)}`;
  const each = `an arena of ${formatSize(limits.arena)}, a young generation of ${formatSize(limits.youngHeap)}, ${formatSize(limits.abandoned)} of limits.abandoned${heap}`;
  const wanted = formatSize(Math.ceil(needed / MIB) * MIB);
  return {
    what: `${shards} ${shards === 1 ? "shard" : "shards"} with ${each} may take ${wanted}, but the cgroup allows ${formatSize(limit.bytes)} (${limit.path}): the kernel would kill the server under load`,
    remedy: `lower limits.arena, limits.heap or shards, or allow ${wanted} (MemoryMax= of the unit, --memory of the container)`,
  };
}
