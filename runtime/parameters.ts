// Parameters of a path pattern: their type follows from the pattern, their values come from the router's table.
import {
  ParameterKind,
  PARAMETER_BYTES,
  PARAMETER_KIND,
  PARAMETER_LENGTH,
  PARAMETER_OFFSET,
  PARAMETER_VALUE,
  SLOT_PARAMETERS,
  SLOT_PARAMETER_COUNT_HALF,
} from "./layout.generated.js";
import type { Region } from "./region.js";

type Value<Kind extends string> = Kind extends "int" | "float"
  ? number
  : Kind extends "string" | "uuid" | "path"
    ? string
    : UnknownKind<Kind>;

/** Where a pattern has a kind that there is not: the compiler's message shows it. */
export interface UnknownKind<Kind extends string> {
  "unknown kind of parameter": Kind;
  "there are": "string, int, float, uuid and path";
}

type One<Text extends string> = Text extends `${infer Name}:${infer Kind}`
  ? { [key in Name]: Value<Kind> }
  : { [key in Text]: string };

type All<Pattern extends string> = Pattern extends `${string}{${infer Inside}}${infer Rest}`
  ? One<Inside> & All<Rest>
  : unknown;

/**
 * The parameters of a path pattern: `Params<"/results/{roll:int}/{rest:path}">` is `{ roll: number; rest: string }`.
 * Of a pattern that is not known at compile time, each is a string or a number.
 */
export type Params<Pattern extends string> = string extends Pattern
  ? Record<string, string | number>
  : { [Name in keyof All<Pattern>]: All<Pattern>[Name] };

type Unknown<Value> = Value extends UnknownKind<infer Kind> ? UnknownKind<Kind> : never;

/** Anything; but for a pattern with a kind that there is not, what tells so and no function is. */
export type KnownKinds<Pattern extends string> = string extends Pattern
  ? unknown
  : [Unknown<Params<Pattern>[keyof Params<Pattern>]>] extends [never]
    ? unknown
    : Unknown<Params<Pattern>[keyof Params<Pattern>]>;

/** Names of a pattern's parameters, in order. */
export function parameterNames(pattern: string): string[] {
  const names = Array.from(pattern.matchAll(/\{([^}:]+)(?::[^}]*)?\}/g), (match) => match[1] ?? "");
  // Assigning to it would change the object's prototype instead.
  if (names.includes("__proto__")) {
    throw new Error(`${pattern}: __proto__ cannot be a parameter's name: call it something else`);
  }
  return names;
}

// Bytes that are not themselves: an escape, or UTF-8 that was read as latin1.
// eslint-disable-next-line no-control-regex
const ENCODED = /[^\x00-\x24\x26-\x7f]/;
// eslint-disable-next-line no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/;

/**
 * Text of the request's target, read as latin1, with each byte beyond ASCII as an escape: one character's bytes may be
 * raw in part and escaped in part, so that they can only be decoded together.
 */
export function escapedBytes(text: string): string {
  return NOT_ASCII.test(text)
    ? text.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`)
    : text;
}

/** Decodes percent escapes; the router has refused those that are malformed. */
export function percentDecode(text: string): string {
  return ENCODED.test(text) ? decodeURIComponent(escapedBytes(text)) : text;
}

/** `head` is the request's head as latin1: parameters are ranges of it. */
export function readParameters(
  region: Region,
  base: number,
  names: readonly string[],
  head: string,
): Record<string, string | number> {
  const values: Record<string, string | number> = {};
  const count = Math.min(
    region.halves[base * 2 + SLOT_PARAMETER_COUNT_HALF] as number,
    names.length,
  );
  for (let i = 0; i < count; i++) {
    const record = base * 4 + SLOT_PARAMETERS + i * PARAMETER_BYTES;
    const kind = region.words[(record + PARAMETER_KIND) / 4] as number;
    const name = names[i] as string;
    if (kind === ParameterKind.int || kind === ParameterKind.float) {
      values[name] = region.doubles[(record + PARAMETER_VALUE) / 8] as number;
      continue;
    }
    const start = region.halves[(record + PARAMETER_OFFSET) / 2] as number;
    const length = region.halves[(record + PARAMETER_LENGTH) / 2] as number;
    values[name] = percentDecode(head.substring(start, start + length));
  }
  return values;
}
