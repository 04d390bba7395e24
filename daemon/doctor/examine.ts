// `pinion doctor`: what this machine offers, what is in the way, what to do about it.
import { readFileSync } from "node:fs";
import { release, totalmem } from "node:os";
import type { Addon } from "../../runtime/addon.js";
import { formatSize } from "../config/units.js";
import { findCores, planShards } from "../supervisor/cores.js";
import {
  FEWEST_CONNECTIONS_OF_SHARD,
  mostConnections,
  openFilesLimit,
} from "../supervisor/descriptors.js";
import { findMemoryLimit, memoryWarning, type MemoryLimit } from "../supervisor/memory-limit.js";
import { examineUser, examineWriting, writesAnywhere } from "./examine-writing.js";

export interface Finding {
  name: string;
  /** bad: Pinion does not work, or not as it should; note: worth knowing. */
  state: "good" | "note" | "bad";
  value: string;
  /** What to do. */
  advice?: string;
}

const OLDEST_NODE = [20, 19] as const;
const OLDEST_URING_KERNEL = [6, 1] as const;
const DEFAULT_CONNECTIONS = 10_000;
const MIB = 1024 ** 2;
const DEFAULT_MEMORY = { arena: 16 * MIB, slots: 1024, youngHeap: 12 * MIB, abandoned: 16 * MIB };

/** `file`: a configuration; left out: the one in this folder, if there is one. */
export async function examine(file?: string): Promise<Finding[]> {
  return [
    examineNode(process.versions.node),
    examineKernel(release()),
    ...(await examineAddon(file)),
    examineUser(process.getuid?.()),
    ...examineCores(),
    examineOpenFiles(),
    examineMemory(findMemoryLimit(), totalmem(), planShards("auto", findCores(), 0).cpus.length),
    ...examineEnvironment(process.env),
    examineHugePages(),
    examineBacklog(),
  ];
}

export function examineNode(version: string): Finding {
  const finding = { name: "node", value: version };
  if (isAtLeast(version, OLDEST_NODE)) return { ...finding, state: "good" };
  return {
    ...finding,
    state: "bad",
    advice: `Pinion needs Node ${OLDEST_NODE.join(".")} or newer: install a current one`,
  };
}

export function examineKernel(version: string): Finding {
  const finding = { name: "kernel", value: version };
  if (isAtLeast(version, OLDEST_URING_KERNEL)) return { ...finding, state: "good" };
  return {
    ...finding,
    state: "note",
    advice: `io_uring has all that is needed from ${OLDEST_URING_KERNEL.join(".")} on; the line "io" says what is used here`,
  };
}

async function examineAddon(file: string | undefined): Promise<Finding[]> {
  let addon: Addon;
  try {
    const { loadAddon } = await import("../../runtime/addon-loader.js");
    addon = loadAddon();
  } catch (error) {
    return [
      { name: "native addon", state: "bad", value: "not loaded", advice: (error as Error).message },
    ];
  }
  const { uring, why, features } = addon.probe();
  const io: Finding = uring
    ? { name: "io", state: "good", value: `io_uring (${why})` }
    : {
        name: "io",
        state: "note",
        value: `epoll (${why})`,
        advice: "it works, with more system calls for each request",
      };
  return [
    { name: "native addon", state: "good", value: "loaded" },
    io,
    ...features.map(({ name, active, detail }): Finding => ({
      name: `  ${name}`,
      state: active ? "good" : "note",
      value: `${active ? "active" : "not active"}: ${detail}`,
    })),
    examinePriority(addon.mayRaisePriority()),
    examineWriting(addon.tryWriteRestriction(), await writesAnywhere(addon, file)),
  ];
}

/** While JavaScript holds the core, a stand-in in real time is scheduled at once, for a quarter of the time at most. */
export function examinePriority(mayRaise: boolean): Finding {
  const name = "stand-in";
  if (mayRaise)
    return { name, state: "good", value: "may raise its priority while JavaScript is busy" };
  return {
    name,
    state: "note",
    value:
      "may not raise its priority: it shares the core with busy JavaScript as the scheduler likes",
    advice:
      "for quicker native answers beside busy handlers: LimitRTPRIO=1 in the systemd unit, --ulimit rtprio=1 for a container, or `setcap cap_sys_nice+ep` on the node that serves (not with NoNewPrivileges=)",
  };
}

function examineCores(): Finding[] {
  const cores = findCores();
  const plan = planShards("auto", cores, 0);
  const quota = cores.quota === undefined ? "no quota" : `the cgroup grants ${cores.quota}`;
  return [
    {
      name: "cores",
      state: "good",
      value: `${cores.allowed.length} by affinity (${cores.allowed.join(", ")}), ${quota}: ${plan.cpus.length} shards`,
    },
  ];
}

function examineOpenFiles(): Finding {
  const limit = openFilesLimit();
  const name = "open files";
  if (limit === undefined) return { name, state: "note", value: "the limit cannot be read" };
  const shards = planShards("auto", findCores(), 0).cpus.length;
  const room = mostConnections(limit, shards);
  const value =
    limit === Number.MAX_SAFE_INTEGER ? "no limit" : `${limit}: room for ${room} connections`;
  if (room >= DEFAULT_CONNECTIONS) return { name, state: "good", value };
  return {
    name,
    state: room < shards * FEWEST_CONNECTIONS_OF_SHARD ? "bad" : "note",
    value,
    advice: `limits.connections is ${DEFAULT_CONNECTIONS} by default: raise LimitNOFILE= of the unit, or \`ulimit -Hn\``,
  };
}

/** Of a configuration that leaves its limits out; `serve` looks at the one that it has. */
export function examineMemory(
  limit: MemoryLimit | undefined,
  machineBytes: number,
  shards: number,
): Finding {
  const limited = limit !== undefined && limit.bytes < machineBytes;
  const bytes = Math.floor((limited ? limit.bytes : machineBytes) / MIB) * MIB;
  const source = limited ? "the cgroup's limit" : "of the machine";
  const finding = {
    name: "memory",
    value: `${formatSize(bytes)} ${source}; locked memory: ${lockedMemory()}`,
  };
  const tooLarge = memoryWarning(shards, DEFAULT_MEMORY, limited ? limit : undefined);
  if (tooLarge === undefined) return { ...finding, state: "good" };
  return { ...finding, state: "note", advice: `by default ${tooLarge.what}; ${tooLarge.remedy}` };
}

function lockedMemory(): string {
  const soft = /^Max locked memory\s+(\S+)/m.exec(read("/proc/self/limits"))?.[1] ?? "unknown";
  return /^[0-9]+$/.test(soft) ? formatSize(Number(soft)) : soft;
}

export function examineEnvironment(environment: NodeJS.ProcessEnv): Finding[] {
  const setting = environment["UV_USE_IO_URING"];
  if (setting === undefined || setting === "0") return [];
  return [
    {
      name: "UV_USE_IO_URING",
      state: "bad",
      value: setting,
      advice: "libuv's own polling thread eats a core with it: remove it from the environment",
    },
  ];
}

function examineHugePages(): Finding {
  const name = "huge pages";
  const chosen = /\[(\w+)\]/.exec(read("/sys/kernel/mm/transparent_hugepage/enabled"))?.[1];
  if (chosen === undefined) return { name, state: "good", value: "not offered" };
  if (chosen !== "always") return { name, state: "good", value: chosen };
  return {
    name,
    state: "note",
    value: chosen,
    advice:
      "the kernel may back a sparse heap with whole 2 MiB pages; on a small machine `madvise` keeps resident memory lower",
  };
}

function examineBacklog(): Finding {
  const name = "accept queue";
  const longest = Number(read("/proc/sys/net/core/somaxconn"));
  const value = `net.core.somaxconn ${longest}`;
  if (longest >= 1024) return { name, state: "good", value };
  return {
    name,
    state: "note",
    value,
    advice: "a burst of connections may be refused: sysctl -w net.core.somaxconn=4096",
  };
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [haveMajor = 0, haveMinor = 0] = version
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  return haveMajor > major || (haveMajor === major && haveMinor >= minor);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
