// Writes what follows from the configuration's schema: the validator, the reference page, the schema for editors.
// --check: writes nothing, fails if the files on disk are not what would be written.
import { readFileSync, writeFileSync } from "node:fs";
import { Ajv } from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import { schema } from "../daemon/config/schema.js";
import { renderReference } from "./config-reference.js";

const SOURCE = "daemon/config/schema.ts";

const VALIDATOR_TYPE = `{ (data: unknown): boolean; errors?: import("./validate.js").Mismatch[] | null }`;

const outputs: [path: string, text: string][] = [
  ["daemon/config/validate.generated.ts", renderValidator()],
  ["daemon/CONFIGURATION.md", renderReference(schema)],
  ["daemon/pinion.schema.json", renderEditorSchema()],
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

// Compiled beforehand: compiling when the daemon starts takes 75 ms, checking takes none worth naming.
function renderValidator(): string {
  const ajv = new Ajv({
    allErrors: true,
    strict: true,
    allowUnionTypes: true,
    strictRequired: false,
    messages: false,
    code: { source: true, esm: true, lines: true },
  });
  for (const keyword of ["unit", "least", "most"]) ajv.addKeyword(keyword);
  const render = standalone as unknown as (ajv: Ajv, validate: unknown) => string;
  const code = render(ajv, ajv.compile(schema))
    .replace(/^"use strict";\n/, "")
    .replace(/^export default .*\n/m, "")
    .replace(/^export const validate = /m, `export const validate: ${VALIDATOR_TYPE} = `);
  return `// @ts-nocheck: written by ops/generate-config.ts from ${SOURCE}. Do not edit.\n${code}`;
}

function renderEditorSchema(): string {
  const ours = new Set(["unit", "least", "most"]);
  return `${JSON.stringify(schema, (key, value: unknown) => (ours.has(key) ? undefined : value), 2)}\n`;
}
