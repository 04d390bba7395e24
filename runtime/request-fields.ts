// The field lines of a request, looked up in the slot's table without building a map of them.
import {
  FIELD_LINE_BYTES,
  FIELD_LINE_NAME_LENGTH_HALF,
  FIELD_LINE_NAME_OFFSET_HALF,
  FIELD_LINE_VALUE_LENGTH_HALF,
  FIELD_LINE_VALUE_OFFSET_HALF,
  SLOT_FIELDS,
  SLOT_FIELD_COUNT_HALF,
  SLOT_HEAD_OFFSET_WORD,
} from "./layout.generated.js";
import type { RequestView } from "./request.js";
import type { Region } from "./region.js";

const HALVES_PER_LINE = FIELD_LINE_BYTES / 2;

// ASCII letters in lower case, every other byte itself.
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** Field lines by name, without regard to case. Values are latin1, as RFC 9110 §5.5 has them. */
export class RequestFields implements Iterable<[string, string]> {
  readonly #request: RequestView<string>;
  readonly #region: Region;
  readonly #base: number;

  /** Made by the request: use `request.headers`. `base` is the slot's first word. */
  constructor(request: RequestView<string>, region: Region, base: number) {
    this.#request = request;
    this.#region = region;
    this.#base = base;
  }

  /** The field's value, or null. Several lines are one value, joined by ", " (Cookie: by "; "). */
  get(name: string): string | null {
    const head = this.#request.head();
    const first = this.#find(name, 0);
    if (first < 0) return null;
    let value = this.#value(head, first);
    for (let i = this.#find(name, first + 1); i >= 0; i = this.#find(name, i + 1)) {
      value += (name.toLowerCase() === "cookie" ? "; " : ", ") + this.#value(head, i);
    }
    return value;
  }

  /** The values of all lines of that name, in order. */
  getAll(name: string): string[] {
    const head = this.#request.head();
    const values: string[] = [];
    for (let i = this.#find(name, 0); i >= 0; i = this.#find(name, i + 1)) {
      values.push(this.#value(head, i));
    }
    return values;
  }

  has(name: string): boolean {
    this.#request.head();
    return this.#find(name, 0) >= 0;
  }

  /** All lines in the order in which they came, names in lower case. */
  *entries(): Generator<[string, string], void, undefined> {
    const head = this.#request.head();
    const count = this.#count();
    const lines: [string, string][] = [];
    for (let i = 0; i < count; i++) {
      const line = this.#line(i);
      const start = this.#half(line + FIELD_LINE_NAME_OFFSET_HALF);
      const length = this.#half(line + FIELD_LINE_NAME_LENGTH_HALF);
      lines.push([head.substring(start, start + length).toLowerCase(), this.#value(head, i)]);
    }
    yield* lines; // read at once: the request may be over before the iteration is
  }

  [Symbol.iterator](): Generator<[string, string], void, undefined> {
    return this.entries();
  }

  #half(index: number): number {
    return this.#region.halves[index] as number;
  }

  #count(): number {
    return this.#half(this.#base * 2 + SLOT_FIELD_COUNT_HALF);
  }

  #line(index: number): number {
    return this.#base * 2 + SLOT_FIELDS / 2 + index * HALVES_PER_LINE;
  }

  #value(head: string, index: number): string {
    const line = this.#line(index);
    const start = this.#half(line + FIELD_LINE_VALUE_OFFSET_HALF);
    return head.substring(start, start + this.#half(line + FIELD_LINE_VALUE_LENGTH_HALF));
  }

  // Lengths first: they tell most lines apart without looking at a byte.
  #find(name: string, from: number): number {
    const length = name.length;
    const bytes = this.#region.bytes;
    const headOffset = this.#region.words[this.#base + SLOT_HEAD_OFFSET_WORD] as number;
    const count = this.#count();
    for (let i = from; i < count; i++) {
      const line = this.#line(i);
      if (this.#half(line + FIELD_LINE_NAME_LENGTH_HALF) !== length) continue;
      const start = headOffset + this.#half(line + FIELD_LINE_NAME_OFFSET_HALF);
      let at = 0;
      while (at < length && LOWER[bytes[start + at] as number] === LOWER[name.charCodeAt(at)]) {
        at++;
      }
      if (at === length) return i;
    }
    return -1;
  }
}
