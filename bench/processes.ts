// The server's processes: started on one core, looked at through /proc, ended by their ids.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const START_MS = 30_000;
const END_MS = 8_000;

export interface Command {
  command: string;
  args: readonly string[];
  env?: Record<string, string>;
  cwd?: string;
}

export interface Running {
  readonly port: number;
  /** The server's process and its children. */
  processes(): number[];
  stop(): Promise<void>;
}

/** Servers that run: none outlives the benchmark, however it ends. */
const children = new Set<ChildProcess>();
process.once("exit", () => children.forEach((child) => child.kill("SIGTERM")));

/** A port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was assigned");
  return address.port;
}

/** Starts a server on one core; resolves when it accepts connections on the port. */
export async function startServer(
  { command, args, env, cwd }: Command,
  port: number,
  core: number,
): Promise<Running> {
  const child = spawn("taskset", ["-c", String(core), command, ...args], {
    cwd,
    env: { ...process.env, NODE_ENV: "production", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  let output = "";
  const hear = (chunk: Buffer) => {
    if (output.length < 8192) output += chunk.toString();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  child.on("error", (error) => (output += error.message));
  const stop = () => stopServer(child);
  const deadline = Date.now() + START_MS;
  while (!(await accepts(port))) {
    const ended = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
    if (ended || Date.now() > deadline) {
      await stop();
      throw new Error(`it ${ended ? "ended" : "does not serve"}: ${output.trim().slice(-2000)}`);
    }
    await sleep(20);
  }
  const pid = child.pid ?? 0;
  return { port, processes: () => [pid, ...descendants(pid)], stop };
}

async function stopServer(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await exited;
  clearTimeout(timer);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function descendants(pid: number): number[] {
  const children: number[] = [];
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
    if (text !== "") children.push(...text.split(" ").map(Number));
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

export interface Memory {
  /** Bytes that the processes have made for themselves: anonymous and shared memory, no files. */
  user: number;
  /** Resident bytes, files included. */
  resident: number;
}

/** Sums of /proc/PID/smaps_rollup; memory that several processes share is divided among them. */
export function readMemory(processes: readonly number[]): Memory {
  const memory = { user: 0, resident: 0 };
  for (const pid of processes) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    memory.user += kibibytes(rollup, "Pss_Anon") + kibibytes(rollup, "Pss_Shmem");
    memory.resident += kibibytes(rollup, "Rss");
  }
  return { user: memory.user * 1024, resident: memory.resident * 1024 };
}

function kibibytes(rollup: string, name: string): number {
  const value = new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1];
  if (value === undefined) throw new Error(`smaps_rollup has no ${name}`);
  return Number(value);
}
