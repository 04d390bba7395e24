// One slot in the worker's hands: what the dispatcher keeps of a request beside shared memory. One object for each slot,
// used again for each request; nothing outside the runtime ever holds it without a view in between.
import type { AsyncResource } from "node:async_hooks";
import { BodyReader } from "./body-reader.js";
import { RequestAbortedError } from "./errors.js";
import type { Lane } from "./lane.js";
import {
  AbortReason,
  EntryType,
  RequestFlag,
  SlotState,
  SLOT_BODY_LENGTH_WORD,
  SLOT_BODY_OFFSET_WORD,
  SLOT_BYTES,
  SLOT_HEAD_LENGTH_WORD,
  SLOT_HEAD_OFFSET_WORD,
  SLOT_REQUEST_FLAGS_HALF,
  SLOT_STATE_WORD,
  SLOT_WORDS,
} from "./layout.generated.js";
import { Region } from "./region.js";
import type { RequestView } from "./request.js";
import type { StreamAnswer } from "./stream-answer.js";

export class Exchange {
  readonly lane: Lane;
  readonly slot: number;
  /** Where the slot lies, and its first word there. */
  region: Region;
  base: number;
  generation = 0;
  /** The view of the request that is being answered; null: the slot is not this lane's. */
  view: RequestView<string> | null = null;
  /** The request's own async context: whatever of the handler runs later is entered through it. */
  resource: AsyncResource | null = null;
  controller: AbortController | null = null;
  body: BodyReader | null = null;
  stream: StreamAnswer | null = null;
  /** AbortReason, or -1. */
  abortReason = -1;
  /** The client has closed its side: it is gone, or waits for its answer and sends no more. */
  halfClosed = false;
  /** The slot has been given back while the handler goes on. */
  detached = false;
  /** Called with what a handler's promise settles to; bound once, so that none is made for each request. */
  readonly resolved: (value: unknown) => void;
  readonly rejected: (error: unknown) => void;

  constructor(
    lane: Lane,
    slot: number,
    resolved: (exchange: Exchange, value: unknown) => void,
    rejected: (exchange: Exchange, error: unknown) => void,
  ) {
    this.lane = lane;
    this.slot = slot;
    this.region = lane.region;
    this.base = slot * SLOT_WORDS;
    this.resolved = (value) => resolved(this, value);
    this.rejected = (error) => rejected(this, error);
  }

  /** Moves the slot's state, or gives it back: the reactor has given up on the request meanwhile. */
  move(from: number, to: number): boolean {
    if (this.tryMove(from, to)) return true;
    this.giveBack();
    return false;
  }

  /** False: the reactor has given up on the request, and abort() is about to be called. */
  tryMove(from: number, to: number): boolean {
    const expected = (this.generation << 8) | from;
    const moved = (this.generation << 8) | to;
    const { words } = this.region;
    return (
      Atomics.compareExchange(words, this.base + SLOT_STATE_WORD, expected, moved) === expected
    );
  }

  /** True when the reactor has given up on the request. */
  abandoned(): boolean {
    const state = Atomics.load(this.region.words, this.base + SLOT_STATE_WORD);
    return state === ((this.generation << 8) | SlotState.abandoned);
  }

  /** True when the head of a streamed answer has been pushed. */
  begun(): boolean {
    const state = Atomics.load(this.region.words, this.base + SLOT_STATE_WORD);
    return state === ((this.generation << 8) | SlotState.streaming);
  }

  giveBack(): void {
    this.dropBody();
    this.lane.push(EntryType.giveBack, this.slot, this.generation, 0, 0);
    this.retire();
  }

  /** From here on the slot is the reactor's, and the view an error. */
  retire(): void {
    this.view = null;
    this.resource = null;
    this.controller = null;
    this.body = null;
    this.stream = null;
    this.abortReason = -1;
    this.halfClosed = false;
  }

  /**
   * Gives the slot back although the handler goes on, after abort(): one that never settles must not keep it. What the
   * handler reads of its request comes from a copy from now on; what it returns is dropped. Not used again.
   */
  detach(): void {
    const { words, bytes } = this.region;
    const head = words[this.base + SLOT_HEAD_OFFSET_WORD] as number;
    const body = words[this.base + SLOT_BODY_OFFSET_WORD] as number;
    const bodyLength = words[this.base + SLOT_BODY_LENGTH_WORD] as number;
    const copy = Buffer.from(new ArrayBuffer(this.detachedBytes()));
    bytes.copy(copy, 0, this.base * 4, this.base * 4 + SLOT_BYTES);
    bytes.copy(copy, SLOT_BYTES, head, this.#requestEnd());
    this.dropBody();
    this.lane.push(EntryType.giveBack, this.slot, this.generation, 0, 0);
    this.detached = true;
    this.region = new Region(copy.buffer);
    this.base = 0;
    this.region.words[SLOT_HEAD_OFFSET_WORD] = SLOT_BYTES;
    this.region.words[SLOT_BODY_OFFSET_WORD] = SLOT_BYTES + (bodyLength > 0 ? body - head : 0);
  }

  /** Bytes of the copy that detach() makes. */
  detachedBytes(): number {
    const head = this.region.words[this.base + SLOT_HEAD_OFFSET_WORD] as number;
    return (SLOT_BYTES + this.#requestEnd() - head + 7) & -8;
  }

  /** Behind the head, and the body if that came with it. */
  #requestEnd(): number {
    const { words } = this.region;
    const bodyLength = words[this.base + SLOT_BODY_LENGTH_WORD] as number;
    if (bodyLength > 0) return (words[this.base + SLOT_BODY_OFFSET_WORD] as number) + bodyLength;
    const head = words[this.base + SLOT_HEAD_OFFSET_WORD] as number;
    return head + (words[this.base + SLOT_HEAD_LENGTH_WORD] as number);
  }

  // --- the request body ---

  requestFlags(): number {
    return this.region.halves[this.base * 2 + SLOT_REQUEST_FLAGS_HALF] as number;
  }

  reader(): BodyReader {
    if (this.body !== null) return this.body;
    const flags = this.requestFlags();
    const complete =
      (flags & RequestFlag.bodyComplete) !== 0 || (flags & RequestFlag.hasBody) === 0;
    this.body = new BodyReader(
      this.lane,
      this.slot,
      this.generation,
      this.inlineBody(),
      complete,
      (flags & RequestFlag.expectContinue) !== 0,
    );
    if (this.abortReason >= 0) this.body.fail(new RequestAbortedError(this.abortReason));
    return this.body;
  }

  /** A copy of the part of the body that came with the head. */
  inlineBody(): Uint8Array<ArrayBuffer> {
    const { words, bytes } = this.region;
    const length = words[this.base + SLOT_BODY_LENGTH_WORD] as number;
    const offset = words[this.base + SLOT_BODY_OFFSET_WORD] as number;
    const copy = new Uint8Array(length);
    copy.set(bytes.subarray(offset, offset + length));
    return copy;
  }

  /** Before the slot is given back: what is held of the body goes first, and the reactor drops what still comes. */
  dropBody(): void {
    if (this.body !== null) {
      this.body.discard();
      return;
    }
    const flags = this.requestFlags();
    if ((flags & RequestFlag.hasBody) !== 0 && (flags & RequestFlag.bodyComplete) === 0) {
      this.lane.push(EntryType.bodyDiscard, this.slot, this.generation, 0, 0);
    }
  }

  // --- the client is gone, or the time is up ---

  abort(reason: number): void {
    if (reason === AbortReason.halfClosed) {
      this.halfClosed = true;
      return this.#fireSignal(new RequestAbortedError(reason));
    }
    if (this.abortReason >= 0) return;
    this.abortReason = reason;
    if (this.controller !== null || this.body !== null) {
      const error = new RequestAbortedError(reason);
      this.body?.fail(error);
      this.#fireSignal(error);
    }
    this.stream?.stop();
  }

  #fireSignal(error: RequestAbortedError): void {
    const { controller } = this;
    if (controller === null) return;
    this.resource?.runInAsyncScope(() => {
      controller.abort(error);
    });
  }
}
