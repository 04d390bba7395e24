// Runs one TypeScript file without a build before it: `node ops/typescript.mjs FILE [ARGUMENT]...`
// The generators need this: what they write is part of what `tsc` then compiles.
import { mkdirSync, rmSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node ops/typescript.mjs FILE [ARGUMENT]...");
  process.exit(2);
}
const root = resolve(import.meta.dirname, "..");
const folder = resolve(root, "build/ops");
// A name of this process's own: two runs at a time do not read each other's half-written file.
const output = resolve(folder, `${basename(file, ".ts")}.${process.pid}.mjs`);
mkdirSync(folder, { recursive: true });
process.on("exit", () => rmSync(output, { force: true }));
await build({
  entryPoints: [resolve(file)],
  outfile: output,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  sourcemap: "inline",
  logLevel: "error",
});
process.argv = [process.execPath, output, ...rest];
process.chdir(root);
await import(pathToFileURL(output).href);
