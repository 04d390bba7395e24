// Resident memory of a server: its process and those that it has started.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";

/** The process and its descendants; at most 64. */
export function processTree(pid: number): number[] {
  const pids = [pid];
  for (let i = 0; i < pids.length && pids.length < 64; i++) {
    try {
      for (const task of readdirSync(`/proc/${pids[i]}/task`)) {
        const children = readFileSync(`/proc/${pids[i]}/task/${task}/children`, "utf8");
        pids.push(...children.split(" ").filter(Boolean).map(Number));
      }
    } catch {
      // It has ended meanwhile.
    }
  }
  return pids;
}

function statusBytes(pid: number, key: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Bytes, all processes together. */
export function residentBytes(pid: number): number {
  return processTree(pid).reduce((sum, each) => sum + statusBytes(each, "VmRSS"), 0);
}

/** Since resetPeak: the sum of the peaks, so never less than what was. */
export function peakBytes(pid: number): number {
  return processTree(pid).reduce((sum, each) => sum + statusBytes(each, "VmHWM"), 0);
}

/** VmHWM starts anew (proc_pid_clear_refs(5)). */
export function resetPeak(pid: number): void {
  for (const each of processTree(pid)) {
    try {
      writeFileSync(`/proc/${each}/clear_refs`, "5");
    } catch {
      // Not ours: the peak then counts from its start.
    }
  }
}

/** Bytes that the kernel holds for all TCP sockets of this network namespace. */
export function kernelTcpBytes(): number {
  const line = /^TCP: .*\bmem (\d+)/m.exec(readFileSync("/proc/net/sockstat", "utf8"));
  return Number(line?.[1] ?? 0) * 4096;
}

/** Where the kernel begins to take memory from all sockets alike (tcp_mem in tcp(7)), bytes. */
export function tcpPressureBytes(): number {
  const [, pressure] = readFileSync("/proc/sys/net/ipv4/tcp_mem", "utf8").split(/\s+/);
  return Number(pressure) * 4096;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
