// Where and when it was measured.
import { readFileSync, existsSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { execFileSync } from "node:child_process";

export interface Machine {
  date: string;
  processor: string;
  cores: number;
  memoryMiB: number;
  kernel: string;
  /** What each core may be: the client's first. */
  clientCore: number;
  serverCore: number;
  /** The two are hyper-threads of one core. */
  siblings: boolean;
  privileged: boolean;
}

/** The cores that this process may use, from taskset's list: "0-3,6". */
export function parseCores(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [from = NaN, to = from] = part.trim().split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
}

export function describeMachine(): Machine {
  const list = execFileSync("taskset", ["-pc", String(process.pid)], { encoding: "utf8" });
  const cores = parseCores(list.split(":").at(-1) ?? "");
  const clientCore = cores[0];
  const serverCore = cores.at(-1);
  if (clientCore === undefined || serverCore === undefined || clientCore === serverCore) {
    throw new Error(
      `two cores are needed, one for the server and one for the client; this has ${list}`,
    );
  }
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    clientCore,
    serverCore,
    siblings: areSiblings(clientCore, serverCore),
    privileged: mayRaisePriority(),
  };
}

function areSiblings(one: number, other: number): boolean {
  const file = `/sys/devices/system/cpu/cpu${one}/topology/thread_siblings_list`;
  return existsSync(file) && parseCores(readFileSync(file, "utf8")).includes(other);
}

/** CAP_SYS_NICE is bit 23 of the effective capabilities (capabilities(7)). */
function mayRaisePriority(): boolean {
  const status = readFileSync("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return ((effective >> 23n) & 1n) === 1n;
}
