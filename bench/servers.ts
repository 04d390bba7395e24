// The servers: what each needs, and how it is started for one work.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "./processes.js";
import { HANDLED, type RouteName } from "./routes.js";

/** What a server is started with. */
export interface Start {
  port: number;
  /** For its own files. */
  folder: string;
  /** Where page.html and download.bin are. */
  content: string;
  /** For the floor: the length of a request, and a file with the answer to it. */
  floor: { requestBytes: number; answerFile: string };
}

export interface Server {
  name: string;
  routes: readonly RouteName[];
  /** The server whose excess is nothing: what the others add is counted from there. */
  floor: "floor-uring" | "floor-epoll";
  /** How to get it, if it is not there. */
  missing(): string | undefined;
  version(): string;
  command(start: Start): Command;
}

/** The root of the repository: this file runs from dist/bench. */
export const ROOT = join(import.meta.dirname, "../..");
const BENCH = join(ROOT, "bench");
const PEERS = join(BENCH, "peers/node_modules");
const RELEASE = join(ROOT, "build/release");
export const LOAD_CLIENT = join(RELEASE, "load");
/** Pinion's own, for `blocked`. */
const NATIVE: readonly RouteName[] = ["fixed", "spin"];

const run = (command: string, args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

function which(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

let uring: { missing: string | undefined } | undefined;

/** Pinion on io_uring is measured only where its floor runs: its excess is counted from there. */
function uringMissing(): string | undefined {
  uring ??= { missing: floorMissing("uring") };
  return uring.missing;
}

/** How to get a floor that is not in `folder`, or does not run here. */
export function floorMissing(kind: "uring" | "epoll", folder = RELEASE): string | undefined {
  const program = join(folder, `floor_${kind}`);
  if (!existsSync(program)) {
    // They are built in one go, so what was left out of it could not be built: native/CMakeLists.txt.
    const leftOut = kind === "uring" && existsSync(join(folder, "floor_epoll"));
    return leftOut
      ? "liburing 2.3 or newer (package liburing-dev; Ubuntu 22.04 has 2.1, which is too old), then rm -f build/release/build.ninja && ops/native release addon floor"
      : "ops/native release floor";
  }
  if (kind === "epoll") return undefined;
  try {
    run(program, ["--probe"]);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().split("\n").at(-1) : "";
    return `kernel 6.1 or newer that allows io_uring (sysctl kernel.io_uring_disabled=0; seccomp): ${reason}`;
  }
}

function floor(kind: "uring" | "epoll"): Server {
  const program = join(RELEASE, `floor_${kind}`);
  return {
    name: `floor-${kind}`,
    routes: HANDLED,
    floor: `floor-${kind}`,
    missing: () => (kind === "uring" ? uringMissing() : floorMissing(kind)),
    version: () => "bench/floor",
    command: ({ port, floor: { requestBytes, answerFile } }) => ({
      command: program,
      args: [String(port), String(requestBytes), answerFile],
    }),
  };
}

interface PinionOptions {
  io: "uring" | "epoll";
  /** Further routes in front of the others. */
  extraRoutes?: number;
  /** Without the capability to raise a thread's priority. */
  unprivileged?: boolean;
  /** With a line in the access log for each request, to /dev/null: the cost of writing it, not of keeping it. */
  access?: boolean;
  /** The built checkout that it runs from. */
  root?: string;
}

function pinion(
  name: string,
  { io, extraRoutes = 0, unprivileged = false, access = false, root = ROOT }: PinionOptions,
): Server {
  const main = join(root, "dist/daemon/main.js");
  return {
    name,
    routes: [...HANDLED, ...NATIVE],
    floor: `floor-${io}`,
    missing: () => {
      const addon = join(root, "build/release/pinion.node");
      if (!existsSync(main) || !existsSync(addon))
        return root === ROOT ? "npm run build" : `npm ci && npm run build, in ${root}`;
      if (unprivileged && which("setpriv") === undefined) return "sudo apt-get install util-linux";
      return io === "uring" ? uringMissing() : undefined;
    },
    version: () => run(process.execPath, [main, "--version"]),
    command: ({ port, folder, content }) => {
      const file = join(folder, `${name}.yaml`);
      writeFileSync(file, pinionConfiguration(port, io, extraRoutes, access));
      const serve = [process.execPath, main, "serve", file];
      const drop = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"];
      const silence = ["sh", "-c", 'exec "$@" >/dev/null', "sh"];
      const before = [...(unprivileged ? drop : []), ...(access ? silence : [])];
      const [command = "", ...args] = [...before, ...serve];
      return { command, args, env: { BENCH_CONTENT: content } };
    },
  };
}

function pinionConfiguration(
  port: number,
  io: string,
  extraRoutes: number,
  access: boolean,
): string {
  const folder = join(BENCH, "pinion");
  const extra = Array.from(
    { length: extraRoutes },
    (_, at) => `  - path: /v${at % 10}/resource${at}/{id:int}\n    respond: { body: "${at}" }\n`,
  );
  const text = readFileSync(join(folder, "pinion.yaml"), "utf8")
    .replaceAll("handler: ./", `handler: ${folder}/`)
    .replace("\nlog: {", `\nlog: { access: ${access},`)
    .replace("\nroutes:\n", () => `\nroutes:\n${extra.join("")}`);
  return `listen: 127.0.0.1:${port}\nio: ${io}\n${text}`;
}

const FETCH_PEERS = "npm ci --prefix bench/peers";

/** A peer that runs bench/peers/NAME.mjs. */
function peer(
  name: string,
  program: () => {
    path: string | undefined;
    args?: string[];
    needs?: string;
    version: () => string;
  },
): Server {
  return {
    name,
    routes: HANDLED,
    floor: "floor-uring",
    missing: () => {
      const { path, needs } = program();
      const there = path !== undefined && (needs === undefined || existsSync(join(PEERS, needs)));
      return there ? undefined : FETCH_PEERS;
    },
    version: () => program().version(),
    command: ({ port, content }) => {
      const { path, args = [] } = program();
      return {
        command: path ?? "",
        args: [...args, join(BENCH, "peers", `${name}.mjs`)],
        env: { PORT: String(port), BENCH_CONTENT: content },
      };
    },
  };
}

/** A package's exact version, as it is installed. */
function installed(name: string): string {
  const text = readFileSync(join(PEERS, name, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The binaries lie in the platforms' packages: install scripts do not run. */
function binary(paths: readonly string[]): string | undefined {
  return paths.map((path) => join(PEERS, path)).find((path) => existsSync(path));
}

function bunBinary(): string | undefined {
  const quick = /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  const x64 = `@oven/bun-linux-x64${quick ? "" : "-baseline"}/bin/bun`;
  return binary([process.arch === "arm64" ? "@oven/bun-linux-aarch64/bin/bun" : x64]);
}

function denoBinary(): string | undefined {
  return binary([`@deno/linux-${process.arch}-glibc/deno`]);
}

function nginx(): Server {
  const program = () => which("nginx");
  return {
    name: "nginx",
    routes: ["hello", "page", "download"],
    floor: "floor-uring",
    missing: () => (program() === undefined ? "sudo apt-get install nginx-light" : undefined),
    // It says so on standard error.
    version: () =>
      /nginx\/([\d.]+)/.exec(run("sh", ["-c", `${program() ?? "nginx"} -v 2>&1`]))?.[1] ?? "?",
    command: ({ port, folder, content }) => {
      const prefix = join(folder, "nginx");
      mkdirSync(prefix, { recursive: true });
      const text = readFileSync(join(BENCH, "peers/nginx.conf"), "utf8");
      writeFileSync(
        join(prefix, "nginx.conf"),
        text.replaceAll("PORT", String(port)).replaceAll("CONTENT", content),
      );
      return { command: program() ?? "", args: ["-p", prefix, "-c", join(prefix, "nginx.conf")] };
    },
  };
}

const onNode = { path: process.execPath, version: () => process.versions.node };

export const SERVERS: readonly Server[] = [
  floor("uring"),
  floor("epoll"),
  pinion("pinion-uring", { io: "uring" }),
  pinion("pinion-epoll", { io: "epoll" }),
  pinion("pinion-uring-10000-routes", { io: "uring", extraRoutes: 10_000 }),
  pinion("pinion-uring-access", { io: "uring", access: true }),
  pinion("pinion-uring-unprivileged", { io: "uring", unprivileged: true }),
  peer("node-http", () => onNode),
  peer("fastify", () => ({ ...onNode, needs: "fastify", version: () => installed("fastify") })),
  peer("express", () => ({ ...onNode, needs: "express", version: () => installed("express") })),
  peer("bun", () => {
    const path = bunBinary();
    return { path, version: () => run(path ?? "", ["--version"]) };
  }),
  peer("deno", () => {
    const path = denoBinary();
    const version = () => run(path ?? "", ["--version"]).split(" ")[1] ?? "?";
    return {
      path,
      args: ["run", "--quiet", "--no-check", "--allow-net", "--allow-read", "--allow-env"],
      version,
    };
  }),
  nginx(),
];

/** All of them, and Pinion as another checkout has built it, with the handlers and the configuration of this one. */
export function serversWith(checkout: string | undefined): readonly Server[] {
  if (checkout === undefined) return SERVERS;
  const root = resolve(checkout);
  return [
    ...SERVERS,
    ...(["uring", "epoll"] as const).map((io) => pinion(`other-${io}`, { io, root })),
  ];
}
