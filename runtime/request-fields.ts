// The field lines of a request, looked up in the slot's table without building a map of them.
import { RequestOverError } from "./errors.js";
import type { Exchange } from "./exchange.js";
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

const HALVES_PER_LINE = FIELD_LINE_BYTES / 2;

// ASCII letters in lower case, every other byte itself.
const LOWER = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** Field lines by name, without regard to case. Values are latin1, as RFC 9110 §5.5 has them. */
export class RequestFields implements Iterable<[string, string]> {
  readonly #request: RequestView<string>;
  readonly #exchange: Exchange;

  /** Made by the request: use `request.headers`. */
  constructor(request: RequestView<string>, exchange: Exchange) {
    this.#request = request;
    this.#exchange = exchange;
  }

  // The request's head; throws once the slot is another's, whose table says nothing about this one.
  #head(): string {
    if (this.#exchange.view !== this.#request) throw new RequestOverError();
    return this.#request.head();
  }

  /** The field's value, or null. Several lines are one value, joined by ", " (Cookie: by "; "). */
  get(name: string): string | null {
    const head = this.#head();
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
    const head = this.#head();
    const values: string[] = [];
    for (let i = this.#find(name, 0); i >= 0; i = this.#find(name, i + 1)) {
      values.push(this.#value(head, i));
    }
    return values;
  }

  has(name: string): boolean {
    this.#head();
    return this.#find(name, 0) >= 0;
  }

  /** All lines in the order in which they came, names in lower case. */
  *entries(): Generator<[string, string], void, undefined> {
    const head = this.#head();
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
    return this.#exchange.region.halves[index] as number;
  }

  #count(): number {
    return this.#half(this.#exchange.base * 2 + SLOT_FIELD_COUNT_HALF);
  }

  #line(index: number): number {
    return this.#exchange.base * 2 + SLOT_FIELDS / 2 + index * HALVES_PER_LINE;
  }

  #value(head: string, index: number): string {
    const line = this.#line(index);
    const start = this.#half(line + FIELD_LINE_VALUE_OFFSET_HALF);
    return head.substring(start, start + this.#half(line + FIELD_LINE_VALUE_LENGTH_HALF));
  }

  // Lengths first: they tell most lines apart without looking at a byte.
  #find(name: string, from: number): number {
    const length = name.length;
    const bytes = this.#exchange.region.bytes;
    const headOffset = this.#exchange.region.words[
      this.#exchange.base + SLOT_HEAD_OFFSET_WORD
    ] as number;
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
