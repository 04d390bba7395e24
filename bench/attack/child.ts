// Child processes of the tool: pinned, bounded in time, ended by their process id.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";

export interface Helper {
  readonly child: ChildProcess;
  send(message: object): void;
  /** The first message with this `kind`, also one that has come already; undefined: it ended without. */
  message<T>(kind: string): Promise<T | undefined>;
  exited: Promise<void>;
  kill(): void;
}

export const canPin = spawnSync("taskset", ["--version"]).status === 0;

/** A command line that runs on these CPUs only (`0`, `1-3`); undefined: anywhere. */
export function pinned(cpus: string | undefined, words: string[]): [string, string[]] {
  const [command = "", ...rest] = words;
  return cpus === undefined || !canPin ? [command, rest] : ["taskset", ["-c", cpus, ...words]];
}

/**
 * Servers and good clients run before attackers and whatever else the machine does: what is measured is the server, not
 * who shares its CPU. Below zero needs a privilege; without it all stay at 0.
 */
export function prioritise(pid: number, nice: number): void {
  try {
    setPriority(pid, nice);
  } catch {
    // Not allowed: the client's own lateness is taken into account, a server's is not.
  }
}

const canGoLast = spawnSync("chrt", ["--idle", "0", "true"]).status === 0;

/**
 * Runs one of this folder's programs with a message channel; killed after `mostSeconds` whatever it does. `last`: it gives
 * way at once to whatever else wants its CPU (SCHED_IDLE), the good clients and the kernel's own thread for packets
 * among them, instead of at its next tick.
 */
export function startHelper(
  file: string,
  options: object,
  cpus: string | undefined,
  mostSeconds: number,
  { last = false } = {},
): Helper {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const words = [process.execPath, path, JSON.stringify(options)];
  if (last && canGoLast) words.unshift("chrt", "--idle", "0");
  const [command, args] = pinned(cpus, words);
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const kept = new Map<string, unknown>();
  const waiting = new Map<string, (message: unknown) => void>();
  child.on("message", (message) => {
    const { kind } = message as { kind: string };
    kept.set(kind, message);
    waiting.get(kind)?.(message);
  });
  child.on("error", () => undefined);
  const timer = setTimeout(() => child.kill("SIGKILL"), mostSeconds * 1000);
  const exited = new Promise<void>((done) => {
    child.once("close", () => {
      clearTimeout(timer);
      done();
    });
  });
  return {
    child,
    send: (message) => {
      if (child.connected) child.send(message, () => undefined);
    },
    message: async <T>(kind: string) => {
      if (kept.has(kind)) return kept.get(kind) as T;
      const arrived = new Promise<unknown>((done) => waiting.set(kind, done));
      await Promise.race([arrived, exited]);
      return kept.get(kind) as T | undefined;
    },
    exited,
    kill: () => void child.kill("SIGKILL"),
  };
}

/** In such a program: what it was started with. */
export function helperOptions<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

export function report(kind: string, message: object = {}): void {
  process.send?.({ kind, ...message });
}
