// The servers that are attacked: a Pinion of our own, the peers that stand beside it, or one that runs already.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Paths, Settings } from "./attacks/attack.js";
import { pinned, prioritise } from "./child.js";
import { sleep } from "./clock.js";
import { parseTarget, urlOf, type Target } from "./loopback.js";
import { isAlive } from "./memory.js";

export interface Server {
  target: Target;
  pid: number;
  paths: Paths;
  /** What Pinion says about its shard; undefined: it does not, or cannot any more. */
  status(): Promise<ShardStatus | undefined>;
  /** How it ended, if it has. */
  ended(): string | undefined;
  stop(): Promise<void>;
}

/** The fields that tell whether everything came back. */
export interface ShardStatus {
  connections: number;
  queued: number;
  started: number;
  slotsFree: number;
  segmentsFree: number;
  segmentsLent: number;
  segmentsTotal: number;
}

export interface ServerKind {
  name: string;
  /** Undefined: it can run here; else why not. */
  missing(): string | undefined;
  /** It is started with the settings that it is given. */
  takesSettings: boolean;
  start(options: StartOptions): Promise<Server>;
}

export interface StartOptions {
  /** CPUs of the server. */
  cpus: string | undefined;
  connections: number;
  settings?: Settings | undefined;
}

/** Pinion's arena, and the memory that a server may take beyond what it had before. */
export const ARENA_BYTES = 16 * 1024 * 1024;
export const SEGMENT_BYTES = 4096;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const MAIN = here("../../daemon/main.js");
const ROUTES: Paths = {
  native: "/native",
  javascript: "/javascript",
  body: "/body",
  large: "/large",
  work: "/work",
};
const BIG_BYTES = 4 * 1024 * 1024;

export function pinion(io: "uring" | "epoll"): ServerKind {
  return {
    name: `pinion ${io}`,
    missing: () => undefined,
    takesSettings: true,
    start: ({ cpus, connections, settings }) =>
      launch(cpus, ROUTES, (folder) => ({
        files: { "pinion.yaml": configuration(io, connections, settings) },
        words: [process.execPath, MAIN, "serve", join(folder, "pinion.yaml")],
        port: (output) => Number(/serving http:\/\/[^\s:]+:(\d+)/.exec(output)?.[1]),
        status: true,
      })),
  };
}

function configuration(io: string, connections: number, settings: Settings = {}): string {
  const { limits, timeouts = {}, http = {} } = settings;
  const module = (name: string): string => JSON.stringify(here(`./handlers/${name}.js`));
  return `listen: 127.0.0.1:0
io: ${io}
shards: 1
routes:
  - path: /native
    respond: { status: 200, type: text/plain, body: "hello without JavaScript\\n" }
  - { path: /javascript, handler: ${module("javascript")} }
  - { path: /body, methods: [POST], handler: ${module("body")} }
  - { path: /large, handler: ${module("large")} }
  - { path: "/work/{id:int}", handler: ${module("work")}, timeout: 2s }
limits: ${JSON.stringify({ connections, arena: ARENA_BYTES, ...limits })}
timeouts: ${JSON.stringify(timeouts)}
http: ${JSON.stringify(http)}
`;
}

export const nodeHttp: ServerKind = {
  name: "node:http",
  missing: () => undefined,
  takesSettings: false,
  start: ({ cpus, connections }) =>
    launch(cpus, ROUTES, () => ({
      files: {},
      words: [process.execPath, here("./node-server.js"), String(connections)],
      port: (output) => Number(/serving (\d+)/.exec(output)?.[1]),
    })),
};

export const nginx: ServerKind = {
  name: "nginx",
  missing: () => (spawnSync("nginx", ["-v"]).error ? "nginx is not installed" : undefined),
  takesSettings: false,
  async start({ cpus, connections }) {
    const port = await freePort();
    const { work: _, ...paths } = ROUTES;
    return launch(cpus, paths, (folder) => ({
      files: { "nginx.conf": nginxConfiguration(port, connections), large: "x".repeat(BIG_BYTES) },
      words: ["nginx", "-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")],
      port: () => port,
    }));
  },
};

function nginxConfiguration(port: number, connections: number): string {
  const answer = (path: string): string =>
    `location ${path} { default_type text/plain; return 200 "hello from nginx\\n"; }`;
  return `daemon off; master_process off; pid nginx.pid; worker_rlimit_nofile ${connections + 100};
events { worker_connections ${connections + 10}; }
http {
  access_log off; keepalive_requests 1000000; client_max_body_size 1m;
  client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
  server {
    listen 127.0.0.1:${port} backlog=1024;
    ${answer("/native")} ${answer("/javascript")} ${answer("/body")}
    location /large { root .; }
  }
}
`;
}

/** One that runs already: never stopped, and asked for nothing but the paths. */
export function external(url: string, pid: number, paths: Paths): ServerKind {
  const target = parseTarget(url);
  return {
    name: urlOf(target).slice("http://".length),
    missing: () => (isAlive(pid) ? undefined : `there is no process ${pid}`),
    takesSettings: false,
    async start() {
      return {
        target,
        pid,
        paths,
        status: async () => undefined,
        ended: () => (isAlive(pid) ? undefined : "has ended"),
        stop: async () => undefined,
      };
    },
  };
}

interface Launch {
  files: Record<string, string>;
  words: string[];
  /** The port that it serves, once its output says so. */
  port: (output: string) => number;
  /** It says its status on SIGUSR2. */
  status?: boolean;
}

const MOST_OUTPUT = 4 * 1024 * 1024;

async function launch(
  cpus: string | undefined,
  paths: Paths,
  plan: (folder: string) => Launch,
): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "pinion-attack-"));
  const { files, words, port, status: says = false } = plan(folder);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const [command, args] = pinned(cpus, words);
  const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  prioritise(child.pid ?? 0, -10);
  // Also if this process is ended in the midst of it.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  let output = "";
  const heard = (chunk: Buffer): void => {
    if (output.length < MOST_OUTPUT) output += chunk.toString();
  };
  child.stdout.on("data", heard);
  child.stderr.on("data", heard);
  let failed: Error | undefined;
  child.on("error", (error) => (failed = error));
  const ended = (): string | undefined =>
    failed?.message ??
    (child.signalCode !== null
      ? `killed by ${child.signalCode}`
      : child.exitCode !== null
        ? `exited with ${child.exitCode}`
        : undefined);
  const stop = async (): Promise<void> => {
    await end(child);
    process.off("exit", kill);
    await rm(folder, { recursive: true, force: true });
  };
  for (let i = 0; i < 300; i++) {
    const target: Target = { host: "127.0.0.1", port: port(output) };
    if (ended() !== undefined) break;
    if (target.port > 0 && (await answers(target, paths.native))) {
      const status = async (): Promise<ShardStatus | undefined> =>
        says ? statusOf(child, () => output) : undefined;
      return { target, pid: child.pid ?? 0, paths, status, ended, stop };
    }
    await sleep(100);
  }
  await stop();
  throw new Error(`${words.join(" ")} does not serve (${ended() ?? "no answer"}):\n${output}`);
}

async function answers(target: Target, path: string): Promise<boolean> {
  try {
    const response = await fetch(urlOf(target) + path, {
      redirect: "error", // it may lead away from loopback
      signal: AbortSignal.timeout(2000),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Pinion writes it to its log on SIGUSR2. */
async function statusOf(
  child: ChildProcess,
  output: () => string,
): Promise<ShardStatus | undefined> {
  const from = output().length;
  if (child.exitCode !== null || child.signalCode !== null) return undefined;
  child.kill("SIGUSR2");
  for (let i = 0; i < 100; i++) {
    for (const line of output().slice(from).split("\n").slice(0, -1)) {
      if (line.includes('"message":"status"')) return JSON.parse(line) as ShardStatus;
    }
    await sleep(20);
  }
  return undefined;
}

async function end(child: ChildProcess): Promise<void> {
  const exited = new Promise<void>((done) => child.once("exit", () => done()));
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 12_000);
  await exited;
  clearTimeout(timer);
}

function freePort(): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => done(port));
    });
  });
}
