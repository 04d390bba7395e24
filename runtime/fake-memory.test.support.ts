// The memory that a worker and the model of the reactor share in tests: slots, one lane, and what the lane may write into.
import {
  ANSWER_FIELDS_BYTES,
  CREDIT_BYTES,
  ENTRY_BYTES,
  KEPT_BODIES,
  LANE_BYTES,
  LANE_CREDIT_CAPACITY_WORD,
  LANE_CREDIT_HEAD_WORD,
  LANE_CREDIT_RING_WORD,
  LANE_CREDIT_TAIL_WORD,
  LANE_FIELDS_BYTES_WORD,
  LANE_KEPT_BYTES_WORD,
  LANE_LANE_STATE_WORD,
  LANE_REQUEST_CAPACITY_WORD,
  LANE_REQUEST_RING_WORD,
  LANE_RESPONSE_CAPACITY_WORD,
  LANE_RESPONSE_RING_WORD,
  LANE_STREAM_WINDOW_WORD,
  LaneState,
  SEGMENT_BYTES,
  SLOT_BYTES,
  SLOT_STATE_WORD,
  SLOT_WORDS,
} from "./layout.generated.js";

/** Lane.streamWindow, as the reactor has it while memory is plenty. */
export const WINDOW_BYTES = 64 * 1024;

export interface FakeOptions {
  slots?: number;
  ringEntries?: number;
  /** Bytes of each run granted; how many are granted at a time. */
  runBytes?: number;
  runs?: number;
  /** Bytes behind each request for its answer; 0: none, every answer needs credits. */
  answerBytes?: number;
  /** Lane.keptBytes. */
  keptBytes?: number;
  /** Lane.fieldsBytes. */
  fieldsBytes?: number;
  routes?: string[];
  /** DispatcherOptions.abandonedMost. */
  abandonedMost?: number;
}

/** One answer as a client would see it. */
export interface FakeAnswer {
  status: number;
  contentType: number;
  flags: number;
  /** -1: not known beforehand. */
  length: number;
  fields: [string, string][];
  parts: Buffer[];
  trailers: [string, string][];
  state: "open" | "complete" | "failed" | "givenBack";
}

export interface FakeSlot {
  generation: number;
  held: boolean;
  answer: FakeAnswer | null;
  head: boolean;
  log: string[];
}

/** Region offset, bytes. */
export interface FakeRange {
  offset: number;
  length: number;
}

export class FakeMemory {
  readonly memory: ArrayBuffer;
  readonly words: Int32Array;
  readonly halves: Uint16Array;
  readonly doubles: Float64Array;
  readonly bytes: Buffer;
  readonly laneOffset: number;
  readonly slots: FakeSlot[];
  readonly options: Required<FakeOptions>;
  /** Its first word. */
  readonly laneWord: number;
  #creditTail = 0;
  #runs: { begin: number; end: number; cursor: number }[] = [];
  #nextRun: number;
  readonly #kept = new Map<number, FakeRange>();
  readonly heads: number;
  readonly bodies: number;
  readonly bodyArea: number;

  constructor(options: FakeOptions = {}) {
    this.options = {
      slots: 8,
      ringEntries: 64,
      runBytes: 16 * SEGMENT_BYTES,
      runs: 2,
      answerBytes: 2048,
      keptBytes: 64 * SEGMENT_BYTES,
      fieldsBytes: ANSWER_FIELDS_BYTES,
      routes: ["/"],
      abandonedMost: 1024 * 1024,
      ...options,
    };
    const { slots, ringEntries } = this.options;
    const align = (bytes: number): number => Math.ceil(bytes / SEGMENT_BYTES) * SEGMENT_BYTES;
    this.laneOffset = align(slots * SLOT_BYTES);
    const credits = 1024;
    const laneBytes = LANE_BYTES + 2 * ringEntries * ENTRY_BYTES + credits * CREDIT_BYTES;
    this.heads = align(this.laneOffset + laneBytes);
    this.bodies = this.heads + slots * SEGMENT_BYTES * 2;
    this.bodyArea = 64 * SEGMENT_BYTES;
    this.#nextRun = this.bodies + this.bodyArea;
    this.memory = new ArrayBuffer(this.#nextRun + 4096 * SEGMENT_BYTES);
    this.words = new Int32Array(this.memory);
    this.halves = new Uint16Array(this.memory);
    this.doubles = new Float64Array(this.memory);
    this.bytes = Buffer.from(this.memory);
    this.laneWord = this.laneOffset / 4;
    const set = (word: number, value: number): void => {
      this.words[this.laneWord + word] = value;
    };
    set(LANE_LANE_STATE_WORD, LaneState.live);
    set(LANE_REQUEST_CAPACITY_WORD, ringEntries);
    set(LANE_STREAM_WINDOW_WORD, WINDOW_BYTES);
    set(LANE_KEPT_BYTES_WORD, this.options.keptBytes);
    set(LANE_FIELDS_BYTES_WORD, this.options.fieldsBytes);
    set(LANE_RESPONSE_CAPACITY_WORD, ringEntries);
    set(LANE_CREDIT_CAPACITY_WORD, credits);
    set(LANE_REQUEST_RING_WORD, this.laneOffset + LANE_BYTES);
    set(LANE_RESPONSE_RING_WORD, this.laneOffset + LANE_BYTES + ringEntries * ENTRY_BYTES);
    set(LANE_CREDIT_RING_WORD, this.laneOffset + LANE_BYTES + 2 * ringEntries * ENTRY_BYTES);
    this.slots = Array.from({ length: slots }, () => ({
      generation: 0xffff00,
      held: false,
      answer: null,
      head: false,
      log: [],
    }));
    for (let i = 0; i < this.options.runs; i++) this.grant();
  }

  lane(word: number): number {
    return Atomics.load(this.words, this.laneWord + word);
  }

  setLane(word: number, value: number): void {
    Atomics.store(this.words, this.laneWord + word, value);
  }

  // --- slots ---

  /** What the model knows of a slot. */
  slot(index: number): FakeSlot {
    const slot = this.slots[index];
    if (slot === undefined) throw new Error(`there is no slot ${index}`);
    return slot;
  }

  setState(slot: number, state: number): void {
    const record = this.slot(slot);
    Atomics.store(
      this.words,
      slot * SLOT_WORDS + SLOT_STATE_WORD,
      (record.generation << 8) | state,
    );
  }

  state(slot: number): number {
    return Atomics.load(this.words, slot * SLOT_WORDS + SLOT_STATE_WORD) & 0xff;
  }

  // --- credits ---

  grant(bytes = this.options.runBytes): void {
    const ring = (this.words[this.laneWord + LANE_CREDIT_RING_WORD] as number) / 4;
    const credit = ring + (this.#creditTail & 1023) * 2;
    while (this.#keptWithin(this.#nextRun, this.#nextRun + bytes)) this.#advance(bytes);
    this.words.set([this.#nextRun, bytes], credit);
    this.#runs.push({ begin: this.#nextRun, end: this.#nextRun + bytes, cursor: this.#nextRun });
    this.#advance(bytes);
    this.#creditTail++;
    Atomics.store(this.words, this.laneWord + LANE_CREDIT_TAIL_WORD, this.#creditTail);
  }

  get creditsUnread(): number {
    return this.#creditTail - this.lane(LANE_CREDIT_HEAD_WORD);
  }

  /** Runs granted that no claim has gone beyond: the reactor grants more only while these are few. */
  get runsHeld(): number {
    return this.#runs.length;
  }

  /** Checks that the range is the lane's to hand out now. */
  claim(begin: number, end: number): void {
    for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
      if (begin >= run.cursor && end <= run.end) {
        run.cursor = end;
        return;
      }
      if (begin >= run.begin && begin < run.end) throw new Error("a range was handed out twice");
      this.#runs.shift();
    }
    throw new Error(`range ${begin} to ${end} was never granted`);
  }

  #advance(bytes: number): void {
    this.#nextRun += bytes;
    if (this.#nextRun + bytes > this.memory.byteLength) {
      this.#nextRun = this.bodies + this.bodyArea;
    }
  }

  // --- kept bodies ---

  #keptWithin(begin: number, end: number): boolean {
    return [...this.#kept.values()].some(
      ({ offset, length }) => offset < end && offset + length > begin,
    );
  }

  /** Length 0: the one with this number is dropped. */
  keep(number: number, offset: number, length: number): void {
    if (number >= KEPT_BODIES) throw new Error(`no kept body can have the number ${number}`);
    this.#kept.delete(number);
    if (length === 0) return;
    this.claim(offset, offset + length);
    this.#kept.set(number, { offset, length });
    if (this.keptBytes() > this.options.keptBytes) throw new Error("more is kept than may be");
  }

  kept(number: number): FakeRange {
    const kept = this.#kept.get(number);
    if (kept === undefined) throw new Error(`there is no kept body ${number}`);
    return kept;
  }

  /** Of the segments that kept bodies lie in, each counted for itself. */
  keptBytes(): number {
    const segment = (offset: number): number => Math.floor(offset / SEGMENT_BYTES);
    return (
      [...this.#kept.values()].reduce(
        (sum, { offset, length }) => sum + segment(offset + length - 1) - segment(offset) + 1,
        0,
      ) * SEGMENT_BYTES
    );
  }
}
