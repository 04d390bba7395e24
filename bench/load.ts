// Runs the load client, on a core of its own.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Answer } from "./exchange.js";
import type { Histogram } from "./histogram.js";

const run = promisify(execFile);

/** One request, one expected answer, as files for the client. */
export interface Script {
  port: number;
  args: readonly string[];
}

export interface Volume {
  connections: number;
  depth?: number;
  idle?: number;
  rate?: number;
  seconds: number;
  warm?: number;
}

/** What one run has counted. */
export interface Count {
  answers: number;
  seconds: number;
  serverCpuNs: number;
  clientCpuNs: number;
  /** Of all programs on the machine, server and client included. */
  machineCpuNs: number;
  histogram: Histogram;
}

export class Client {
  readonly #program: string;
  readonly #core: number;

  constructor(program: string, core: number) {
    this.#program = program;
    this.#core = core;
  }

  #arguments(script: Script, volume: Omit<Volume, "seconds">): string[] {
    const { connections, depth = 1, idle = 0, rate = 0, warm = 0 } = volume;
    return [
      ...["-c", String(this.#core), this.#program, ...script.args, "--port", String(script.port)],
      ...["--connections", String(connections), "--depth", String(depth), "--idle", String(idle)],
      ...["--rate", String(rate), "--warm", String(warm)],
    ];
  }

  async measure(script: Script, volume: Volume, processes: readonly number[]): Promise<Count> {
    const args = this.#arguments(script, volume);
    args.push("--seconds", String(volume.seconds), "--pids", processes.join(","));
    const timeout = 1000 * (volume.seconds + (volume.warm ?? 0) + 60);
    const { stdout } = await run("taskset", args, { timeout, maxBuffer: 1 << 24 }).catch(explain);
    return JSON.parse(stdout) as Count;
  }

  /** Opens connections, each with one answered request, and keeps them until they are released. */
  async hold(script: Script, idle: number): Promise<{ release(): Promise<void> }> {
    const args = [...this.#arguments(script, { connections: 0, idle }), "--hold"];
    const child: ChildProcess = spawn("taskset", args, { stdio: ["pipe", "pipe", "inherit"] });
    const exited = once(child, "exit");
    const held = await Promise.race([
      once(child.stdout ?? child, "data").then(() => true),
      exited.then(() => false),
    ]);
    if (!held) throw new Error(`the client could not open ${idle} connections`);
    return {
      release: async () => {
        child.stdin?.end();
        await exited;
      },
    };
  }
}

function explain(error: Error & { stderr?: string }): never {
  throw new Error((error.stderr ?? "").trim() || error.message);
}

/** Writes request and answer beside each other. */
export function writeScript(
  folder: string,
  name: string,
  port: number,
  request: Buffer,
  answer: Answer,
): Script {
  const files = {
    request: join(folder, `${name}.request`),
    answer: join(folder, `${name}.answer`),
  };
  writeFileSync(files.request, request);
  writeFileSync(files.answer, answer.raw);
  const args = ["--request", files.request, "--answer", files.answer];
  if (answer.date !== undefined) args.push("--mask", `${answer.date.offset}:${answer.date.length}`);
  return { port, args };
}
