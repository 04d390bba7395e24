// The shared layout as a TypeScript module: plain constants, which V8 folds into the code that uses them.
import { snakeCase } from "./layout-cpp.js";
import { isScalar, SCALAR_BYTES, type Field, type Layout, type RecordLayout } from "./layout.js";

// What an index into a typed array of that element size is called.
const INDEX_SUFFIXES: Record<number, string> = { 2: "HALF", 4: "WORD", 8: "DOUBLE" };

export function layoutToTypeScript(layout: Layout): string {
  const parts = [
    `// Generated from native/base/layout.yaml by \`npm run generate\`. Do not edit.
// RECORD_FIELD is an offset in bytes from the record's start; RECORD_FIELD_HALF, _WORD and _DOUBLE are the same
// offset in elements of a Uint16Array, Uint32Array and Float64Array.

`,
    ...Object.entries(layout.constants).map(
      ([name, value]) => `export const ${name} = ${numberText(value)};\n`,
    ),
    ...Object.entries(layout.enums).map(([name, members]) => objectText(name, members, String)),
    ...Object.entries(layout.flags).map(([name, members]) =>
      objectText(name, members, (bit) => `1 << ${bit}`),
    ),
    ...layout.records.map(recordText),
  ];
  return parts.join("");
}

function objectText(name: string, members: string[], value: (index: number) => string): string {
  return `
export const ${name} = {
${members.map((member, index) => `  ${member}: ${value(index)},\n`).join("")}} as const;
export type ${name} = (typeof ${name})[keyof typeof ${name}];
`;
}

function recordText(record: RecordLayout): string {
  const prefix = upper(record.name);
  return `
export const ${prefix}_BYTES = ${record.bytes};
${record.bytes % 4 === 0 ? `export const ${prefix}_WORDS = ${record.bytes / 4};\n` : ""}${record.fields
    .map((field) => fieldText(prefix, field))
    .join("")}`;
}

function fieldText(prefix: string, field: Field): string {
  const name = `${prefix}_${upper(field.name)}`;
  const offset = `export const ${name} = ${field.offset};\n`;
  if (!isScalar(field.type)) return offset;
  const bytes = SCALAR_BYTES[field.type];
  const suffix = INDEX_SUFFIXES[bytes];
  return suffix === undefined
    ? offset
    : `${offset}export const ${name}_${suffix} = ${field.offset / bytes};\n`;
}

function upper(name: string): string {
  return snakeCase(name).toUpperCase();
}

function numberText(value: number): string {
  return value > 0xffffff ? `0x${value.toString(16)}` : String(value);
}
