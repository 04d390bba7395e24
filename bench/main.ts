// The benchmark: npm run bench -- WORK... See options.ts for the command line, README.md for how to read the report.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { takeAnswers } from "./floors.js";
import { Client } from "./load.js";
import { describeMachine } from "./machine.js";
import { Results } from "./metrics.js";
import { HELP, listing, type Options, readOptions, UsageError } from "./options.js";
import { type Report, toJson, toMarkdown, verdicts } from "./report.js";
import { type Bench, runWork } from "./rounds.js";
import { makeDownload, makePage } from "./routes.js";
import { LOAD_CLIENT, ROOT, type Server, SERVERS } from "./servers.js";
import { findWrk2, WRK2_MISSING } from "./wrk2.js";

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (options === "help" || options === "list") {
    console.log(options === "help" ? HELP : listing());
    return 0;
  }
  // Nothing to do if they are up to date.
  say("building the load client and the floor: ops/native release load floor");
  execFileSync(join(ROOT, "ops/native"), ["release", "load", "floor"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const folder = mkdtempSync(join(tmpdir(), "pinion-bench-"));
  // nginx's worker runs as another user.
  chmodSync(folder, 0o755);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => process.exit(130));
  return conclude(options, await run(options, folder, `npm run bench -- ${args.join(" ")}`));
}

async function run(options: Options, folder: string, command: string): Promise<Report> {
  const { rounds, seconds, works } = options;
  const machine = describeMachine();
  const content = join(folder, "content");
  mkdirSync(content);
  writeFileSync(join(content, "page.html"), makePage());
  writeFileSync(join(content, "download.bin"), makeDownload());

  const { present, skipped } = lookAround(options);
  const { clientCore, serverCore } = machine;
  const pinion = SERVERS.find(
    (server) => /^pinion-/.test(server.name) && server.missing() === undefined,
  );
  if (pinion === undefined) throw new Error("Pinion is not built: npm run build");
  const floors = await takeAnswers(pinion, folder, content, serverCore);
  const wrk2 = findWrk2();
  if (wrk2 === undefined) say(WRK2_MISSING);

  const results = new Results();
  const client = new Client(LOAD_CLIENT, clientCore);
  const bench: Bench = {
    ...{ client, floors, results, wrk2, clientCore, serverCore },
    ...{ folder, content, rounds, seconds, say },
  };
  const report: Report = {
    ...{ command, machine, rounds, seconds, skipped, works, results },
    wrk2: wrk2 === undefined ? WRK2_MISSING : `wrk2: ${wrk2.program}`,
    versions: Object.fromEntries(present.map((server) => [server.name, server.version()])),
    floors: Object.fromEntries(options.known.map(({ name, floor }) => [name, floor])),
  };
  for (const work of works) {
    const servers = present.filter(({ name }) => work.servers.includes(name));
    await runWork(bench, work, servers);
    // What there is so far: all works together take an hour.
    write(options.json, toJson(report));
  }
  return report;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Which of the servers that are asked for are there. */
function lookAround({ works, servers, known }: Options) {
  const skipped: Record<string, string> = {};
  const present: Server[] = [];
  for (const server of known) {
    const { name } = server;
    if (!servers.includes(name) || !works.some((work) => work.servers.includes(name))) continue;
    const missing = server.missing();
    if (missing === undefined) {
      present.push(server);
    } else {
      skipped[name] = missing;
      say(`${name} is not installed and is skipped; to get it: ${missing}`);
    }
  }
  return { present, skipped };
}

function conclude(options: Options, report: Report): number {
  const markdown = toMarkdown(report);
  write(options.markdown, markdown);
  say(`written: ${options.json}, ${options.markdown}`);
  const { cells } = report.results;
  const failed = cells.filter(({ failure }) => failure !== undefined).length;
  console.log(options.check ? `${cells.length - failed} passed, ${failed} failed` : markdown);
  if (failed > 0) return 1;
  return options.strict && verdicts(report).some(({ met }) => met === false) ? 3 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  say(error instanceof UsageError ? `bench: ${message}\n\n${HELP}` : `bench: ${message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
