// The trailer fields of a request's chunked body (RFC 9110 §6.5), as they are known once the body has been read.
import type { BodyReader } from "./body-reader.js";
import { isForbiddenTrailer } from "./fields.js";

/**
 * Field lines by name, without regard to case, as in `request.headers`; never merged with those. Empty until the body
 * has been read to its end, and for bodies without trailers. Fields that have no business in trailers (framing, routing,
 * authentication, what the body is: RFC 9110 §6.5.1) are left out.
 */
export class RequestTrailers implements Iterable<[string, string]> {
  readonly #body: BodyReader | null;
  #known: [string, string][] | null = null;

  /** Made by the request: use `request.trailers`. `body`: null if there cannot be any. */
  constructor(body: BodyReader | null) {
    this.#body = body;
  }

  /** The field's value, or null. Several lines are one value, joined by ", ". */
  get(name: string): string | null {
    const values = this.getAll(name);
    return values.length === 0 ? null : values.join(", ");
  }

  /** The values of all lines of that name, in order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.#lines()
      .filter(([each]) => each === wanted)
      .map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.getAll(name).length > 0;
  }

  /** All lines in the order in which they came, names in lower case. */
  *entries(): Generator<[string, string], void, undefined> {
    for (const [name, value] of this.#lines()) yield [name, value];
  }

  [Symbol.iterator](): Generator<[string, string], void, undefined> {
    return this.entries();
  }

  #lines(): readonly [string, string][] {
    if (this.#known !== null) return this.#known;
    const text = this.#body?.trailers ?? "";
    if (text === "") return [];
    this.#known = parseTrailers(text);
    return this.#known;
  }
}

const BLANKS_AROUND = /^[\t ]+|[\t ]+$/g;

// Native code has checked each byte: a name, a colon, a value, CRLF; no line is folded.
function parseTrailers(text: string): [string, string][] {
  const lines: [string, string][] = [];
  for (const line of text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue; // behind the last CRLF
    const name = line.slice(0, colon).toLowerCase();
    if (isForbiddenTrailer(name)) continue;
    lines.push([name, line.slice(colon + 1).replace(BLANKS_AROUND, "")]);
  }
  return lines;
}
