// What a handler may answer.
import type { Readable } from "node:stream";
import { type FieldBlock, type FieldsInit, makeFields } from "./fields.js";

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

const BRAND = Symbol.for("pinion.Reply");

/** An answer with status and fields: made by reply(). */
export class Reply {
  readonly status: number;
  /** A promise is waited for. */
  readonly body: Body | PromiseLike<Body>;
  readonly fields: FieldBlock | null;
  /** Bytes of a streamed body, if they are known beforehand; else -1. */
  readonly length: number;

  constructor(
    status: number,
    body: Body | PromiseLike<Body>,
    fields: FieldBlock | null,
    length: number,
  ) {
    this.status = status;
    this.body = body;
    this.fields = fields;
    this.length = length;
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

/**
 * An answer with a status (200 to 599), a body as a handler returns it (or a promise of one), and fields, checked here.
 * `length` says how many bytes a streamed body will have: the answer then carries Content-Length; a stream that has
 * more or less fails.
 */
export function reply(
  status: number,
  body: Body | PromiseLike<Body> = null,
  fields?: FieldsInit,
  length?: number,
): Reply {
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`reply: status ${status} is out of range: use 200 to 599`);
  }
  if (hasNoBody(status) && body !== null && body !== undefined && body !== "") {
    throw new TypeError(`reply: an answer with status ${status} has no body: leave it out`);
  }
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 0)) {
    throw new RangeError(`reply: length ${length} is no number of bytes`);
  }
  return new Reply(status, body, fields === undefined ? null : makeFields(fields), length ?? -1);
}
