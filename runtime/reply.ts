// What a handler may answer.
import type { Readable } from "node:stream";
import { types } from "node:util";
import { type FieldBlock, type FieldsInit, makeFields, makeTrailers } from "./fields.js";

export type Chunk = string | ArrayBufferView | ArrayBuffer;

/** A body that is sent as it comes. */
export type StreamBody =
  ReadableStream<Uint8Array> | Readable | AsyncIterable<Chunk> | Iterable<Chunk>;

/**
 * A string, bytes, a Blob (with its type), a stream, or an object that is sent as JSON: a plain one, an array, or one of
 * a class that has fields or toJSON().
 */
export type Body =
  string | ArrayBufferView | ArrayBuffer | Blob | StreamBody | object | null | undefined;

export type Answer = Body | Reply | Response;

/** Fields behind a streamed body, or a function that is called once the stream has ended and returns them. */
export type Trailers = FieldsInit | MakeTrailers;

export type MakeTrailers = () => FieldsInit | undefined | PromiseLike<FieldsInit | undefined>;

export interface ReplyOptions {
  /**
   * Bytes of the body. An answer with a stream then carries Content-Length, and breaks off if it has more or fewer; with
   * any other body, whose length is known, another one is an error.
   */
  length?: number | undefined;
  /**
   * For a streamed body whose length is not known, over HTTP/1.1; dropped with any other. `Trailer` announces them: with
   * the names of the fields given here, or as it is among the answer's fields (for a function, whose names come too late).
   * Trailers may be lost on their way: nothing that a client must have belongs there (RFC 9110 §6.5.1).
   */
  trailers?: Trailers | undefined;
}

const BRAND = Symbol.for("pinion.Reply");

/** An answer with status and fields: made by reply(). */
export class Reply {
  readonly status: number;
  /** A promise is waited for. */
  readonly body: Body | PromiseLike<Body>;
  readonly fields: FieldBlock | null;
  /** Bytes of the body, as the handler has given them; else -1. */
  readonly length: number;
  readonly trailers: FieldBlock | MakeTrailers | null;

  constructor(
    status: number,
    body: Body | PromiseLike<Body>,
    fields: FieldBlock | null,
    length: number,
    trailers: FieldBlock | MakeTrailers | null,
  ) {
    this.status = status;
    this.body = body;
    this.fields = fields;
    this.length = length;
    this.trailers = trailers;
  }

  /** Known by a symbol: a handler may have loaded another copy of this module. */
  get [BRAND](): true {
    return true;
  }
}

export function isReply(value: object): value is Reply {
  return value instanceof Reply || BRAND in value;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as { then?: unknown }).then === "function"
  );
}

/** 204, 205 and 304 have no body (RFC 9110 §6.4.1). */
export function hasNoBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/** By its tag: to name the class would load the whole of fetch() into a worker that does not use it. */
export function hasTag(value: object, tag: string): boolean {
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === tag;
}

export function isBlob(value: object): value is Blob {
  return hasTag(value, "Blob") || hasTag(value, "File");
}

/** Arrays, and whatever says how it is written as JSON, are JSON; everything else that can be iterated is a stream. */
export function isStream(body: object): body is StreamBody {
  if (Array.isArray(body) || "toJSON" in body) return false;
  return Symbol.asyncIterator in body || Symbol.iterator in body;
}

// Bytes that a body will have; -1: not known yet.
function lengthOf(body: Body | PromiseLike<Body>): number {
  if (body === null || body === undefined) return 0;
  if (typeof body === "string") return Buffer.byteLength(body);
  if (typeof body !== "object" || isThenable(body)) return -1;
  if (ArrayBuffer.isView(body) || types.isAnyArrayBuffer(body)) return body.byteLength;
  if (isStream(body)) return -1;
  if (isBlob(body)) return body.size;
  const json = JSON.stringify(body) as string | undefined;
  return json === undefined ? -1 : Buffer.byteLength(json);
}

/** Throws if a body does not have the `length` that the handler has given; -1: it has given none, or `bytes` is not known. */
export function checkLength(bytes: number, length: number): void {
  if (bytes < 0 || length < 0 || bytes === length) return;
  throw new RangeError(`reply: the body has ${bytes} bytes, its length was given as ${length}`);
}

/**
 * An answer with a status (200 to 599), a body as a handler returns it (or a promise of one), and fields, checked here.
 * A number instead of the options is their `length`.
 */
export function reply(
  status: number,
  body: Body | PromiseLike<Body> = null,
  fields?: FieldsInit,
  options: number | ReplyOptions = {},
): Reply {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`reply: status ${status} is out of range: use 200 to 599`);
  }
  if (hasNoBody(status) && body !== null && body !== undefined && body !== "") {
    throw new TypeError(`reply: an answer with status ${status} has no body: leave it out`);
  }
  if (typeof options !== "number" && (typeof options !== "object" || options === null)) {
    throw new TypeError("reply: the options are no object: give { length } or { trailers }");
  }
  const { length, trailers }: ReplyOptions =
    typeof options === "number" ? { length: options } : options;
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 0)) {
    throw new RangeError(`reply: length ${length} is no number of bytes`);
  }
  if (length !== undefined) checkLength(lengthOf(body), length);
  const block = fields === undefined || fields === null ? null : makeFields(fields);
  if (trailers === undefined && block !== null && block.trailer !== null) {
    throw new TypeError(
      "reply: field Trailer announces fields behind the body: give them as { trailers }, or leave it out",
    );
  }
  const made = typeof trailers === "function" ? trailers : makeTrailers(trailers);
  return new Reply(status, body, block, length ?? -1, made);
}
