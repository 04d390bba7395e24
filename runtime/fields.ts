// The fields of an answer: checked where the handler gives them, written as native code reads them.
import { ContentType } from "./layout.generated.js";
import { writeLatin1 } from "./region.js";

export type FieldsInit =
  | Headers
  | Iterable<readonly [string, string | number]>
  | Readonly<Record<string, string | number | readonly string[] | undefined>>;

// RFC 9110 §5.6.2.
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// RFC 9110 §5.5: HTAB, printable ASCII and obs-text.
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const BLOCK_MAX = 32 * 1024;

// What native code writes itself: a handler that set them could break the framing of the connection.
const RESERVED = new Set([
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
]);

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

/** The fields of one answer. */
export class FieldBlock {
  /** ContentType of a Content-Type that native code has a constant for; -1: none was given. */
  contentType = -1;
  ownDate = false;
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
    const trimmed = value.trim();
    checkValue(name, trimmed);
    if (lower === "content-type") {
      if (this.contentType >= 0) throw new TypeError("field Content-Type is there twice");
      this.contentType = CONTENT_TYPES.get(trimmed.toLowerCase()) ?? ContentType.none;
      if (this.contentType !== ContentType.none) return;
    } else if (lower === "date") {
      if (this.ownDate) throw new TypeError("field Date is there twice");
      this.ownDate = true;
    }
    this.#lines.push(name, trimmed);
    this.bytes += 4 + name.length + trimmed.length;
    if (this.bytes > BLOCK_MAX) {
      throw new TypeError(`the answer's fields have more than ${BLOCK_MAX} bytes`);
    }
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

function isIterable(init: object): init is Iterable<readonly [string, string | number]> {
  return Symbol.iterator in init;
}

export function makeFields(init: FieldsInit): FieldBlock {
  const block = new FieldBlock();
  if (isIterable(init)) {
    for (const [name, value] of init) block.add(name, String(value));
    return block;
  }
  const record = init as Readonly<Record<string, string | number | readonly string[] | undefined>>;
  for (const name of Object.keys(record)) {
    const value = record[name];
    if (value === undefined) continue;
    if (typeof value === "object") {
      for (const each of value) block.add(name, String(each));
    } else {
      block.add(name, String(value));
    }
  }
  return block;
}

// What a fetched response brings with it and its next hop must not see (RFC 9110 §7.6.1), or native code writes.
const HOP_BY_HOP = new Set([...RESERVED, "proxy-connection", "te", "trailer"]);

/** The fields of a web Response: those that frame the message are dropped, since fetch() has already read it. */
export function fieldsOfResponse(headers: Headers): FieldBlock {
  const block = new FieldBlock();
  for (const [name, value] of headers) {
    if (!HOP_BY_HOP.has(name)) block.add(name, value);
  }
  return block;
}
