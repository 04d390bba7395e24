// The command line: what there is, its help, its mistakes. What a command needs is loaded when it is used, so that --help
// answers at once.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import { FAILED, MISUSED } from "./failure.js";
import { DEFAULT_FILE } from "./serve-arguments.js";

const EXAMPLES = `
Examples:
  pinion serve                             serve ./pinion.yaml
  pinion serve app.yaml --listen :8080     serve app.yaml, on port 8080 of every address
  pinion check app.yaml                    say what is wrong with app.yaml, without opening anything
  pinion routes app.yaml                   show what answers which path
  pinion doctor                            show what this machine offers and what is in the way

Exit codes: 0 done, 1 failed at run time, 2 wrong usage or configuration.
The configuration's keys: ${join(packageFolder(), "daemon/CONFIGURATION.md")}`;

function createProgram(): Command {
  const program = new Command("pinion")
    .description(
      "Application server for Node.js: serves TypeScript handlers over HTTP, one shard per core.",
    )
    .version(readVersion(), "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .showHelpAfterError("(pinion --help says how it is used)")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text + hintFor(text)) })
    .addHelpText("after", EXAMPLES);
  program
    .command("serve")
    .description("serve a configuration until SIGTERM or SIGINT")
    .argument("[file]", "configuration", DEFAULT_FILE)
    .option(
      "-l, --listen <address>",
      "listen here instead of where the configuration says; may be repeated",
      collect,
      [],
    )
    .addHelpText(
      "after",
      "\nAddresses: 127.0.0.1:8080, [::1]:8080, :8080, unix:/run/app.sock, fd:3, systemd.\nSIGTERM and SIGINT finish the requests in flight first; a second one stops at once.\nSIGUSR2 logs the status of each shard: connections, requests, memory, take-overs.",
    )
    .action(async (file: string, { listen }: { listen: string[] }) => {
      const { serveFile } = await import("./supervisor/serve.js");
      process.exitCode = await serveFile({ file, listen });
    });
  program
    .command("check")
    .description("check a configuration and compile its handlers, without running them")
    .argument("[file]", "configuration", DEFAULT_FILE)
    .action(async (file: string) => {
      const { check } = await import("./check.js");
      console.log(await check(await addon(), file));
    });
  program
    .command("routes")
    .description("show what answers which path")
    .argument("[file]", "configuration", DEFAULT_FILE)
    .action(async (file: string) => {
      const { listRoutes } = await import("./check.js");
      console.log(await listRoutes(await addon(), file));
    });
  program
    .command("doctor")
    .description("show what this machine offers and what is in the way")
    .argument(
      "[file]",
      `configuration, to say what it switches off (${DEFAULT_FILE}, if there is one)`,
    )
    .option("--json", "as JSON")
    .action(async (file: string | undefined, { json }: { json?: boolean }) => {
      const { examine } = await import("./doctor/examine.js");
      const { renderReport } = await import("./doctor/report.js");
      const findings = await examine(file);
      console.log(json === true ? JSON.stringify(findings, null, 2) : renderReport(findings));
      if (findings.some(({ state }) => state === "bad")) process.exitCode = FAILED;
    });
  return program;
}

async function addon() {
  const { loadAddon } = await import("../runtime/addon-loader.js");
  return loadAddon();
}

// What other servers call it.
function hintFor(mistake: string): string {
  return /unknown option '(--port|--host|--bind|-p)\b/.test(mistake)
    ? "(an address is given by --listen, such as --listen :8080 or --listen 127.0.0.1:8080)\n"
    : "";
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

/** Where Pinion's own package.json is: above this file in dist/ and in the sources. */
function packageFolder(): string {
  const own = dirname(fileURLToPath(import.meta.url));
  const folder = [join(own, "../.."), join(own, "..")].find((each) =>
    existsSync(join(each, "package.json")),
  );
  return folder ?? own;
}

function readVersion(): string {
  try {
    const text = readFileSync(join(packageFolder(), "package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return "unknown";
  }
}

/** Runs the command of the arguments after the program's name; the exit code. */
export async function runCommand(words: readonly string[]): Promise<number> {
  try {
    const given = words[0] === "-V" ? ["--version"] : words;
    await createProgram().parseAsync(given, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED;
    throw error;
  }
}
