// Writes a whole answer: behind the request if it fits there, else into memory of the lane's credits. What is too large
// for one piece becomes a stream of parts. Of one whose text the reactor keeps only the head is written.
import { types } from "node:util";
import type { Exchange } from "./exchange.js";
import { checkBytes, FieldBlock, fieldsOfResponse } from "./fields.js";
import { KEPT_LEAST } from "./kept-bodies.js";
import {
  AnswerFlag,
  ContentType,
  EntryType,
  HEADROOM_BYTES,
  RequestFlag,
  SEGMENT_BYTES,
  SlotState,
  SLOT_ANSWER_END_WORD,
  SLOT_ANSWER_FIELDS_LENGTH_WORD,
  SLOT_ANSWER_FIELDS_OFFSET_WORD,
  SLOT_ANSWER_OFFSET_WORD,
} from "./layout.generated.js";
import type { Waiter } from "./lane.js";
import { headWord, SLOT_ANSWER_HEAD_WORD, writeText } from "./region.js";
import {
  type Body,
  checkLength,
  hasNoBody,
  hasTag,
  isBlob,
  isReply,
  isStream,
  isThenable,
  type MakeTrailers,
  Reply,
} from "./reply.js";
import { asBytes, discardStream, StreamAnswer } from "./stream-answer.js";

// More than this is not copied into one contiguous range: smaller pieces leave earlier and fit anywhere.
const ONE_PIECE_MAX = 4 * SEGMENT_BYTES;
const WHOLE = AnswerFlag.last | AnswerFlag.lengthKnown;

/** Head word of a plain 200 with text. */
export const TEXT = headWord(200, ContentType.textPlain, WHOLE);

/** `word`: from headWord(), with `last` and `lengthKnown`. */
export function answerText(
  exchange: Exchange,
  text: string,
  word: number,
  fields: FieldBlock | null,
): void {
  if (text.length >= KEPT_LEAST && answerKept(exchange, text, word, fields)) return;
  const { region } = exchange.lane;
  const start = region.words[exchange.base + SLOT_ANSWER_OFFSET_WORD] as number;
  const end = region.words[exchange.base + SLOT_ANSWER_END_WORD] as number;
  const room = end - start - HEADROOM_BYTES - (fields === null ? 0 : fields.bytes);
  const length = text.length;
  const at = start + HEADROOM_BYTES;
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (length * 3 <= room) {
    return pushWhole(exchange, word, fields, at, writeText(region.bytes, text, at, room));
  }
  // Mostly it is one. A character has up to four: text that was cut off would have filled more than room - 4.
  if (length <= room - 4 && writeText(region.bytes, text, at, room) === length) {
    return pushWhole(exchange, word, fields, at, length);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes <= room) {
    pushWhole(exchange, word, fields, at, writeText(region.bytes, text, at, room));
  } else {
    answerFromCredits(exchange, text, bytes, word, fields);
  }
}

export function answerBytes(
  exchange: Exchange,
  body: Uint8Array,
  word: number,
  fields: FieldBlock | null,
): void {
  const { region } = exchange.lane;
  const start = region.words[exchange.base + SLOT_ANSWER_OFFSET_WORD] as number;
  const end = region.words[exchange.base + SLOT_ANSWER_END_WORD] as number;
  const room = end - start - HEADROOM_BYTES - (fields === null ? 0 : fields.bytes);
  if (body.length <= room) {
    const at = start + HEADROOM_BYTES;
    region.bytes.set(body, at);
    pushWhole(exchange, word, fields, at, body.length);
  } else {
    answerFromCredits(exchange, body, body.length, word, fields);
  }
}

/** Writes the head's words and the fields, which lie behind the body. */
export function writeHead(
  exchange: Exchange,
  word: number,
  fields: FieldBlock | null,
  fieldsOffset: number,
): void {
  const { words, bytes } = exchange.lane.region;
  const base = exchange.base;
  words[base + SLOT_ANSWER_HEAD_WORD] = word;
  if (fields === null || fields.bytes === 0) {
    words[base + SLOT_ANSWER_FIELDS_LENGTH_WORD] = 0;
    return;
  }
  fields.write(bytes, fieldsOffset);
  words[base + SLOT_ANSWER_FIELDS_OFFSET_WORD] = fieldsOffset;
  words[base + SLOT_ANSWER_FIELDS_LENGTH_WORD] = fields.bytes;
}

function pushWhole(
  exchange: Exchange,
  word: number,
  fields: FieldBlock | null,
  at: number,
  length: number,
): void {
  writeHead(exchange, word, fields, at + length);
  pushAnswer(exchange, at, length);
}

function pushAnswer(exchange: Exchange, at: number, argument: number): void {
  exchange.dropBody();
  if (!exchange.move(SlotState.started, SlotState.answered)) return;
  exchange.lane.push(EntryType.answer, exchange.slot, exchange.generation, at, argument);
  exchange.retire();
}

// False: the text is not kept, or there is no room for a head now.
function answerKept(
  exchange: Exchange,
  text: string,
  word: number,
  fields: FieldBlock | null,
): boolean {
  const { lane, base } = exchange;
  const number = lane.kept.find(text);
  if (number < 0) return false;
  const { words } = lane.region;
  const needed = HEADROOM_BYTES + (fields === null ? 0 : fields.bytes);
  let start = words[base + SLOT_ANSWER_OFFSET_WORD] as number;
  if ((words[base + SLOT_ANSWER_END_WORD] as number) - start < needed) {
    if (lane.crowded || !lane.canHold(needed)) return false;
    start = lane.allocate(needed, needed);
    if (start < 0) return false;
  }
  const at = start + HEADROOM_BYTES;
  writeHead(exchange, word | (AnswerFlag.keptBody << 24), fields, at);
  pushAnswer(exchange, at, number);
  return true;
}

function answerFromCredits(
  exchange: Exchange,
  body: string | Uint8Array,
  length: number,
  word: number,
  fields: FieldBlock | null,
): void {
  const needed = HEADROOM_BYTES + length + (fields === null ? 0 : fields.bytes);
  const { lane } = exchange;
  const whole = needed <= ONE_PIECE_MAX && lane.canHold(needed);
  // The body of an answer to HEAD is not sent, only measured.
  const headOnly = (exchange.requestFlags() & RequestFlag.head) !== 0;
  const stream = (): void => {
    const parts = headOnly ? null : [asBytes(body)];
    new StreamAnswer(exchange, word & ~(WHOLE << 24), fields, length, parts, null).start();
  };
  if (!whole || headOnly) return stream();
  const write = (): boolean => {
    // What the range holds from before must never leave.
    if (typeof body !== "string" && body.length !== length) {
      exchange.rejected(
        new TypeError("the answer's bytes were detached or resized while it waited"),
      );
      return true;
    }
    const start = lane.allocate(needed, needed);
    if (start < 0) return false;
    const at = start + HEADROOM_BYTES;
    const { bytes } = lane.region;
    if (typeof body === "string") writeText(bytes, body, at, length);
    else bytes.set(body, at);
    pushWhole(exchange, word, fields, at, length);
    return true;
  };
  if (!lane.crowded && write()) return;
  const waiter: Waiter = {
    resume() {
      if (exchange.detached) {
        exchange.resolved(undefined);
        return true;
      }
      if (exchange.abandoned()) {
        exchange.giveBack();
        return true;
      }
      if (lane.canHold(needed)) return write();
      if (!lane.hasRun()) return false;
      // Memory is in pieces by now: to skip run after run that is too short would use up all that the lane may have.
      stream();
      return true;
    },
  };
  lane.wait(waiter);
}

/** Answers with whatever a handler returned; throws if it is nothing that can be sent. */
export function answer(exchange: Exchange, value: unknown): void {
  if (value === undefined || value === null) return answerText(exchange, "", NO_CONTENT, null);
  if (typeof value === "object") {
    if (isReply(value)) {
      if (isThenable(value.body)) return answerLater(exchange, value, value.body);
      return answerBody(
        exchange,
        value.body,
        value.status,
        value.fields,
        value.length,
        value.trailers,
      );
    }
    if (hasTag(value, "Response")) return answerResponse(exchange, value as Response);
  }
  answerBody(exchange, value, 200, null, -1);
}

/** Of what nobody waits for any more: a stream that is never read would keep its file or socket open. */
export function dropAnswer(value: unknown): void {
  try {
    if (typeof value !== "object" || value === null) return;
    const body: unknown =
      isReply(value) || hasTag(value, "Response") ? (value as Reply).body : value;
    if (typeof body !== "object" || body === null) return;
    if (isThenable(body)) Promise.resolve(body).then(dropAnswer, () => undefined);
    else if (isStream(body)) discardStream(body, null);
  } catch {
    // There is nobody left to tell.
  }
}

// The rest of the answer is known, its body comes later: as if the handler itself had waited for it.
function answerLater(exchange: Exchange, made: Reply, body: PromiseLike<unknown>): void {
  const { status, fields, length, trailers } = made;
  // What only looks like a promise starts its work when it is asked: in its request's context.
  const wait = async (): Promise<Reply> =>
    new Reply(status, (await body) as Body, fields, length, trailers);
  const promise = exchange.resource === null ? wait() : exchange.resource.runInAsyncScope(wait);
  promise.then(exchange.resolved, exchange.rejected);
}

function answerBody(
  exchange: Exchange,
  body: unknown,
  status: number,
  fields: FieldBlock | null,
  length: number,
  trailers: FieldBlock | MakeTrailers | null = null,
): void {
  // Checked before, but not where it comes from another library's Response.
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`the handler's answer has status ${status}: use 200 to 599`);
  }
  if (fields !== null) checkBytes(fields, exchange.lane.fieldsBytes);
  const head = (contentType: number): number =>
    headWord(
      status,
      fields !== null && fields.contentType >= 0 ? fields.contentType : contentType,
      WHOLE | (fields?.ownDate === true ? AnswerFlag.ownDate : 0),
    );
  if (typeof body === "string") {
    if (length >= 0) checkLength(Buffer.byteLength(body), length);
    return answerText(exchange, body, head(ContentType.textPlain), fields);
  }
  if (body === null || body === undefined) {
    checkLength(0, length);
    return answerText(exchange, "", head(ContentType.none), fields);
  }
  if (typeof body !== "object") {
    throw new TypeError(
      `the handler returned a ${typeof body}: return a string, bytes, an object, a stream or reply(…)`,
    );
  }
  if (ArrayBuffer.isView(body) || types.isAnyArrayBuffer(body)) {
    checkLength(body.byteLength, length);
    return answerBytes(exchange, asBytes(body), head(ContentType.octetStream), fields);
  }
  if (isStream(body)) {
    refuseIterable(body);
    const word = head(ContentType.octetStream) & ~(WHOLE << 24);
    new StreamAnswer(exchange, word, fields, length, body, trailers).start();
    return;
  }
  const prototype = Object.getPrototypeOf(body) as unknown;
  if (prototype !== Object.prototype && prototype !== Array.prototype) {
    if (isBlob(body)) return answerBlob(exchange, body, status, fields, length);
    refuseEmpty(body);
  }
  const json = JSON.stringify(body) as string | undefined;
  if (json === undefined) throw new TypeError("the handler returned an object that is no JSON");
  if (length >= 0) checkLength(Buffer.byteLength(json), length);
  answerText(exchange, json, head(ContentType.json), fields);
}

function answerBlob(
  exchange: Exchange,
  blob: Blob,
  status: number,
  given: FieldBlock | null,
  length: number,
): void {
  const fields = given ?? new FieldBlock();
  if (fields.contentType < 0 && blob.type !== "") fields.add("Content-Type", blob.type);
  checkLength(blob.size, length);
  answerBody(exchange, blob.stream(), status, fields, blob.size);
}

const NO_CONTENT = headWord(204, ContentType.none, WHOLE);

// What can be iterated, but not into parts of a body.
function refuseIterable(body: object): void {
  const refuse = (what: string, instead: string): never => {
    throw new TypeError(`the handler returned a ${what}: return ${instead}`);
  };
  if (types.isStringObject(body)) refuse("String object", "a string");
  if (types.isMap(body)) refuse("Map", "an object, such as Object.fromEntries(map)");
  if (types.isSet(body)) refuse("Set", "an array, such as [...set]");
  if (hasTag(body, "FormData")) refuse("FormData", "new Response(formData)");
  if (hasTag(body, "URLSearchParams")) refuse("URLSearchParams", "its toString()");
  if (hasTag(body, "Headers")) refuse("Headers", "Object.fromEntries(headers)");
}

// What JSON would turn into {} in silence.
function refuseEmpty(body: object): void {
  if ("toJSON" in body) return;
  if (types.isNativeError(body) || body instanceof Error) {
    throw new TypeError(
      "the handler returned an Error: throw it, or return reply(status, { error: error.message })",
      { cause: body },
    );
  }
  if (isReply(body)) throw new TypeError("the body of reply() is a reply() itself: return that");
  if (hasTag(body, "Response")) {
    throw new TypeError("the body of reply() is a Response: return it by itself");
  }
  const prototype = Object.getPrototypeOf(body) as { constructor?: { name?: unknown } } | null;
  if (prototype === null || Object.getPrototypeOf(prototype) === null || Array.isArray(body))
    return;
  if (Object.keys(body).length > 0) return;
  const name = typeof prototype.constructor?.name === "string" ? prototype.constructor.name : "";
  throw new TypeError(
    `the handler returned an object of the class ${name}, which has no fields that JSON shows: ` +
      "return a plain object, or give the class a method toJSON()",
  );
}

function answerResponse(exchange: Exchange, response: Response): void {
  if (response.bodyUsed) {
    throw new TypeError(
      "the handler returned a Response whose body has been read: return its clone(), or a new one",
    );
  }
  const fields = fieldsOfResponse(response);
  const body = hasNoBody(response.status) ? null : response.body;
  if (fields.contentType < 0) fields.contentType = ContentType.none;
  answerBody(exchange, body, response.status, fields, -1);
}
