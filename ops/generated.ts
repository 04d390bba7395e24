// Generated files: written if they are not what they should be, or, with --check, only compared.
import { readFileSync, writeFileSync } from "node:fs";

/** Each output is a path and its whole text; `source` is what they follow from. Sets the exit code. */
export function writeGenerated(source: string, outputs: readonly [path: string, text: string][]) {
  const drifted = outputs.filter(([path, text]) => current(path) !== text);
  if (process.argv.includes("--check")) {
    for (const [path] of drifted)
      console.error(`${path}: not what ${source} says; run: npm run generate`);
    process.exitCode = drifted.length === 0 ? 0 : 1;
    return;
  }
  // Only what changed is written, so that a build after it stays a build of nothing.
  for (const [path, text] of drifted) {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}

function current(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
