// An answer that is sent as it comes: at most Lane.streamWindow() bytes of it are unsent at a time, so that a slow reader
// holds up its own handler and nobody's memory.
import type { AsyncResource } from "node:async_hooks";
import { answerBytes, writeHead } from "./answer.js";
import { ChunkQueue } from "./chunk-queue.js";
import type { Exchange } from "./exchange.js";
import { FieldBlock, type FieldsInit, makeTrailers } from "./fields.js";
import type { Waiter } from "./lane.js";
import {
  AnswerFlag,
  EntryType,
  HEADROOM_BYTES,
  RequestFlag,
  SEGMENT_BYTES,
  SlotState,
  SLOT_ANSWER_END_WORD,
  SLOT_ANSWER_LENGTH_DOUBLE,
  SLOT_ANSWER_OFFSET_WORD,
  SLOT_MINOR_VERSION,
} from "./layout.generated.js";
import { hasNoBody, isThenable, type MakeTrailers, type StreamBody } from "./reply.js";

// What comes within one turn of the event loop, up to this much, is sent together with the head.
const COLLECT_BYTES = 8 * 1024;
// As much as this is unsent at first, and doubles as it leaves: many answers may begin before the reactor can say that
// memory is getting short.
const FIRST_BYTES = 8 * 1024;
// Room in front of a part's data for the size line of its chunk, and behind it for its CRLF.
const PART_BEFORE = 16;
const PART_AFTER = 2;
const PART_LEAST = 1024;
// A chunk of which so much is left is sent from where it lies, if the socket has room for it: no copy, no memory of the
// arena, and no further turn.
const NOW_LEAST = 32 * 1024;
// Then others have their turn.
const NOW_MOST = 1024 * 1024;

export function asBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (chunk instanceof Uint8Array) {
    if (chunk.length === 0) void new Uint8Array(chunk.buffer); // throws if it is detached: else it would be nothing
    return chunk;
  }
  if (ArrayBuffer.isView(chunk)) {
    return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (chunk instanceof ArrayBuffer || chunk instanceof SharedArrayBuffer) {
    return new Uint8Array(chunk);
  }
  const what = chunk === null ? "null" : typeof chunk;
  const article = chunk === null || chunk === undefined ? "" : what === "object" ? "an " : "a ";
  throw new TypeError(
    `a part of the answer is ${article}${what}: each has to be a string or bytes`,
  );
}

/** Lets a source clean up that is not read, or not to its end. `iterator`: the one that reads it. */
export function discardStream(body: StreamBody | null, iterator: Source | null): void {
  let cleaned: unknown;
  if (body !== null && "destroy" in body && typeof body.destroy === "function") {
    if ("on" in body && typeof body.on === "function") body.on("error", () => undefined);
    body.destroy();
  } else if (iterator !== null) {
    cleaned = iterator.return?.();
  } else if (body !== null && "cancel" in body && !body.locked) {
    cleaned = body.cancel();
  }
  if (isThenable(cleaned)) Promise.resolve(cleaned).catch(() => undefined);
}

type Pull = IteratorResult<unknown> | Promise<IteratorResult<unknown>>;
interface Source {
  next(): Pull;
  return?(): unknown;
}

export class StreamAnswer implements Waiter {
  readonly #exchange: Exchange;
  readonly #resource: AsyncResource | null;
  #word: number;
  #fields: FieldBlock | null;
  #longFields: Buffer | null = null; // those that go before the answer: what is left of them
  #trailers: FieldBlock | MakeTrailers | null; // null: none, or none that can be sent
  readonly #body: StreamBody | null;
  readonly #length: number; // -1: not known
  #iterator: Source | null = null;
  #synchronous = false;

  readonly #queue = new ChunkQueue();
  #received = 0;
  #unsent = 0;
  #left = 0;
  #now = true; // a chunk may be sent from where it lies, as far as is known
  #nowLeft = NOW_MOST; // bytes that may be sent so before a turn

  #headOnly = false;
  #begun = false;
  #due = false; // the head has waited long enough
  #pulling = false;
  #complete = false; // the source has ended
  #over = false;
  #waiting = false; // in the lane's line
  #resuming = false;

  /** `length`: of the whole body, or -1. `body`: null if it is only measured (HEAD). */
  constructor(
    exchange: Exchange,
    word: number,
    fields: FieldBlock | null,
    length: number,
    body: StreamBody | null,
    trailers: FieldBlock | MakeTrailers | null,
  ) {
    this.#exchange = exchange;
    this.#resource = exchange.resource;
    this.#word = word | (length >= 0 ? AnswerFlag.lengthKnown << 24 : 0);
    this.#fields = fields;
    this.#length = length;
    this.#body = body;
    this.#trailers = trailers;
  }

  start(): void {
    this.#exchange.stream = this;
    const isHead = (this.#exchange.requestFlags() & RequestFlag.head) !== 0;
    if (this.#body === null || isHead || hasNoBody(this.#word & 0xffff)) {
      this.#headOnly = this.#complete = true;
      this.#trailers = null;
      this.#discard();
      return this.#pump();
    }
    if (this.#trailers !== null) this.#announce(this.#trailers);
    try {
      this.#open(this.#body);
    } catch (error) {
      return this.#fail(error);
    }
    this.#pump();
    if (this.#begun || this.#over) return;
    // Whatever comes in this turn joins the head, and an early error can still be a 500.
    setImmediate(() => {
      this.#due = true;
      this.#pump();
    });
  }

  // Only a chunked body has room for trailers (RFC 9112 §7.1.2).
  #announce(trailers: FieldBlock | MakeTrailers): void {
    const { region, base } = this.#exchange;
    if (this.#length >= 0 || region.bytes[base * 4 + SLOT_MINOR_VERSION] === 0) {
      this.#trailers = null;
      return;
    }
    const names = typeof trailers === "function" ? "" : trailers.names();
    this.#fields = (this.#fields ?? new FieldBlock()).announcing(names);
  }

  #open(body: StreamBody): void {
    // A Node stream that fails before it is read would otherwise throw where nobody catches.
    if ("on" in body && typeof body.on === "function") body.on("error", () => undefined);
    if ("getReader" in body) {
      // Not by its iterator: return() of that waits for the read that is under way, and that may wait for ever.
      const reader = body.getReader();
      this.#iterator = { next: () => reader.read(), return: () => reader.cancel() };
    } else if (Symbol.asyncIterator in body) {
      this.#iterator = body[Symbol.asyncIterator]();
    } else {
      this.#iterator = body[Symbol.iterator]();
      this.#synchronous = true;
    }
  }

  /** `writable`: so many bytes have left. */
  left(bytes: number): void {
    this.#unsent = Math.max(0, this.#unsent - bytes);
    this.#left += bytes;
    this.#nowLeft = NOW_MOST;
    this.#pump();
  }

  resume(): boolean {
    this.#waiting = false;
    this.#resuming = true;
    this.#pump();
    this.#resuming = false;
    return !this.#waiting;
  }

  /** The reactor has given up on the request. */
  stop(): void {
    if (this.#over || !this.#exchange.abandoned()) return;
    this.#finish();
    this.#exchange.giveBack();
  }

  #pump(): void {
    try {
      this.#go();
    } catch (error) {
      this.#fail(error);
    }
  }

  #go(): void {
    while (!this.#over && !this.#waiting) {
      if (!this.#begun) {
        const ready = this.#due || this.#complete || this.#queue.bytes >= COLLECT_BYTES;
        if (!ready) {
          if (!this.#pull()) return;
          continue;
        }
        if (this.#complete && this.#answerWhole()) return;
        if (!this.#begin()) return;
      }
      // What costs nothing to wait for is sent in larger parts.
      const more = this.#synchronous && !this.#complete && this.#queue.bytes < COLLECT_BYTES;
      if (this.#queue.bytes > 0 && !more) {
        if (!this.#part()) return;
      } else if (this.#complete) {
        return this.#end();
      } else if (!this.#pull()) {
        return;
      }
    }
  }

  // --- the source ---

  // True: something came at once.
  #pull(): boolean {
    if (this.#pulling) return false;
    let result: Pull;
    try {
      result = this.#call(() => (this.#iterator as Source).next());
      if (this.#synchronous) {
        this.#take(result as IteratorResult<unknown>);
        return true;
      }
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.#pulling = true;
    Promise.resolve(result).then(
      (settled) => {
        this.#pulling = false;
        if (this.#over) return;
        try {
          this.#take(settled);
        } catch (error) {
          return this.#fail(error);
        }
        this.#pump();
      },
      (error: unknown) => {
        this.#pulling = false;
        this.#fail(error);
      },
    );
    return false;
  }

  #take(result: IteratorResult<unknown>): void {
    if (result.done === true) {
      this.#complete = true;
      this.#iterator = null;
      if (this.#length >= 0 && this.#received < this.#length) throw this.#wrongLength();
      return;
    }
    let chunk = asBytes(result.value);
    if (chunk.length === 0) return;
    this.#received += chunk.length;
    if (this.#length >= 0 && this.#received > this.#length) throw this.#wrongLength();
    // The source goes on before this is written: it may use its buffer again.
    const waits = !this.#begun || this.#synchronous;
    if (waits && typeof result.value !== "string" && chunk.length < COLLECT_BYTES) {
      chunk = Uint8Array.from(chunk);
    }
    this.#queue.push(chunk);
  }

  #wrongLength(): Error {
    return new Error(
      `the answer's stream has ${this.#received} bytes or more, its length was given as ${this.#length}`,
    );
  }

  // Code of the handler runs in its request's own async context.
  #call<Result>(callback: () => Result): Result {
    return this.#resource === null ? callback() : this.#resource.runInAsyncScope(callback);
  }

  // Nobody wants the rest: lets the source clean up, and forgets what that brings.
  #discard(): void {
    const body = this.#body;
    const iterator = this.#iterator;
    this.#iterator = null;
    try {
      this.#call(() => {
        discardStream(body, iterator);
      });
    } catch {
      // The answer is over: there is nobody left to tell.
    }
  }

  // --- shared memory ---

  // What ended before its head was due needs no chunks.
  #answerWhole(): boolean {
    if (this.#headOnly || this.#trailers !== null) return false;
    if (this.#received !== this.#queue.bytes) return false;
    // Every run has a segment: what fits there cannot come back from there as a stream.
    const fieldBytes = this.#fields === null ? 0 : this.#fields.bytes;
    if (HEADROOM_BYTES + this.#queue.bytes + fieldBytes > SEGMENT_BYTES) return false;
    this.#over = true;
    this.#exchange.stream = null;
    const flags = (AnswerFlag.last | AnswerFlag.lengthKnown) << 24;
    answerBytes(this.#exchange, this.#queue.whole(), this.#word | flags, this.#fields);
    return true;
  }

  // Fields that need more than a segment go before the answer, in pieces: memory may be in pieces shorter than they are.
  // False: waits.
  #sendLongFields(): boolean {
    const fields = this.#fields;
    if (fields === null || HEADROOM_BYTES + fields.bytes <= SEGMENT_BYTES) return true;
    if (this.#longFields === null) {
      this.#longFields = Buffer.allocUnsafe(fields.bytes);
      fields.write(this.#longFields, 0);
    }
    const { lane, slot, generation } = this.#exchange;
    while (this.#longFields.length > 0) {
      if (lane.crowded && !this.#resuming) return this.#wait();
      const left = this.#longFields.length;
      const start = lane.allocate(Math.min(left, PART_LEAST), left);
      if (start < 0) return this.#wait();
      this.#longFields.copy(lane.region.bytes, start, 0, lane.allocated);
      this.#longFields = this.#longFields.subarray(lane.allocated);
      lane.push(EntryType.fields, slot, generation, start, lane.allocated);
    }
    this.#fields = null;
    this.#word |= AnswerFlag.fieldsBefore << 24;
    return true;
  }

  // False: waits, or is over.
  #begin(): boolean {
    if (!this.#sendLongFields()) return false;
    const { lane, base } = this.#exchange;
    const { words, doubles } = lane.region;
    const fieldBytes = this.#fields === null ? 0 : this.#fields.bytes;
    const least = HEADROOM_BYTES + fieldBytes;
    let start = words[base + SLOT_ANSWER_OFFSET_WORD] as number;
    let room = (words[base + SLOT_ANSWER_END_WORD] as number) - start;
    if (room < least) {
      if (lane.crowded && !this.#resuming) return this.#wait();
      start = lane.allocate(least, least + Math.min(this.#queue.bytes, COLLECT_BYTES));
      if (start < 0) return this.#wait();
      room = lane.allocated;
    }
    const at = start + HEADROOM_BYTES;
    const length = this.#write(at, Math.min(this.#queue.bytes, room - least));
    writeHead(this.#exchange, this.#word, this.#fields, at + length);
    if (this.#length >= 0) doubles[base / 2 + SLOT_ANSWER_LENGTH_DOUBLE] = this.#length;
    // Given up meanwhile: the slot goes back when that is told (stop()), else the signal would never fire.
    if (!this.#exchange.tryMove(SlotState.started, SlotState.streaming)) return false;
    this.#begun = true;
    this.#unsent += length;
    lane.push(EntryType.answer, this.#exchange.slot, this.#exchange.generation, at, length);
    return true;
  }

  // False: waits, for what is unsent to leave or for memory.
  #part(): boolean {
    if (this.#isLarge()) {
      if (this.#unsent === 0 && this.#sendNow()) return true;
      // What is on its way tells when the socket has room again.
      if (this.#unsent > 0 && this.#now) return false;
    }
    const { lane } = this.#exchange;
    // Whose last part has left may always send one more, be it small: a stream never stands still for good.
    const allowed = Math.min(lane.streamWindow(), FIRST_BYTES + this.#left);
    const window = this.#unsent === 0 ? Math.max(allowed, PART_LEAST) : allowed - this.#unsent;
    if (window <= 0) return false;
    if (lane.crowded && !this.#resuming) return this.#wait();
    if (!lane.hasRoomForParts()) return this.#wait();
    const wanted = Math.min(this.#queue.bytes, window);
    const around = PART_BEFORE + PART_AFTER;
    const start = lane.allocate(around + Math.min(wanted, PART_LEAST), around + wanted);
    if (start < 0) return this.#wait();
    const length = this.#write(start + PART_BEFORE, lane.allocated - around);
    this.#unsent += length;
    const { slot, generation } = this.#exchange;
    lane.push(EntryType.part, slot, generation, start + PART_BEFORE, length);
    return true;
  }

  // Chunks of a body without a known length have to be framed, and a socket may take half a frame.
  #isLarge(): boolean {
    return this.#length >= 0 && this.#queue.firstBytes >= NOW_LEAST;
  }

  // True: something of the first chunk has left.
  #sendNow(): boolean {
    if (this.#nowLeft === 0) return false;
    const { lane, slot, generation } = this.#exchange;
    const sent = this.#queue.takeFirst(this.#nowLeft, (chunk, start, end) =>
      lane.sendNow(slot, generation, chunk, start, end),
    );
    this.#now = sent >= 0;
    if (sent <= 0) return false;
    this.#nowLeft -= sent;
    this.#left += sent;
    return true;
  }

  // Moves bytes from the queue to shared memory.
  #write(offset: number, length: number): number {
    this.#queue.moveTo(this.#exchange.lane.region.bytes, offset, length);
    return length;
  }

  #wait(): false {
    this.#waiting = true;
    // Its place in the line is kept while it is being resumed.
    if (!this.#resuming) this.#exchange.lane.wait(this);
    return false;
  }

  // --- the end ---

  #end(): void {
    const exchange = this.#exchange;
    const { lane } = exchange;
    let at = 0;
    let length = 0;
    if (this.#trailers !== null) {
      if (typeof this.#trailers === "function") return this.#askTrailers(this.#trailers);
      ({ bytes: length } = this.#trailers);
      if (lane.crowded && !this.#resuming) return void this.#wait();
      const bytes = PART_BEFORE + length + PART_AFTER;
      const start = lane.allocate(bytes, bytes);
      if (start < 0) return void this.#wait();
      at = start + PART_BEFORE;
      this.#trailers.write(lane.region.bytes, at);
    }
    this.#finish();
    exchange.dropBody();
    if (!exchange.move(SlotState.streaming, SlotState.answered)) return;
    lane.push(EntryType.end, exchange.slot, exchange.generation, at, length);
    exchange.retire();
  }

  // The handler's function, once; what it returns may be a promise.
  #askTrailers(make: MakeTrailers): void {
    if (this.#pulling) return;
    const take = (init: FieldsInit | undefined): void => {
      try {
        this.#trailers = makeTrailers(init);
      } catch (error) {
        return this.#fail(error);
      }
      this.#pump();
    };
    let made: ReturnType<MakeTrailers>;
    try {
      made = this.#call(make);
    } catch (error) {
      return this.#fail(error);
    }
    if (!isThenable(made)) return take(made);
    this.#pulling = true;
    Promise.resolve(made).then(
      (init) => {
        this.#pulling = false;
        if (!this.#over) take(init);
      },
      (error: unknown) => {
        this.#pulling = false;
        this.#fail(error);
      },
    );
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    exchange.stream = null;
    this.#finish();
    exchange.rejected(error);
  }

  #finish(): void {
    this.#over = true;
    this.#queue.clear();
    if (!this.#complete) this.#discard();
  }
}
