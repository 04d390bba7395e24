#!/usr/bin/env node
// The entry. `serve` goes straight to the supervisor: what the other commands load would stay in its memory.
import { reportFailure } from "./failure.js";
import { parseServe } from "./serve-arguments.js";

const words = process.argv.slice(2);
const serving = parseServe(words);
if (serving !== undefined) {
  const { serveFile } = await import("./supervisor/serve.js");
  process.exit(await serveFile(serving).catch(reportFailure));
}
const { runCommand } = await import("./command-line.js");
const exitCode = await runCommand(words).catch(reportFailure);
// A pipe takes what it has room for: the rest is still on its way.
process.stdout.write("", () => {
  process.stderr.write("", () => process.exit(exitCode));
});
