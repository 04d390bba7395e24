// Fails when a source imports what DESIGN.md's layout table does not let it import.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findViolations } from "./imports.js";

const FOLDERS = ["native", "runtime", "handlers", "daemon", "ops", "bench"];

const files = new Map<string, string>();
for (const folder of FOLDERS) {
  for (const entry of list(folder)) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && /\.([ch]pp|ts)$/.test(entry.name))
      files.set(path, readFileSync(path, "utf8"));
  }
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
const violations = findViolations({
  files,
  dependencies: new Set(Object.keys(manifest.dependencies)),
  devDependencies: new Set(Object.keys(manifest.devDependencies)),
});
for (const { file, line, message } of violations) console.error(`${file}:${line}: ${message}`);
console.log(`${files.size} files, ${violations.length} imports that are not allowed`);
process.exitCode = violations.length === 0 ? 0 : 1;

function list(folder: string) {
  try {
    // bench/peers has packages of its own.
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
      ({ parentPath }) => !parentPath.includes("/node_modules"),
    );
  } catch {
    return [];
  }
}
