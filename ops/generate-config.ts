// Writes what follows from the configuration's schema: the validator, the reference page, the schema for editors.
// --check: writes nothing, fails if the files on disk are not what would be written.
import { Ajv } from "ajv";
import standalone from "ajv/dist/standalone/index.js";
import { schema } from "../daemon/config/schema.js";
import { renderReference } from "./config-reference.js";
import { writeGenerated } from "./generated.js";

const SOURCE = "daemon/config/schema.ts";

const VALIDATOR_TYPE = `{ (data: unknown): boolean; errors?: import("./validate.js").Mismatch[] | null }`;

writeGenerated(SOURCE, [
  ["daemon/config/validate.generated.ts", renderValidator()],
  ["daemon/CONFIGURATION.md", renderReference(schema)],
  ["daemon/pinion.schema.json", renderEditorSchema()],
]);

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
