// Writes the C++ and the TypeScript of the shared layout from native/base/layout.yaml.
// --check: writes nothing, fails if the files on disk are not what would be written.
import { readFileSync, writeFileSync } from "node:fs";
import { layoutToCpp } from "./layout-cpp.js";
import { layoutToTypeScript } from "./layout-typescript.js";
import { parseLayout } from "./layout.js";

const SOURCE = "native/base/layout.yaml";

const layout = parseLayout(readFileSync(SOURCE, "utf8"));
const outputs: [path: string, text: string][] = [
  ["native/base/layout.generated.hpp", layoutToCpp(layout)],
  ["runtime/layout.generated.ts", layoutToTypeScript(layout)],
];

const drifted = outputs.filter(([path, text]) => current(path) !== text);
if (process.argv.includes("--check")) {
  for (const [path] of drifted)
    console.error(`${path}: not what ${SOURCE} says; run: npm run generate`);
  process.exitCode = drifted.length === 0 ? 0 : 1;
} else {
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
