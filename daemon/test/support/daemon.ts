// Starts the real daemon for a whole-system test: its own folder, its own port, ended by its process id.
import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ExecutionContext } from "ava";
import { parse, stringify } from "yaml";
import { loadAddon } from "../../../runtime/addon-loader.js";
import { parseSize } from "../../config/units.js";

/** The package's root: this file runs from dist/daemon/test/support. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
const MAIN = join(ROOT, "dist/daemon/main.js");

export interface DaemonOptions {
  /** The configuration, without `listen` (127.0.0.1, a free port) and `io` (PINION_TEST_IO). */
  config: string;
  /** Further files, by path relative to the configuration. */
  files?: Record<string, string>;
  /** Set to leave `listen` to the configuration. */
  ownListen?: boolean;
  /** The configuration as it is, whatever the suite runs on. */
  exact?: boolean;
  args?: string[];
  env?: Record<string, string>;
  /** A program, with its arguments, that runs the daemon: `["taskset", "-c", "0"]`. */
  wrapper?: string[];
  /** Descriptors that the daemon inherits, as its own 3, 4, … */
  inherit?: number[];
}

/** How a daemon is started. */
type Start = Pick<DaemonOptions, "args" | "env" | "wrapper" | "inherit">;

export interface Daemon {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly folder: string;
  /** Everything it has written so far, and what of it went to standard output: the access log. */
  output(): string;
  standardOutput(): string;
  /** Resolves when the output matches. */
  said(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with its exit code, or the signal's name. */
  exited: Promise<number | string>;
  stop(): Promise<number | string>;
}

/** Which kernel interface the suite runs on. */
export const IO = process.env["PINION_TEST_IO"] ?? "auto";

/** The suite runs with the smallest arena and the fewest slots that the configuration allows. */
export const SMALL = process.env["PINION_TEST_SMALL"] === "1";
const KIB = 1024;
// Of the queue the least is nothing: it is wide instead, for so few slots to be waited for.
const SMALLEST = { connection: "20KiB", slots: 2, queue: 10_000 };

/** Writes the configuration and the files that it names; returns their folder. */
export async function prepare(t: ExecutionContext, options: DaemonOptions): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pinion-test-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(options.files ?? {})) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  if (options.exact === true) {
    await writeFile(join(folder, "pinion.yaml"), options.config);
    return folder;
  }
  const listen = options.ownListen === true ? "" : "listen: 127.0.0.1:0\n";
  const io = /^io:/m.test(options.config) ? "" : `io: ${IO}\n`;
  const shards = /^shards:/m.test(options.config) ? "" : "shards: 1\n";
  // On a machine that is busy with other things every queue may look like a standing one.
  const admission = /^admission:/m.test(options.config) ? "" : "admission: { target: 0s }\n";
  const config = small(options.config);
  await writeFile(join(folder, "pinion.yaml"), listen + io + shards + admission + config);
  return folder;
}

/** What a test sets itself is what it is about: it keeps that, and all else is as small as may go with it. */
function small(config: string): string {
  if (!SMALL) return config;
  const { limits, ...rest } = parse(config) as { limits?: Partial<typeof SMALLEST> };
  const { connection, slots } = { ...SMALLEST, ...limits };
  const arena = Math.max(64 * KIB, 2 * (parseSize(connection) ?? 0), 8 * KIB * slots);
  return stringify({ ...rest, limits: { ...SMALLEST, arena, ...limits } });
}

/** Starts a daemon of its own; resolves when it serves. */
export async function startDaemon(t: ExecutionContext, options: DaemonOptions): Promise<Daemon> {
  return launch(t, await prepare(t, options), options);
}

/** A process of the daemon, whatever becomes of it. */
interface Running extends Pick<Daemon, "output" | "standardOutput" | "said" | "signal" | "exited"> {
  pid: number;
}

/** Starts a daemon, and waits for nothing. */
export function run(t: ExecutionContext, folder: string, options: Start): Running {
  const serve = [MAIN, "serve", "pinion.yaml", ...(options.args ?? [])];
  const [command = "", ...args] = [...(options.wrapper ?? []), process.execPath, ...serve];
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe", ...(options.inherit ?? [])],
  }) as ChildProcessByStdio<null, Readable, Readable>;
  let output = "";
  let standardOutput = "";
  const listeners = new Set<() => void>();
  const heard = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const listener of listeners) listener();
  };
  child.stdout.on("data", (chunk: Buffer) => (standardOutput += chunk.toString()));
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  // "close": its last words have been read, too.
  let ended = false;
  const exited = new Promise<number | string>((done) => {
    child.once("close", (code, signal) => {
      ended = true;
      for (const listener of listeners) listener();
      done(code ?? signal ?? "unknown");
    });
  });
  t.teardown(() => end(child));

  const said = (pattern: RegExp, timeoutMs = 30_000): Promise<RegExpMatchArray> =>
    new Promise((found, failed) => {
      const timer = setTimeout(() => {
        listeners.delete(look);
        failed(new Error(`the daemon did not say ${pattern} within ${timeoutMs} ms:\n${output}`));
      }, timeoutMs);
      const look = (): void => {
        const match = pattern.exec(output);
        if (match === null && !ended) return;
        clearTimeout(timer);
        listeners.delete(look);
        if (match === null)
          failed(new Error(`the daemon ended without saying ${pattern}:\n${output}`));
        else found(match);
      };
      listeners.add(look);
      look();
    });
  return {
    pid: child.pid ?? 0,
    output: () => output,
    standardOutput: () => standardOutput,
    said,
    signal: (name) => void child.kill(name),
    exited,
  };
}

/** Starts a daemon in a folder that is already there; resolves when it serves. */
export async function launch(
  t: ExecutionContext,
  folder: string,
  options: Start = {},
): Promise<Daemon> {
  const running = run(t, folder, options);
  const match = await running.said(
    /serving (http:\/\/\[[^\]]+\]|http:\/\/[^\s:]+|unix|fd):([^\s",]+)/,
  );
  if (options.wrapper === undefined) await checkIo(running, folder);
  return {
    ...running,
    url: `${match[1]}:${match[2]}`,
    port: Number(match[2]),
    folder,
    async stop() {
      running.signal("SIGTERM");
      return running.exited;
    },
  };
}

/** A suite that is meant for one kernel interface must not run on the other without anybody noticing. */
async function checkIo(running: Running, folder: string): Promise<void> {
  const config = parse(await readFile(join(folder, "pinion.yaml"), "utf8")) as {
    io?: string;
    log?: { level?: string };
  };
  if (["error", "warn"].includes(config.log?.level ?? "info")) return;
  const [, said] = await running.said(/io is (io_uring|epoll)\b/);
  const wanted = config.io ?? "auto";
  const expected = (wanted === "auto" ? uringWorks() : wanted === "uring") ? "io_uring" : "epoll";
  if (said !== expected) {
    throw new Error(`io: ${wanted} has to be ${expected} here, not ${said}:\n${running.output()}`);
  }
}

let works: boolean | undefined;

/** What the probe says of this machine. */
export function uringWorks(): boolean {
  return (works ??= loadAddon().probe().uring);
}

/** Runs a daemon that is expected to end by itself. One that does not is killed, and the error has what it said. */
export async function runToEnd(
  t: ExecutionContext,
  folder: string,
  options: Start = {},
  timeoutMs = 60_000,
): Promise<{ code: number | string; output: string }> {
  const running = run(t, folder, options);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, failed) => {
    timer = setTimeout(() => {
      running.signal("SIGKILL");
      failed(new Error(`the daemon did not end within ${timeoutMs} ms:\n${running.output()}`));
    }, timeoutMs);
  });
  try {
    return { code: await Promise.race([running.exited, late]), output: running.output() };
  } finally {
    clearTimeout(timer);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await once(child, "exit");
  clearTimeout(timer);
}

/** CPU time of a process, all threads, in milliseconds. */
export async function cpuMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
