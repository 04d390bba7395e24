// Which logical cores the process may use: affinity, and the CPU quota of its cgroup (v1 and v2).
import { readFileSync } from "node:fs";
import { posix } from "node:path";

export interface Cores {
  /** Numbers of the logical cores that affinity allows, ascending. */
  allowed: number[];
  /** Cores' worth of time that the cgroup grants, e.g. 1.5; undefined: no limit. */
  quota: number | undefined;
}

/** The text of a file, or undefined if it cannot be read. */
export type ReadText = (path: string) => string | undefined;

export function findCores(read: ReadText = readText): Cores {
  const status = read("/proc/self/status") ?? "";
  const possible = parseCoreList(/^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1] ?? "0");
  // A task may be allowed on cores that are switched off, or that a virtual machine could get some day.
  const online = new Set(parseCoreList(read("/sys/devices/system/cpu/online") ?? ""));
  const allowed = possible.filter((core) => online.has(core));
  return { allowed: allowed.length > 0 ? allowed : possible, quota: findQuota(read) };
}

/** `0-2,5` → [0, 1, 2, 5]. */
export function parseCoreList(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const match = /^\s*([0-9]+)(?:-([0-9]+))?\s*$/.exec(part);
    if (match === null) return [];
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
  });
}

export interface ShardPlan {
  /** For each shard the core that it is pinned to; -1: not pinned. */
  cpus: number[];
  reason: string;
}

/**
 * Places the shards. They are pinned where the process has its cores to itself as far as it can know; where a quota
 * grants less than all cores, its neighbours in other containers would pin to the same first ones, so none is pinned.
 * `seed` spreads daemons with fewer shards than cores over the cores.
 */
export function planShards(
  shards: number | "auto",
  { allowed, quota }: Cores,
  seed: number,
): ShardPlan {
  const cores = Math.max(1, allowed.length);
  const granted = quota === undefined ? cores : Math.min(cores, Math.max(1, Math.ceil(quota)));
  const count = shards === "auto" ? granted : shards;
  if (granted < cores) {
    const reason = `the cgroup grants ${quota} of ${cores} cores, so shards are not pinned`;
    return { cpus: Array.from({ length: count }, () => -1), reason };
  }
  const first = count < cores ? seed % cores : 0;
  const cpus = Array.from({ length: count }, (_, index) => allowed[(first + index) % cores] ?? -1);
  const reason =
    shards === "auto"
      ? `one for each core that affinity allows (${allowed.join(", ")})`
      : "shards in the configuration";
  return { cpus, reason };
}

function findQuota(read: ReadText): number | undefined {
  const groups = (read("/proc/self/cgroup") ?? "").split("\n").map((line) => line.split(":"));
  const unified = groups
    .find(([id, controllers]) => id === "0" && controllers === "")
    ?.slice(2)
    .join(":");
  const legacy = groups
    .find(([, controllers]) => controllers?.split(",").includes("cpu"))
    ?.slice(2)
    .join(":");
  const quotas = [
    ...(unified === undefined
      ? []
      : ancestors(unified).map((path) => quotaV2(read(`/sys/fs/cgroup${path}/cpu.max`)))),
    ...(legacy === undefined ? [] : ancestors(legacy).flatMap((path) => quotasV1(read, path))),
  ].filter((quota) => quota !== undefined);
  return quotas.length === 0 ? undefined : Math.min(...quotas);
}

// A limit of any group above holds too. In a container the path of the file system may begin below the one named.
export function ancestors(path: string): string[] {
  const found = [""];
  for (let at = posix.normalize(path); at !== "/" && at !== "."; at = posix.dirname(at))
    found.push(at);
  return found;
}

function quotaV2(text: string | undefined): number | undefined {
  const [quota, period] = (text ?? "").trim().split(/\s+/).map(Number);
  return share(quota, period);
}

function quotasV1(read: ReadText, path: string): (number | undefined)[] {
  return ["cpu", "cpu,cpuacct"].map((mount) => {
    const folder = `/sys/fs/cgroup/${mount}${path}`;
    return share(
      Number(read(`${folder}/cpu.cfs_quota_us`)),
      Number(read(`${folder}/cpu.cfs_period_us`)),
    );
  });
}

// v2 says "max", v1 says -1 where there is no limit.
function share(quota: number | undefined, period: number | undefined): number | undefined {
  if (quota === undefined || period === undefined) return undefined;
  return quota > 0 && period > 0 ? quota / period : undefined;
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
