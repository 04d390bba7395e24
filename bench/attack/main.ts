// `npm run attack`: every attack against every server, one after the other, and a table.
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { ATTACKS } from "./attacks/index.js";
import { canPin } from "./child.js";
import { parseCommandLine, UsageError, type CommandLine } from "./command-line.js";
import { OVERLOAD, runOverload, type OverloadTrial } from "./overload.js";
import { reportText, rowsOf } from "./report.js";
import { external, nginx, nodeHttp, pinion, type ServerKind } from "./server.js";
import { runTrial, type TrialResult } from "./trial.js";

function serversOf({ target, io, beside }: CommandLine): ServerKind[] {
  const first =
    target === undefined
      ? io.map((each) => pinion(each))
      : [external(target.url, target.pid, target.paths)];
  return [...first, ...beside.map((each) => (each === "node" ? nodeHttp : nginx))];
}

async function tried(
  kind: ServerKind,
  name: string,
  options: CommandLine,
): Promise<TrialResult | OverloadTrial | undefined> {
  const attack = ATTACKS.find((each) => each.name === name);
  for (let tries = 1; ; tries++) {
    const result =
      name === OVERLOAD || attack === undefined
        ? await runOverload(kind, options)
        : await runTrial(kind, attack, options);
    if (result === undefined || result.verdict.pass || tries >= options.tries) {
      return result === undefined ? undefined : { ...result, tries };
    }
  }
}

async function run(words: string[]): Promise<number> {
  const options = parseCommandLine(words, availableParallelism());
  if (typeof options === "string") {
    process.stdout.write(options);
    return 0;
  }
  if (!canPin) console.error("taskset is missing: servers and clients share all CPUs");
  const results: (TrialResult | OverloadTrial)[] = [];
  for (const kind of serversOf(options)) {
    const missing = kind.missing();
    if (missing !== undefined) {
      console.error(`${kind.name}: left out, ${missing}`);
      continue;
    }
    for (const name of options.only) {
      console.error(`${kind.name}: ${name} …`);
      const result = await tried(kind, name, options);
      if (result === undefined)
        console.error(`${kind.name}: ${name} left out, nothing to overload`);
      else results.push(result);
      if (result !== undefined) console.error(rowsOf(result).join("  "));
      if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(results, null, 1));
    }
  }
  console.log(reportText(results));
  return results.length > 0 && results.every((each) => each.verdict.pass) ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const usage = error instanceof UsageError;
  console.error(usage ? `${error.message}\n--help says more` : error);
  process.exitCode = usage ? 2 : 1;
}
