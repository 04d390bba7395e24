// The fields of an answer: checked where the handler gives them, written as native code reads them.
import { ANSWER_FIELDS_BYTES, ContentType, SEGMENT_BYTES } from "./layout.generated.js";
import { writeLatin1 } from "./region.js";

export type FieldsInit =
  | Headers
  | Iterable<readonly [string, string | number]>
  | Readonly<Record<string, string | number | readonly string[] | undefined>>;

// RFC 9110 §5.6.2.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// RFC 9110 §5.5: HTAB, printable ASCII and obs-text.
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Bytes of an answer's trailers: with what native code writes around them, they fit any run of credits. */
export const TRAILERS_MAX = SEGMENT_BYTES - 64;

// What native code writes itself: a handler that set them could break the framing of the connection.
const RESERVED = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
]);

// Those, and what else is of one connection only (RFC 9110 §7.6.1).
const HOP_BY_HOP = new Set([...RESERVED, "proxy-connection", "te", "trailer"]);

// What a recipient needs before the body, or must not take from behind it (RFC 9110 §6.5.1): framing, routing,
// controls and conditions, authentication, what describes the answer.
const NOT_IN_TRAILERS = new Set([
  ...HOP_BY_HOP,
  ...["host", "forwarded", "max-forwards", "expect", "range", "cache-control", "pragma"],
  ...["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"],
  ...["authorization", "www-authenticate", "proxy-authorization", "proxy-authenticate"],
  ...["cookie", "set-cookie"],
  ...["age", "date", "expires", "location", "retry-after", "vary", "warning"],
]);

/** `name` in lower case. Content-Digest is made for trailers (RFC 9530 §2), whatever else says what the body is is not. */
export function isForbiddenTrailer(name: string): boolean {
  return NOT_IN_TRAILERS.has(name) || (name.startsWith("content-") && name !== "content-digest");
}

const CONTENT_TYPES = new Map<string, number>([
  ["text/plain; charset=utf-8", ContentType.textPlain],
  ["application/json", ContentType.json],
  ["text/html; charset=utf-8", ContentType.html],
  ["application/octet-stream", ContentType.octetStream],
]);

// Names that have been checked, in lower case: a server sets the same few again and again.
const CHECKED_MAX = 256;
const checked = new Map<string, string>();

function checkName(name: string): string {
  const known = checked.get(name);
  if (known !== undefined) return known;
  if (!TOKEN.test(name)) {
    throw new TypeError(`field name ${JSON.stringify(name)} is no token (RFC 9110 §5.6.2)`);
  }
  const lower = name.toLowerCase();
  if (RESERVED.has(lower)) {
    throw new TypeError(`field ${name} is the server's to write: leave it out`);
  }
  if (checked.size < CHECKED_MAX) checked.set(name, lower);
  return lower;
}

function checkValue(name: string, value: string): void {
  if (VALUE.test(value)) return;
  const at = Array.from(value).findIndex((character) => !VALUE.test(character));
  const code = (value.codePointAt(at) ?? 0).toString(16).padStart(4, "0").toUpperCase();
  throw new TypeError(
    `field ${name}: character U+${code} at ${at} cannot be in a field's value: encode it`,
  );
}

const SPACE = 0x20;
const TAB = 0x09;

// RFC 9110 §5.5: SP and HTAB around a value are no part of it. Line ends are not repaired, and a no-break space is obs-text.
function withoutBlanks(value: string): string {
  const isBlank = (at: number): boolean => {
    const code = value.charCodeAt(at);
    return code === SPACE || code === TAB;
  };
  let begin = 0;
  let end = value.length;
  while (begin < end && isBlank(begin)) begin++;
  while (end > begin && isBlank(end - 1)) end--;
  return value.slice(begin, end);
}

/** The fields of one answer. */
export class FieldBlock {
  /** ContentType of a Content-Type that native code has a constant for; -1: none was given. */
  contentType = -1;
  ownDate = false;
  /** Value of Trailer: written if there are trailers (announcing()); null: none was given. */
  trailer: string | null = null;
  /** Bytes that write() will write. */
  bytes = 0;
  readonly #lines: string[] = [];

  add(name: string, value: string): void {
    const lower = checkName(name);
    if (lower === "content-type" && this.contentType < 0) {
      const known = CONTENT_TYPES.get(value);
      if (known !== undefined) {
        this.contentType = known;
        return;
      }
    }
    checkValue(name, value);
    const trimmed = withoutBlanks(value);
    if (lower === "content-type") {
      if (this.contentType >= 0) throw new TypeError("field Content-Type is there twice");
      this.contentType = CONTENT_TYPES.get(trimmed.toLowerCase()) ?? ContentType.none;
      if (this.contentType !== ContentType.none) return;
    } else if (lower === "date") {
      if (this.ownDate) throw new TypeError("field Date is there twice");
      this.ownDate = true;
    } else if (lower === "trailer") {
      this.trailer = this.trailer === null ? trimmed : `${this.trailer}, ${trimmed}`;
      return;
    }
    this.#append(name, trimmed);
  }

  /** Adds a field of the trailer section. */
  addTrailer(name: string, value: string): void {
    if (isForbiddenTrailer(name.toLowerCase())) {
      throw new TypeError(
        `field ${name} cannot be a trailer (RFC 9110 §6.5.1): give it with the answer's fields, or leave it out`,
      );
    }
    this.add(name, value);
    if (this.bytes > TRAILERS_MAX) {
      throw new TypeError(`the answer's trailers have more than ${TRAILERS_MAX} bytes`);
    }
  }

  /** The names of its fields, each once. */
  names(): string {
    return [...new Set(this.#lines.filter((_, i) => i % 2 === 0))].join(", ");
  }

  /** These fields with `Trailer` among them: as the handler has set it, else with these names. */
  announcing(names: string): FieldBlock {
    const value = this.trailer ?? names;
    if (value === "") return this;
    const block = new FieldBlock();
    block.contentType = this.contentType;
    block.ownDate = this.ownDate;
    block.bytes = this.bytes;
    block.#lines.push(...this.#lines);
    block.#append("Trailer", value);
    return block;
  }

  #append(name: string, value: string): void {
    this.#lines.push(name, value);
    this.bytes += 4 + name.length + value.length;
    checkBytes(this, ANSWER_FIELDS_BYTES);
  }

  /** u16 name length, u16 value length, name, value; repeated. Little-endian, not aligned. */
  write(bytes: Buffer, offset: number): void {
    let at = offset;
    for (let i = 0; i < this.#lines.length; i += 2) {
      const name = this.#lines[i] as string;
      const value = this.#lines[i + 1] as string;
      bytes[at] = name.length;
      bytes[at + 1] = name.length >> 8;
      bytes[at + 2] = value.length;
      bytes[at + 3] = value.length >> 8;
      at = writeLatin1(bytes, name, at + 4);
      at = writeLatin1(bytes, value, at);
    }
  }
}

/** Throws if they have more than `most` bytes: their names and values, and 4 more for each. */
export function checkBytes(block: FieldBlock, most: number): void {
  if (block.bytes > most) throw new TypeError(`the answer's fields have more than ${most} bytes`);
}

function isIterable(init: object): init is Iterable<readonly [string, string | number]> {
  return Symbol.iterator in init;
}

export function makeFields(init: FieldsInit): FieldBlock {
  const block = new FieldBlock();
  eachField(init, (name, value) => {
    block.add(name, value);
  });
  return block;
}

/** Fields for behind the body; null if there are none. */
export function makeTrailers(init: FieldsInit | undefined | null): FieldBlock | null {
  if (init === undefined || init === null) return null;
  if (typeof init !== "object" || "then" in init) {
    const what = typeof init === "object" ? "promise" : typeof init;
    throw new TypeError(
      `the answer's trailers are a ${what}: give fields, or a function that returns them`,
    );
  }
  const block = new FieldBlock();
  eachField(init, (name, value) => {
    block.addTrailer(name, value);
  });
  return block.bytes === 0 ? null : block;
}

function eachField(init: FieldsInit, add: (name: string, value: string) => void): void {
  if (typeof init !== "object") {
    throw new TypeError(`the answer's fields are a ${typeof init}: give an object, or pairs`);
  }
  if (!isIterable(init)) {
    for (const [name, value] of Object.entries(init)) {
      if (value !== undefined) eachValue(name, value, add);
    }
    return;
  }
  for (const pair of init as Iterable<unknown>) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string") {
      throw new TypeError("the answer's fields are no pairs: give [name, value] for each");
    }
    eachValue(pair[0], pair[1], add);
  }
}

function eachValue(name: string, value: unknown, add: (name: string, value: string) => void): void {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const each of values) add(name, fieldText(name, each));
}

// What String() would make of the rest (`null`, `[object Object]`, `Symbol(…)`) nobody means.
function fieldText(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    return String(value);
  }
  const what = value === null ? "null" : typeof value;
  throw new TypeError(`field ${name} is ${what}: give a string, a number, or an array of them`);
}

// What Node's fetch() decodes; where one of several is another one, it decodes none.
const DECODED = /^\s*(?:(?:x-gzip|gzip|deflate|br)\s*(?:,\s*|$))+$/i;

/**
 * The fields of a web Response: those that frame the message are dropped, since fetch() has already read it; and the
 * coding of the content, if fetch() has undone it.
 */
export function fieldsOfResponse({ headers, url, body }: Response): FieldBlock {
  const block = new FieldBlock();
  const isFetched = url !== "" && body !== null;
  for (const [name, value] of headers) {
    if (HOP_BY_HOP.has(name)) continue;
    if (isFetched && name === "content-encoding" && DECODED.test(value)) continue;
    block.add(name, value);
  }
  return block;
}
