// The model of native/base/layout.yaml: every record with its offsets, computed and checked.
import { parse } from "yaml";

export type ScalarType = "u8" | "u16" | "u32" | "f64";

export const SCALAR_BYTES: Record<ScalarType, number> = { u8: 1, u16: 2, u32: 4, f64: 8 };

export interface Field {
  name: string;
  offset: number;
  /** A scalar, or the name of a record when `count` says how many of them follow each other. */
  type: string;
  count: number | undefined;
  /** How the layout writes the count: a number, or a constant's name. */
  countText: string | undefined;
  /** Begins a cache line. */
  line: boolean;
}

export interface RecordLayout {
  name: string;
  fields: Field[];
  bytes: number;
  alignment: number;
  /** Bytes after the last field, up to the size that the layout names. */
  padding: number;
}

export interface Layout {
  constants: Record<string, number>;
  enums: Record<string, string[]>;
  flags: Record<string, string[]>;
  records: RecordLayout[];
}

const CACHE_LINE = 64;

export function isScalar(type: string): type is ScalarType {
  return Object.hasOwn(SCALAR_BYTES, type);
}

export function parseLayout(text: string): Layout {
  const source = parse(text) as {
    constants: Record<string, number>;
    enums: Record<string, string[]>;
    flags: Record<string, string[]>;
    records: Record<string, Record<string, unknown>>;
  };
  const records: RecordLayout[] = [];
  for (const [name, members] of Object.entries(source.records)) {
    records.push(layOut(name, members, records, source.constants));
  }
  for (const [name, members] of Object.entries(source.enums)) {
    if (members.length > 256) throw new Error(`${name}: more than 256 members do not fit a byte`);
  }
  return { constants: source.constants, enums: source.enums, flags: source.flags, records };
}

function layOut(
  name: string,
  members: Record<string, unknown>,
  earlier: RecordLayout[],
  constants: Record<string, number>,
): RecordLayout {
  const fields: Field[] = [];
  let end = 0;
  let alignment = 1;
  for (const [fieldName, declaration] of Object.entries(members)) {
    if (fieldName === "size") continue;
    const { type, countText, line } = declared(`${name}.${fieldName}`, declaration);
    const element = elementOf(`${name}.${fieldName}`, type, earlier);
    const count = countText === undefined ? undefined : (constants[countText] ?? Number(countText));
    if (count !== undefined && !Number.isSafeInteger(count)) {
      throw new Error(`${name}.${fieldName}: ${countText} is neither a constant nor a number`);
    }
    const fieldAlignment = line ? CACHE_LINE : element.alignment;
    alignment = Math.max(alignment, fieldAlignment);
    const offset = roundUp(end, fieldAlignment);
    fields.push({ name: fieldName, offset, type, count, countText, line });
    end = offset + element.bytes * (count ?? 1);
  }
  const bytes = typeof members["size"] === "number" ? members["size"] : roundUp(end, alignment);
  if (end > bytes) throw new Error(`${name}: its fields need ${end} bytes, its size is ${bytes}`);
  if (bytes % alignment !== 0)
    throw new Error(`${name}: size ${bytes} is no multiple of ${alignment}`);
  return { name, fields, bytes, alignment, padding: bytes - end };
}

function declared(where: string, declaration: unknown) {
  const spec =
    typeof declaration === "string"
      ? { type: declaration, line: false }
      : (declaration as { type: string; line?: boolean });
  const match = /^(\w+)(?:\[(\w+)\])?$/.exec(spec.type);
  if (match?.[1] === undefined) throw new Error(`${where}: cannot read the type ${spec.type}`);
  return { type: match[1], countText: match[2], line: spec.line === true };
}

function elementOf(where: string, type: string, earlier: RecordLayout[]) {
  if (isScalar(type)) return { bytes: SCALAR_BYTES[type], alignment: SCALAR_BYTES[type] };
  const record = earlier.find((candidate) => candidate.name === type);
  if (record === undefined)
    throw new Error(`${where}: no scalar or earlier record is called ${type}`);
  return record;
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
