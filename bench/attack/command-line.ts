// What `npm run attack -- …` understands.
import { parseArgs } from "node:util";
import type { Paths } from "./attacks/attack.js";
import { ATTACKS } from "./attacks/index.js";
import { parseTarget, urlOf } from "./loopback.js";
import { OVERLOAD, OVERLOAD_WHAT } from "./overload.js";

export interface CommandLine {
  /** Undefined: a daemon of our own. */
  target: { url: string; pid: number; paths: Paths } | undefined;
  io: ("uring" | "epoll")[];
  beside: ("node" | "nginx")[];
  only: string[];
  seconds: number;
  connections: number | undefined;
  rate: number;
  seed: number;
  tries: number;
  coarse: boolean;
  json: string | undefined;
  serverCpus: string | undefined;
  clientCpus: string | undefined;
}

export class UsageError extends Error {}

export const NAMES: readonly string[] = [...ATTACKS.map((each) => each.name), OVERLOAD];

export const HELP = `npm run attack -- [options]

Attacks a started server on loopback, with well-behaved clients beside, and prints what became of them.

  --target URL        attack http://127.0.0.1:PORT (or [::1]) instead of a daemon of our own; needs --pid
  --pid PID           its process, whose memory is watched
  --path NAME=PATH    what to ask of it: native, javascript, body, large (default /), work (default: no overload);
                      may be given several times
  --io NAMES          of our own daemon: uring,epoll (default both)
  --beside NAMES      node,nginx: the same against these
  --only NAMES        some of the attacks, with commas
  --seconds N         of each attack, 1 to 120 (default 8)
  --connections N     of each attack, 1 to 15000 (default: what the attack says)
  --rate N            requests a second of the good clients, on each of two routes, 1 to 5000 (default 500)
  --seed N            of what is random (default 1)
  --tries N           run what failed again, until it passes or N times, 1 to 5 (default 1): for a machine that
                      others use too; a control that fails says so
  --coarse            judge no latency and no rate, only answers, memory, what comes back, and a goodput that is
                      lost by half; no attack of more than 1,500 connections, unless --connections says so: for
                      a machine that others use too
  --server-cpus LIST  where servers of our own run (default 0)
  --client-cpus LIST  where all clients run (default: all others)
  --json FILE         all figures
  --list              the attacks
  --help              this

Exit code: 0 all passed, 1 something failed, 2 wrong use. It connects to nothing but loopback.
`;

export function listText(): string {
  const all = [...ATTACKS, { name: OVERLOAD, what: OVERLOAD_WHAT }];
  return all.map((each) => `${each.name.padEnd(22)} ${each.what}\n`).join("");
}

/** Undefined: `--help` or `--list` was asked for and is the text. Throws UsageError. */
export function parseCommandLine(words: string[], cpuCount: number): CommandLine | string {
  const { values } = parse(words);
  if (values.help === true) return HELP;
  if (values.list === true) return listText();
  const serverCpus = values["server-cpus"] ?? (cpuCount > 1 ? "0" : undefined);
  const clientCpus = values["client-cpus"] ?? (cpuCount > 1 ? `1-${cpuCount - 1}` : undefined);
  return {
    target: targetOf(values.target, values.pid, values.path ?? []),
    io: names(values.io ?? "uring,epoll", ["uring", "epoll"] as const, "--io"),
    beside: names(values.beside ?? "", ["node", "nginx"] as const, "--beside"),
    only: names(values.only ?? NAMES.join(","), NAMES, "--only"),
    seconds: integer(values.seconds ?? "8", 1, 120, "--seconds"),
    connections:
      values.connections === undefined
        ? undefined
        : integer(values.connections, 1, 15_000, "--connections"),
    rate: integer(values.rate ?? "500", 1, 5000, "--rate"),
    seed: integer(values.seed ?? "1", 0, 2 ** 32 - 1, "--seed"),
    tries: integer(values.tries ?? "1", 1, 5, "--tries"),
    coarse: values.coarse === true,
    json: values.json,
    serverCpus: cpuList(serverCpus),
    clientCpus: cpuList(clientCpus),
  };
}

function parse(words: string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: words,
      options: {
        target: text,
        pid: text,
        path: { type: "string", multiple: true },
        io: text,
        beside: text,
        only: text,
        seconds: text,
        connections: text,
        rate: text,
        seed: text,
        tries: text,
        json: text,
        "server-cpus": text,
        "client-cpus": text,
        coarse: { type: "boolean" },
        list: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function targetOf(
  url: string | undefined,
  pid: string | undefined,
  given: readonly string[],
): CommandLine["target"] {
  if (url === undefined) {
    if (pid !== undefined || given.length > 0) throw new UsageError("--target is missing");
    return undefined;
  }
  const paths: Paths = { native: "/", javascript: "/", body: "/", large: "/" };
  for (const each of given) {
    const match = /^(native|javascript|body|large|work)=(\/[!-~]*)$/.exec(each);
    if (match === null) throw new UsageError(`--path ${each}: write NAME=/PATH`);
    paths[match[1] as keyof Paths] = match[2] ?? "/";
  }
  if (pid === undefined) throw new UsageError("--target needs --pid, to watch its memory");
  try {
    return {
      url: urlOf(parseTarget(url)),
      pid: integer(pid, 1, 2 ** 22, "--pid"),
      paths,
    };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function names<T extends string>(text: string, known: readonly T[], option: string): T[] {
  const given = text.split(",").filter(Boolean);
  for (const name of given) {
    if (!known.includes(name as T)) {
      throw new UsageError(`${option}: ${name} is unknown; known: ${known.join(", ")}`);
    }
  }
  return known.filter((each) => given.includes(each));
}

function integer(text: string, least: number, most: number, option: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= least && value <= most)) {
    throw new UsageError(`${option}: ${text} is not between ${least} and ${most}`);
  }
  return value;
}

function cpuList(text: string | undefined): string | undefined {
  if (text === undefined || /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  throw new UsageError(`CPUs are written 0 or 1-3 or 0,2: ${text}`);
}
