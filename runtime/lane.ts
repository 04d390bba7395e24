// The worker's end of a lane: the request ring is read, the response ring written, answers allocated from credits.
import { KeptBodies } from "./kept-bodies.js";
import {
  CREDIT_WORDS,
  ENTRY_GENERATION_WORD,
  ENTRY_ARGUMENT_WORD,
  ENTRY_ARGUMENT2_WORD,
  ENTRY_WORDS,
  EntryType,
  LaneState,
  LANE_CREDIT_CAPACITY_WORD,
  LANE_CREDIT_HEAD_WORD,
  LANE_CREDIT_RING_WORD,
  LANE_CREDIT_STARVED_WORD,
  LANE_CREDIT_TAIL_WORD,
  LANE_FIELDS_BYTES_WORD,
  LANE_KEPT_BYTES_WORD,
  LANE_LANE_STATE_WORD,
  LANE_REQUEST_CAPACITY_WORD,
  LANE_REQUEST_HEAD_WORD,
  LANE_REQUEST_RING_WORD,
  LANE_REQUEST_TAIL_WORD,
  LANE_RESPONSE_CAPACITY_WORD,
  LANE_RESPONSE_HEAD_WORD,
  LANE_RESPONSE_RING_WORD,
  LANE_RESPONSE_TAIL_WORD,
  LANE_STAND_IN_ASLEEP_WORD,
  LANE_STREAM_WINDOW_WORD,
  SEGMENT_BYTES,
} from "./layout.generated.js";
import type { Region } from "./region.js";

// Bits of Lane.creditStarved: what the reactor calls the dispatcher for again, once it is there.
const LACKS_CREDITS = 1;
const LACKS_ROOM = 2; // on the response ring

const ALIGNMENT = 64; // of what is allocated: two answers never share a cache line

/** What a lane asks of native code, at once. */
export interface ReactorCalls {
  ringStandIn: () => void;
  /**
   * Sends bytes [start, end) of the body of a streamed answer of known length from where they lie; returns how many the
   * socket took: 0 if it is full, -1 if it may not be now, because others come first.
   */
  sendNow: (
    slot: number,
    generation: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ) => number;
}

/** Something that waits for credits, or for room on the response ring; asked again in order. */
export interface Waiter {
  /** False: it still waits. */
  resume(): boolean;
}

export class Lane {
  readonly region: Region;
  readonly sendNow: ReactorCalls["sendNow"];
  readonly #ringStandIn: ReactorCalls["ringStandIn"];
  readonly kept: KeptBodies;
  /** Fields that one answer may have. */
  readonly fieldsBytes: number;
  readonly #words: Int32Array;
  readonly #lane: number;

  readonly #requestRing: number;
  readonly #requestMask: number;
  #requestHead = 0;

  readonly #responseRing: number;
  readonly #responseMask: number;
  #responseTail = 0;
  #responseHead = 0; // as last seen
  #overflow: number[] = []; // entries that found the ring full, five numbers each

  readonly #creditRing: number;
  readonly #creditMask: number;
  #creditHead = 0;
  #runNext = 0;
  #runEnd = 0;

  #waiters: Waiter[] = [];

  constructor(region: Region, laneOffset: number, calls: ReactorCalls) {
    const words = region.words;
    const lane = laneOffset / 4;
    const word = (index: number): number => words[lane + index] as number;
    this.region = region;
    this.sendNow = calls.sendNow;
    this.#ringStandIn = calls.ringStandIn;
    this.#words = words;
    this.#lane = lane;
    this.#requestRing = word(LANE_REQUEST_RING_WORD) / 4;
    this.#requestMask = word(LANE_REQUEST_CAPACITY_WORD) - 1;
    this.#requestHead = word(LANE_REQUEST_HEAD_WORD);
    this.#responseRing = word(LANE_RESPONSE_RING_WORD) / 4;
    this.#responseMask = word(LANE_RESPONSE_CAPACITY_WORD) - 1;
    this.#responseTail = word(LANE_RESPONSE_TAIL_WORD);
    this.#responseHead = this.#responseTail;
    this.#creditRing = word(LANE_CREDIT_RING_WORD) / 4;
    this.#creditMask = word(LANE_CREDIT_CAPACITY_WORD) - 1;
    this.#creditHead = word(LANE_CREDIT_HEAD_WORD);
    this.fieldsBytes = word(LANE_FIELDS_BYTES_WORD);
    this.kept = new KeptBodies(this, word(LANE_KEPT_BYTES_WORD));
  }

  /** False once the reactor has given up on this worker: whatever it would push is ignored, or not its own. */
  active(): boolean {
    const state = Atomics.load(this.#words, this.#lane + LANE_LANE_STATE_WORD);
    return state !== LaneState.quarantined && state !== LaneState.dead;
  }

  /** Bytes of one streamed answer that may be pushed and not have left: less as the arena fills. */
  streamWindow(): number {
    return this.#words[this.#lane + LANE_STREAM_WINDOW_WORD] as number;
  }

  // --- request ring ---

  /** Word index of the oldest entry, or -1. Valid until take(). */
  peek(): number {
    const tail = Atomics.load(this.#words, this.#lane + LANE_REQUEST_TAIL_WORD);
    if (tail === this.#requestHead) return -1;
    return this.#requestRing + (this.#requestHead & this.#requestMask) * ENTRY_WORDS;
  }

  /** Gives the oldest entry's place back to the reactor. */
  take(): void {
    this.#requestHead = (this.#requestHead + 1) | 0;
    Atomics.store(this.#words, this.#lane + LANE_REQUEST_HEAD_WORD, this.#requestHead);
  }

  // --- response ring ---

  push(type: number, slot: number, generation: number, argument: number, argument2: number): void {
    if (this.#overflow.length > 0 || this.full()) {
      this.#overflow.push(type, slot, generation, argument, argument2);
      this.#starve(LACKS_ROOM);
      return;
    }
    this.#write(type, slot, generation, argument, argument2);
  }

  /** No room now. Entries that must not be lost may still be pushed, streams should wait. */
  full(): boolean {
    const capacity = this.#responseMask + 1;
    if (((this.#responseTail - this.#responseHead) | 0) < capacity) return false;
    this.#responseHead = Atomics.load(this.#words, this.#lane + LANE_RESPONSE_HEAD_WORD);
    return ((this.#responseTail - this.#responseHead) | 0) >= capacity;
  }

  /** Streams leave half of the ring to entries that end requests. */
  hasRoomForParts(): boolean {
    const half = (this.#responseMask + 1) >> 1;
    if (((this.#responseTail - this.#responseHead) | 0) < half) return true;
    this.#responseHead = Atomics.load(this.#words, this.#lane + LANE_RESPONSE_HEAD_WORD);
    return ((this.#responseTail - this.#responseHead) | 0) < half;
  }

  #write(
    type: number,
    slot: number,
    generation: number,
    argument: number,
    argument2: number,
  ): void {
    const words = this.#words;
    const entry = this.#responseRing + (this.#responseTail & this.#responseMask) * ENTRY_WORDS;
    words[entry] = type | (slot << 8);
    words[entry + ENTRY_GENERATION_WORD] = generation;
    words[entry + ENTRY_ARGUMENT_WORD] = argument;
    words[entry + ENTRY_ARGUMENT2_WORD] = argument2;
    this.#responseTail = (this.#responseTail + 1) | 0;
    // Sequentially consistent, and published at once: the stand-in may run the next turn while a handler runs here.
    Atomics.store(words, this.#lane + LANE_RESPONSE_TAIL_WORD, this.#responseTail);
    // Memory that comes back can wait for the stand-in's next look: clients do not wait for it.
    if (type === EntryType.consumed) return;
    if (Atomics.load(words, this.#lane + LANE_STAND_IN_ASLEEP_WORD) !== 0) this.#ringStandIn();
  }

  // --- credits ---

  /**
   * Allocates `least` to `most` bytes in one piece and returns their offset, or -1: none now, wait(). What the
   * current run has left is skipped if it is too little. Use what is allocated in this order, at once. Every run has a
   * segment: `least` may be more only where canHold() says so, else one run after the other could be skipped until the
   * lane has all that it may have, and gets nothing more.
   */
  allocate(least: number, most: number): number {
    while (this.#runEnd - this.#runNext < least) {
      if (!this.#nextRun()) return -1;
    }
    const offset = this.#runNext;
    const length = Math.min(most, this.#runEnd - offset);
    this.#runNext = (offset + length + ALIGNMENT - 1) & -ALIGNMENT;
    this.allocated = length;
    return offset;
  }

  /** How many bytes the last allocate() gave. */
  allocated = 0;

  /** Whether allocate(bytes, bytes) could succeed: by what is left, or else by the next run, if one is there. */
  canHold(bytes: number): boolean {
    if (bytes <= SEGMENT_BYTES || this.#runEnd - this.#runNext >= bytes) return true;
    if (!this.hasRun()) return false;
    const credit = this.#creditRing + (this.#creditHead & this.#creditMask) * CREDIT_WORDS;
    return (this.#words[credit + 1] as number) >= bytes;
  }

  /** A run is there that allocate() has not begun. */
  hasRun(): boolean {
    return Atomics.load(this.#words, this.#lane + LANE_CREDIT_TAIL_WORD) !== this.#creditHead;
  }

  #nextRun(): boolean {
    const words = this.#words;
    if (!this.hasRun()) return false;
    const credit = this.#creditRing + (this.#creditHead & this.#creditMask) * CREDIT_WORDS;
    this.#runNext = words[credit] as number;
    this.#runEnd = this.#runNext + (words[credit + 1] as number);
    this.#creditHead = (this.#creditHead + 1) | 0;
    Atomics.store(words, this.#lane + LANE_CREDIT_HEAD_WORD, this.#creditHead);
    return true;
  }

  // --- waiting ---

  /** Those that wait go first, in order: nobody who comes later may allocate before them. */
  get crowded(): boolean {
    return this.#waiters.length > 0;
  }

  /** Puts a waiter in line: the reactor calls the dispatcher once there is something again. */
  wait(waiter: Waiter): void {
    this.#waiters.push(waiter);
    this.#starve(LACKS_CREDITS);
  }

  #starve(lack: number): void {
    Atomics.or(this.#words, this.#lane + LANE_CREDIT_STARVED_WORD, lack);
  }

  /** Pushes what found the ring full, then resumes who waits. */
  resume(): void {
    if (this.#overflow.length === 0 && this.#waiters.length === 0) return;
    Atomics.store(this.#words, this.#lane + LANE_CREDIT_STARVED_WORD, 0);
    this.#flushOverflow();
    let count = 0;
    const waiters = this.#waiters;
    // Whoever waits again while being resumed keeps its place: it is still at the front.
    while (this.#overflow.length === 0 && count < waiters.length && waiters[count]?.resume())
      count++;
    if (count > 0) waiters.splice(0, count);
    // Anew: who was resumed may have waited again under another name, and is served already.
    const lacks =
      (waiters.length > 0 ? LACKS_CREDITS : 0) | (this.#overflow.length > 0 ? LACKS_ROOM : 0);
    Atomics.store(this.#words, this.#lane + LANE_CREDIT_STARVED_WORD, lacks);
  }

  #flushOverflow(): void {
    const entries = this.#overflow;
    let i = 0;
    for (; i < entries.length && !this.full(); i += 5) {
      this.#write(
        entries[i] as number,
        entries[i + 1] as number,
        entries[i + 2] as number,
        entries[i + 3] as number,
        entries[i + 4] as number,
      );
    }
    if (i > 0) this.#overflow = entries.slice(i);
  }
}
