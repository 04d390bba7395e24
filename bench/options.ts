// The command line.
import { parseArgs } from "node:util";
import { type Server, SERVERS, serversWith } from "./servers.js";
import { checkWorks, type Work, WORKS } from "./works.js";

export const HELP = `Usage: npm run bench -- WORK... | all | check [options]

  --list            the works and the servers
  --rounds N        rounds of each work; the median counts (5)
  --seconds S       seconds of each server in each round (2)
  --servers A,B     only these
  --against FOLDER  beside them another checkout of Pinion, built: what a change does, as other-uring and other-epoll
  --json FILE       where the results go as JSON (build/bench/results.json)
  --markdown FILE   where the report goes as well as to the screen (build/bench/report.md)
  --strict          exit code 3 if a goal is missed
  --help            this

"check" only shows that every server that is installed answers every work byte for byte, in one short round.
Each work runs all its servers in turn, round by round. How to read the report: bench/README.md.
Exit codes: 0 done, 1 a server has failed, 2 wrong usage, 3 see --strict.`;

export interface Options {
  works: readonly Work[];
  rounds: number;
  seconds: number;
  servers: readonly string[];
  /** All that could be asked for: with `--against`, another checkout's, too. */
  known: readonly Server[];
  json: string;
  markdown: string;
  strict: boolean;
  /** Only whether the answers are right. */
  check: boolean;
}

export class UsageError extends Error {}

/** "help" and "list" ask for no run. Throws UsageError. */
export function readOptions(args: string[]): Options | "help" | "list" {
  const { values, positionals } = parse(args);
  if (values.help === true) return "help";
  if (values.list === true) return "list";
  if (positionals.length === 0) throw new UsageError("no work is named");
  const check = positionals.includes("check");
  if (check && positionals.length > 1) throw new UsageError("check goes with no work");
  const works = check
    ? checkWorks()
    : positionals.includes("all")
      ? WORKS
      : positionals.map(findWork);
  const { against } = values;
  const known = serversWith(against);
  const names = known.map(({ name }) => name);
  return {
    works: against === undefined ? works : works.map(withOthers),
    rounds: check ? 1 : number(values.rounds, "rounds", 1, 1000, true),
    seconds: check ? 0.05 : number(values.seconds, "seconds", 0.05, 600, false),
    servers: values.servers === undefined ? names : findServers(values.servers, names),
    known,
    json: values.json,
    markdown: values.markdown,
    strict: values.strict,
    check,
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: "boolean", short: "h" },
        list: { type: "boolean" },
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "2" },
        servers: { type: "string" },
        against: { type: "string" },
        json: { type: "string", default: "build/bench/results.json" },
        markdown: { type: "string", default: "build/bench/report.md" },
        strict: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function number(text: string, name: string, least: number, most: number, whole: boolean): number {
  const value = Number(text);
  if (
    text.trim() !== "" &&
    value >= least &&
    value <= most &&
    (!whole || Number.isInteger(value))
  ) {
    return value;
  }
  throw new UsageError(
    `--${name} ${text}: ${whole ? "a whole number" : "a number"}, ${least} to ${most}`,
  );
}

function findWork(name: string): Work {
  const work = WORKS.find((each) => each.name === name);
  if (work !== undefined) return work;
  throw new UsageError(
    `no such work: ${name}; there are ${WORKS.map((each) => each.name).join(", ")}, all`,
  );
}

/** The other checkout takes part wherever Pinion does. */
function withOthers(work: Work): Work {
  const servers = work.servers.flatMap((name) =>
    OURS.includes(name) ? [name, name.replace("pinion", "other")] : [name],
  );
  return { ...work, servers };
}

const OURS: readonly string[] = ["pinion-uring", "pinion-epoll"];

function findServers(list: string, known: readonly string[]): string[] {
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names;
  throw new UsageError(`no such server: ${unknown}; there are ${known.join(", ")}`);
}

export function listing(): string {
  const works = WORKS.map(({ name, title, loads }) => {
    const names = loads.map((load) => load.name).join(", ");
    return `  ${name.padEnd(12)} ${title} (${names})`;
  });
  const servers = SERVERS.map((server) => `  ${server.name.padEnd(26)} ${availability(server)}`);
  return `Works (loads: connections, unless they say otherwise):\n${works.join("\n")}\n\nServers:\n${servers.join("\n")}`;
}

function availability(server: (typeof SERVERS)[number]): string {
  const missing = server.missing();
  return missing === undefined ? server.version() : `not installed; to get it: ${missing}`;
}
