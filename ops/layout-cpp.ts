// The shared layout as a C++ header.
import {
  isScalar,
  SCALAR_BYTES,
  type Field,
  type Layout,
  type RecordLayout,
  type ScalarType,
} from "./layout.js";

const CPP_TYPES: Record<ScalarType, string> = {
  u8: "std::uint8_t",
  u16: "std::uint16_t",
  u32: "std::uint32_t",
  f64: "double",
};

// Names of the layout that C++ keeps for itself get a trailing underscore.
const KEYWORDS = new Set([
  "bool",
  "break",
  "case",
  "char",
  "continue",
  "default",
  "delete",
  "double",
  "float",
  "int",
]);

export function layoutToCpp(layout: Layout): string {
  const parts = [
    `// Generated from native/base/layout.yaml by \`npm run generate\`. Do not edit.
// clang-format off
#pragma once

#include <cstddef>
#include <cstdint>

namespace pinion::layout {
`,
    ...Object.entries(layout.constants).map(
      ([name, value]) => `inline constexpr std::uint32_t ${name} = ${numberText(value)};\n`,
    ),
    ...Object.entries(layout.enums).map(([name, members]) => enumText(name, members)),
    ...Object.entries(layout.flags).map(([name, members]) =>
      flagText(name, members, layout.records),
    ),
    ...layout.records.map(recordText),
    "\n}  // namespace pinion::layout\n",
  ];
  return parts.join("");
}

export function snakeCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function enumText(name: string, members: string[]): string {
  const lines = members.map((member, value) => `    ${identifier(member)} = ${value},\n`);
  return `
enum class ${name} : std::uint8_t {
${lines.join("")}};
inline constexpr unsigned ${snakeCase(name).toUpperCase()}_COUNT = ${members.length};
`;
}

// The constants have the type of the field that holds them, so that \`|=\` on it narrows nothing.
function flagText(name: string, members: string[], records: RecordLayout[]): string {
  const fieldName = `${name[0]?.toLowerCase()}${name.slice(1)}s`;
  const holder = records
    .flatMap((record) => record.fields)
    .find((field) => field.name === fieldName);
  if (holder === undefined || !isScalar(holder.type))
    throw new Error(`${name}: no field ${fieldName} holds it`);
  if (members.length > SCALAR_BYTES[holder.type] * 8)
    throw new Error(`${name}: too many flags for ${fieldName}`);
  const type = CPP_TYPES[holder.type];
  const lines = members.map(
    (member, bit) =>
      `inline constexpr ${type} ${snakeCase(member).toUpperCase()} = 1u << ${bit};\n`,
  );
  return `
namespace ${snakeCase(name)} {
${lines.join("")}}  // namespace ${snakeCase(name)}
`;
}

function recordText(record: RecordLayout): string {
  const { name, fields, bytes } = record;
  const padding = record.padding > 0 ? `    std::uint8_t reserved[${record.padding}];\n` : "";
  const offsets = fields.map(
    (field) => `static_assert(offsetof(${name}, ${identifier(field.name)}) == ${field.offset});\n`,
  );
  return `
struct ${name} {
${fields.map(fieldText).join("")}${padding}};
static_assert(sizeof(${name}) == ${bytes});
static_assert(alignof(${name}) == ${record.alignment});
${offsets.join("")}`;
}

function fieldText(field: Field): string {
  const type = isScalar(field.type) ? CPP_TYPES[field.type] : field.type;
  const count = field.countText === undefined ? "" : `[${field.countText}]`;
  return `    ${field.line ? "alignas(64) " : ""}${type} ${identifier(field.name)}${count};\n`;
}

function identifier(name: string): string {
  const snake = snakeCase(name);
  return KEYWORDS.has(snake) ? `${snake}_` : snake;
}

function numberText(value: number): string {
  return value > 0xffffff ? `0x${value.toString(16)}` : String(value);
}
