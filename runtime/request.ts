// The request as a handler sees it: a lazy view over a slot. A value is copied when it is first read, and stays; the first
// read of anything after the request has been answered is an error, never another request's bytes.
import { nanoid } from "nanoid";
import type { BodyReader } from "./body-reader.js";
import { BadRequestError, RequestAbortedError, RequestOverError } from "./errors.js";
import type { Exchange } from "./exchange.js";
import {
  AbortReason,
  ID_BYTES,
  RequestFlag,
  SLOT_BODY_LENGTH_WORD,
  SLOT_BODY_OFFSET_WORD,
  SLOT_HEAD_LENGTH_WORD,
  SLOT_HEAD_OFFSET_WORD,
  SLOT_ID,
  SLOT_METHOD,
  SLOT_MINOR_VERSION,
  SLOT_PATH_LENGTH_HALF,
  SLOT_PATH_OFFSET_HALF,
  SLOT_QUERY_LENGTH_HALF,
  SLOT_QUERY_OFFSET_HALF,
  SLOT_ROUTE_WORD,
  SLOT_TARGET_LENGTH_HALF,
  SLOT_TARGET_OFFSET_HALF,
} from "./layout.generated.js";
import { METHODS, type Method } from "./methods.js";
import { escapedBytes, type Params, readParameters } from "./parameters.js";
import { RequestFields } from "./request-fields.js";
import { RequestTrailers } from "./request-trailers.js";

/** What the views of one lane share. */
export interface RequestContext {
  routes: readonly { pattern: string; parameters: readonly string[] }[];
  remoteAddress(slot: number, generation: number): { address: string; port: number } | null;
}

export class RequestView<Pattern extends string = string> {
  readonly #exchange: Exchange;
  readonly #context: RequestContext;
  #head: string | undefined = undefined;
  #params: Params<Pattern> | undefined = undefined;
  #query: URLSearchParams | undefined = undefined;
  #headers: RequestFields | undefined = undefined;
  #trailers: RequestTrailers | undefined = undefined;
  #id: string | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;
  #remote: { address: string; port: number } | null | undefined = undefined;
  #stream: ReadableStream<Uint8Array> | null | undefined = undefined;
  #bodyUsed = false;

  /** Made by the dispatcher. */
  constructor(exchange: Exchange, context: RequestContext) {
    this.#exchange = exchange;
    this.#context = context;
  }

  // The slot, as long as it is this request's.
  #live(): Exchange {
    const exchange = this.#exchange;
    if (exchange.view !== (this as unknown)) throw new RequestOverError();
    return exchange;
  }

  /** The head as latin1, for whoever cuts ranges out of it. */
  head(): string {
    if (this.#head !== undefined) return this.#head;
    const exchange = this.#live();
    const { words, bytes } = exchange.region;
    const offset = words[exchange.base + SLOT_HEAD_OFFSET_WORD] as number;
    const length = words[exchange.base + SLOT_HEAD_LENGTH_WORD] as number;
    this.#head = bytes.toString("latin1", offset, offset + length);
    return this.#head;
  }

  #range(offsetHalf: number, lengthHalf: number): string {
    const exchange = this.#live();
    const halves = exchange.region.halves;
    const start = halves[exchange.base * 2 + offsetHalf] as number;
    return this.head().substring(start, start + (halves[exchange.base * 2 + lengthHalf] as number));
  }

  get method(): Method {
    const exchange = this.#live();
    const index = exchange.region.bytes[exchange.base * 4 + SLOT_METHOD] as number;
    return METHODS[index] as Method;
  }

  /** The request target as sent. */
  get target(): string {
    return this.#range(SLOT_TARGET_OFFSET_HALF, SLOT_TARGET_LENGTH_HALF);
  }

  /** The target's path as sent: percent escapes and all. */
  get path(): string {
    return this.#range(SLOT_PATH_OFFSET_HALF, SLOT_PATH_LENGTH_HALF);
  }

  /** The query as sent, without the question mark. */
  get queryString(): string {
    return this.#range(SLOT_QUERY_OFFSET_HALF, SLOT_QUERY_LENGTH_HALF);
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(escapedBytes(this.queryString));
    return this.#query;
  }

  /** The pattern's parameters, decoded: numbers for int and float, strings for the others. */
  get params(): Params<Pattern> {
    if (this.#params !== undefined) return this.#params;
    const exchange = this.#live();
    const names = this.#route(exchange)?.parameters ?? [];
    const head = names.length > 0 ? this.head() : "";
    const values = readParameters(exchange.region, exchange.base, names, head);
    this.#params = values as Params<Pattern>;
    return this.#params;
  }

  /** The pattern of the route that was found. */
  get route(): string {
    return this.#route(this.#live())?.pattern ?? "";
  }

  #route(exchange: Exchange): { pattern: string; parameters: readonly string[] } | undefined {
    return this.#context.routes[exchange.region.words[exchange.base + SLOT_ROUTE_WORD] as number];
  }

  get headers(): RequestFields {
    if (this.#headers === undefined) {
      this.#headers = new RequestFields(this as unknown as RequestView<string>, this.#live());
    }
    return this.#headers;
  }

  /** Trailer fields of a chunked body: there once it has been read to its end, empty before and without any. */
  get trailers(): RequestTrailers {
    if (this.#trailers === undefined) {
      const exchange = this.#live();
      const chunked = (exchange.requestFlags() & RequestFlag.chunked) !== 0;
      this.#trailers = new RequestTrailers(chunked ? exchange.reader() : null);
    }
    return this.#trailers;
  }

  get httpVersion(): "1.0" | "1.1" {
    const exchange = this.#live();
    const minor = exchange.region.bytes[exchange.base * 4 + SLOT_MINOR_VERSION];
    return minor === 0 ? "1.0" : "1.1";
  }

  /** The client's address; null on a Unix socket, or if its connection is gone. */
  get remoteAddress(): string | null {
    return this.#peer()?.address ?? null;
  }

  get remotePort(): number | null {
    return this.#peer()?.port ?? null;
  }

  #peer(): { address: string; port: number } | null {
    if (this.#remote === undefined) {
      const exchange = this.#live();
      this.#remote = this.#context.remoteAddress(exchange.slot, exchange.generation);
    }
    return this.#remote;
  }

  /** Names the request in the logs and in the answer of a 500. */
  get id(): string {
    if (this.#id !== undefined) return this.#id;
    const exchange = this.#live();
    const start = exchange.base * 4 + SLOT_ID;
    this.#id =
      (exchange.requestFlags() & RequestFlag.hasId) !== 0
        ? exchange.region.bytes.toString("latin1", start, start + ID_BYTES)
        : nanoid();
    return this.#id;
  }

  /** Fires once when the client is gone or the handler's time is up. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const exchange = this.#live();
      const controller = new AbortController();
      exchange.controller = controller;
      const reason = exchange.halfClosed ? AbortReason.halfClosed : exchange.abortReason;
      if (reason >= 0) controller.abort(new RequestAbortedError(reason));
      this.#signal = controller.signal;
    }
    return this.#signal;
  }

  // --- body: read once, in one of these ways ---

  get bodyUsed(): boolean {
    return this.#bodyUsed;
  }

  #use(): Exchange {
    const exchange = this.#live();
    if (this.#bodyUsed) throw new TypeError("the request body has been read already: keep it");
    this.#bodyUsed = true;
    return exchange;
  }

  // Short bodies come whole with the head: nothing to wait for, and one decoding is their only copy.
  #whole(exchange: Exchange): boolean {
    return exchange.body === null && (exchange.requestFlags() & RequestFlag.bodyComplete) !== 0;
  }

  async #collect(exchange: Exchange): Promise<Uint8Array<ArrayBuffer>> {
    const reader = exchange.reader();
    // One buffer that doubles: parts of a byte each do not pile up.
    let whole = new Uint8Array(0);
    let length = 0;
    for (let part = await reader.read(); part !== null; part = await reader.read()) {
      if (length + part.length > whole.length) {
        const larger = new Uint8Array(Math.max(2 * whole.length, length + part.length));
        larger.set(whole.subarray(0, length));
        whole = larger;
      }
      whole.set(part, length);
      length += part.length;
    }
    return whole.length === length ? whole : whole.slice(0, length);
  }

  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const exchange = this.#use();
    return this.#whole(exchange) ? exchange.inlineBody() : this.#collect(exchange);
  }

  /** The body as UTF-8; what is not valid is replaced by U+FFFD, a byte order mark dropped. */
  async text(): Promise<string> {
    const exchange = this.#use();
    return this.#whole(exchange) ? wholeText(exchange) : decode(await this.#collect(exchange));
  }

  /** The body as JSON; what is not valid is a BadRequestError: a 400 unless the handler catches it. */
  json<Value = unknown>(): Promise<Value> {
    try {
      const exchange = this.#use();
      // No async function: what is there already needs one promise, not three.
      if (this.#whole(exchange)) return Promise.resolve(parse<Value>(wholeText(exchange)));
      return this.#collect(exchange).then((whole) => parse<Value>(decode(whole)));
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what was thrown
      return Promise.reject(error);
    }
  }

  /** The body as it comes. Leaving the loop early drops the rest. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const exchange = this.#use();
    const reader = exchange.reader();
    try {
      for (let part = await reader.read(); part !== null; part = await reader.read()) yield part;
    } finally {
      reader.discard();
    }
  }

  /** The body as a web stream; null if the request has none. */
  get body(): ReadableStream<Uint8Array> | null {
    if (this.#stream !== undefined) return this.#stream;
    const exchange = this.#live();
    if ((exchange.requestFlags() & RequestFlag.hasBody) === 0) {
      this.#stream = null;
      return null;
    }
    if (this.#bodyUsed) this.#use();
    // Whoever only looks whether there is one has not read it.
    let reader: BodyReader | undefined;
    const used = (): BodyReader => (reader ??= this.#use().reader());
    this.#stream = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const part = await used().read();
          if (part === null) controller.close();
          else controller.enqueue(part);
        },
        cancel() {
          used().discard();
        },
      },
      { highWaterMark: 0 },
    );
    return this.#stream;
  }
}

function parse<Value>(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    throw new BadRequestError("the request body is not valid JSON", { cause: error });
  }
}

function wholeText({ region, base }: Exchange): string {
  const offset = region.words[base + SLOT_BODY_OFFSET_WORD] as number;
  const length = region.words[base + SLOT_BODY_LENGTH_WORD] as number;
  return withoutMark(region.bytes.toString("utf8", offset, offset + length));
}

function decode(whole: Uint8Array): string {
  return withoutMark(Buffer.from(whole.buffer).toString("utf8"));
}

function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
