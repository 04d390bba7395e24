#!/usr/bin/env node
// The entry. `serve` goes straight to the supervisor: what the other commands load would stay in its memory.
import { reportFailure } from "./failure.js";
import { parseServe } from "./serve-arguments.js";

async function run(words: readonly string[]): Promise<number> {
  const serving = parseServe(words);
  if (serving === undefined) {
    const { runCommand } = await import("./command-line.js");
    return runCommand(words);
  }
  const { serveFile } = await import("./supervisor/serve.js");
  return serveFile(serving);
}

process.exit(await run(process.argv.slice(2)).catch(reportFailure));
