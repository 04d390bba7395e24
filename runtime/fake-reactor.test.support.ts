// The other end of a lane, in TypeScript: a model of the reactor for tests. It drives the rings over memory of the real
// layout, and checks what a worker pushes as strictly as native code does.
import { Dispatcher } from "./dispatcher.js";
import type { Handler, HandlerTable } from "./handler.js";
import {
  AnswerFlag,
  CREDIT_BYTES,
  ENTRY_BYTES,
  ENTRY_WORDS,
  EntryType,
  FIELD_LINE_BYTES,
  HEADROOM_BYTES,
  LANE_BYTES,
  LANE_CREDIT_CAPACITY_WORD,
  LANE_CREDIT_HEAD_WORD,
  LANE_CREDIT_RING_WORD,
  LANE_CREDIT_STARVED_WORD,
  LANE_CREDIT_TAIL_WORD,
  LANE_LANE_STATE_WORD,
  LANE_REQUEST_CAPACITY_WORD,
  LANE_STREAM_WINDOW_WORD,
  LANE_REQUEST_HEAD_WORD,
  LANE_REQUEST_RING_WORD,
  LANE_REQUEST_TAIL_WORD,
  LANE_RESPONSE_CAPACITY_WORD,
  LANE_RESPONSE_HEAD_WORD,
  LANE_RESPONSE_RING_WORD,
  LANE_RESPONSE_TAIL_WORD,
  LANE_STAND_IN_ASLEEP_WORD,
  LaneState,
  NO_OFFSET,
  PARAMETER_BYTES,
  ParameterKind,
  RequestFlag,
  SEGMENT_BYTES,
  SLOT_ANSWER_CONTENT_TYPE,
  SLOT_ANSWER_END_WORD,
  SLOT_ANSWER_FIELDS_LENGTH_WORD,
  SLOT_ANSWER_FIELDS_OFFSET_WORD,
  SLOT_ANSWER_FLAGS,
  SLOT_ANSWER_LENGTH_DOUBLE,
  SLOT_ANSWER_OFFSET_WORD,
  SLOT_ANSWER_STATUS_HALF,
  SLOT_BODY_LENGTH_WORD,
  SLOT_BODY_OFFSET_WORD,
  SLOT_BYTES,
  SLOT_CONTENT_LENGTH_DOUBLE,
  SLOT_FIELDS,
  SLOT_FIELD_COUNT_HALF,
  SLOT_HANDLER_WORD,
  SLOT_HEAD_LENGTH_WORD,
  SLOT_HEAD_OFFSET_WORD,
  SLOT_METHOD,
  SLOT_MINOR_VERSION,
  SLOT_PARAMETERS,
  SLOT_PARAMETER_COUNT_HALF,
  SLOT_PATH_LENGTH_HALF,
  SLOT_PATH_OFFSET_HALF,
  SLOT_QUERY_LENGTH_HALF,
  SLOT_QUERY_OFFSET_HALF,
  SLOT_REQUEST_FLAGS_HALF,
  SLOT_ROUTE_WORD,
  SLOT_STATE_WORD,
  SLOT_TARGET_LENGTH_HALF,
  SLOT_TARGET_OFFSET_HALF,
  SLOT_WORDS,
  SlotState,
} from "./layout.generated.js";
import type { LogMessage } from "./messages.js";
import { METHODS, type Method } from "./methods.js";
import { parameterNames } from "./parameters.js";

const PART_BEFORE = 16;
const PART_AFTER = 2;
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
  routes?: string[];
}

export interface FakeRequest {
  method?: Method;
  target?: string;
  fields?: [string, string][];
  parameters?: { kind: keyof typeof ParameterKind; text: string; value?: number }[];
  /** Comes with the head. */
  body?: string | Uint8Array;
  /** More follows by body(): a chunked body. */
  more?: boolean;
  expectContinue?: boolean;
  minorVersion?: number;
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

export class FakeReactor {
  readonly memory: ArrayBuffer;
  readonly words: Int32Array;
  readonly halves: Uint16Array;
  readonly doubles: Float64Array;
  readonly bytes: Buffer;
  readonly laneOffset: number;
  readonly logs: Omit<LogMessage, "type">[] = [];
  readonly slots: FakeSlot[];
  rings = 0;
  consumed: { slot: number; generation: number; offset: number; length: number }[] = [];
  dispatcher!: Dispatcher;
  readonly #options: Required<FakeOptions>;
  readonly #lane: number;
  #requestTail = 0;
  #responseHead = 0;
  #creditTail = 0;
  #runs: { begin: number; end: number; cursor: number }[] = [];
  #nextRun: number;
  readonly #heads: number;
  readonly #bodies: number;
  readonly #bodyArea: number;
  #nextBody = 0;

  constructor(options: FakeOptions = {}) {
    this.#options = {
      slots: 8,
      ringEntries: 64,
      runBytes: 16 * SEGMENT_BYTES,
      runs: 2,
      answerBytes: 2048,
      routes: ["/"],
      ...options,
    };
    const { slots, ringEntries } = this.#options;
    const align = (bytes: number): number => Math.ceil(bytes / SEGMENT_BYTES) * SEGMENT_BYTES;
    this.laneOffset = align(slots * SLOT_BYTES);
    const credits = 1024;
    const laneBytes = LANE_BYTES + 2 * ringEntries * ENTRY_BYTES + credits * CREDIT_BYTES;
    this.#heads = align(this.laneOffset + laneBytes);
    this.#bodies = this.#heads + slots * SEGMENT_BYTES * 2;
    this.#bodyArea = 64 * SEGMENT_BYTES;
    this.#nextRun = this.#bodies + this.#bodyArea;
    this.memory = new ArrayBuffer(this.#nextRun + 4096 * SEGMENT_BYTES);
    this.words = new Int32Array(this.memory);
    this.halves = new Uint16Array(this.memory);
    this.doubles = new Float64Array(this.memory);
    this.bytes = Buffer.from(this.memory);
    this.#lane = this.laneOffset / 4;
    const set = (word: number, value: number): void => {
      this.words[this.#lane + word] = value;
    };
    set(LANE_LANE_STATE_WORD, LaneState.live);
    set(LANE_REQUEST_CAPACITY_WORD, ringEntries);
    set(LANE_STREAM_WINDOW_WORD, WINDOW_BYTES);
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
    for (let i = 0; i < this.#options.runs; i++) this.grant();
  }

  /** A reactor whose lane calls these handlers; a function answers every request. */
  static with(handlers: Handler | HandlerTable[], options: FakeOptions = {}): FakeReactor {
    const reactor = new FakeReactor(options);
    reactor.serve(handlers);
    return reactor;
  }

  serve(handlers: Handler | HandlerTable[]): void {
    this.dispatcher = new Dispatcher({
      memory: this.memory,
      laneOffset: this.laneOffset,
      handlers: typeof handlers === "function" ? [METHODS.map(() => handlers)] : handlers,
      context: {
        routes: this.#options.routes.map((pattern) => ({
          pattern,
          parameters: parameterNames(pattern),
        })),
        remoteAddress: () => ({ address: "127.0.0.1", port: 4711 }),
      },
      ringStandIn: () => {
        this.rings++;
      },
      log: (entry) => this.logs.push(entry),
    });
  }

  // --- to the worker ---

  /** Fills a slot and queues it; returns the slot's number. */
  request(request: FakeRequest = {}, slot = this.slots.findIndex((each) => !each.held)): number {
    if (slot < 0) throw new Error("no free slot");
    this.fill(slot, request);
    this.enqueue(slot);
    return slot;
  }

  fill(slot: number, request: FakeRequest): void {
    const record = this.slot(slot);
    record.generation = (record.generation + 1) & 0xffffff;
    record.answer = null;
    record.log = [];
    const method = request.method ?? "GET";
    record.head = method === "HEAD";
    const target = request.target ?? "/";
    const base = slot * SLOT_WORDS;
    const half = base * 2;
    let at = this.#heads + slot * SEGMENT_BYTES * 2;
    const start = at;
    at += this.bytes.write(`${method} ${target} HTTP/1.1\r\n`, at, "latin1");
    const fields = request.fields ?? [["Host", "localhost"]];
    fields.forEach(([name, value], i) => {
      const line = slot * SLOT_BYTES + SLOT_FIELDS + i * FIELD_LINE_BYTES;
      this.halves.set(
        [at - start, name.length, at - start + name.length + 2, value.length],
        line / 2,
      );
      at += this.bytes.write(`${name}: ${value}\r\n`, at, "latin1");
    });
    at += this.bytes.write("\r\n", at, "latin1");
    const targetOffset = method.length + 1;
    const question = target.indexOf("?");
    const pathLength = question < 0 ? target.length : question;
    this.words[base + SLOT_HANDLER_WORD] = 0;
    this.words[base + SLOT_ROUTE_WORD] = 0;
    this.bytes[slot * SLOT_BYTES + SLOT_METHOD] = METHODS.indexOf(method);
    this.bytes[slot * SLOT_BYTES + SLOT_MINOR_VERSION] = request.minorVersion ?? 1;
    this.words[base + SLOT_HEAD_OFFSET_WORD] = start;
    this.words[base + SLOT_HEAD_LENGTH_WORD] = at - start;
    this.halves[half + SLOT_TARGET_OFFSET_HALF] = targetOffset;
    this.halves[half + SLOT_TARGET_LENGTH_HALF] = target.length;
    this.halves[half + SLOT_PATH_OFFSET_HALF] = targetOffset;
    this.halves[half + SLOT_PATH_LENGTH_HALF] = pathLength;
    this.halves[half + SLOT_QUERY_OFFSET_HALF] = targetOffset + pathLength + (question < 0 ? 0 : 1);
    this.halves[half + SLOT_QUERY_LENGTH_HALF] = question < 0 ? 0 : target.length - question - 1;
    this.halves[half + SLOT_FIELD_COUNT_HALF] = fields.length;
    let search = 0;
    const parameters = request.parameters ?? [];
    parameters.forEach((parameter, i) => {
      const record = slot * SLOT_BYTES + SLOT_PARAMETERS + i * PARAMETER_BYTES;
      const found = target.indexOf(parameter.text, search);
      search = found + parameter.text.length;
      this.halves.set([targetOffset + found, parameter.text.length], record / 2);
      this.words[record / 4 + 1] = ParameterKind[parameter.kind];
      this.doubles[record / 8 + 1] = parameter.value ?? 0;
    });
    this.halves[half + SLOT_PARAMETER_COUNT_HALF] = parameters.length;
    const body = Buffer.from(request.body ?? "");
    body.copy(this.bytes, at);
    this.words[base + SLOT_BODY_OFFSET_WORD] = at;
    this.words[base + SLOT_BODY_LENGTH_WORD] = body.length;
    at += body.length;
    this.doubles[base / 2 + SLOT_CONTENT_LENGTH_DOUBLE] = request.more === true ? -1 : body.length;
    let flags = 0;
    if (body.length > 0 || request.more === true) flags |= RequestFlag.hasBody;
    flags |= request.more === true ? RequestFlag.chunked : RequestFlag.bodyComplete;
    if (request.expectContinue === true) flags |= RequestFlag.expectContinue;
    if (record.head) flags |= RequestFlag.head;
    this.halves[half + SLOT_REQUEST_FLAGS_HALF] = flags;
    const answerOffset = Math.ceil(at / 64) * 64;
    this.words[base + SLOT_ANSWER_OFFSET_WORD] = answerOffset;
    this.words[base + SLOT_ANSWER_END_WORD] = answerOffset + this.#options.answerBytes;
  }

  enqueue(slot: number): void {
    const record = this.slot(slot);
    record.held = true;
    this.setState(slot, SlotState.queued);
    this.push(EntryType.request, slot, record.generation);
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

  push(type: number, slot: number, generation: number, argument = 0, argument2 = 0): void {
    const ring = (this.words[this.#lane + LANE_REQUEST_RING_WORD] as number) / 4;
    const used = this.#requestTail - this.lane(LANE_REQUEST_HEAD_WORD);
    if (used >= this.#options.ringEntries) throw new Error("the request ring is full");
    const entry = ring + (this.#requestTail & (this.#options.ringEntries - 1)) * ENTRY_WORDS;
    this.words.set([type | (slot << 8), generation, argument, argument2], entry);
    this.#requestTail++;
    Atomics.store(this.words, this.#lane + LANE_REQUEST_TAIL_WORD, this.#requestTail);
  }

  /** A part of the request body; returns its range. */
  body(
    slot: number,
    data: string | Uint8Array,
    type: number = EntryType.body,
  ): { offset: number; length: number } {
    const bytes = Buffer.from(data);
    if (this.#nextBody + bytes.length > this.#bodyArea) this.#nextBody = 0;
    const offset = this.#bodies + this.#nextBody;
    this.#nextBody += bytes.length;
    bytes.copy(this.bytes, offset);
    const { generation } = this.slot(slot);
    this.push(type, slot, generation, offset, bytes.length);
    return { offset, length: bytes.length };
  }

  /** A piece of the trailer section, as received. */
  trailers(slot: number, text: string): { offset: number; length: number } {
    return this.body(slot, Buffer.from(text, "latin1"), EntryType.trailers);
  }

  bodyEnd(slot: number, broken = false): void {
    this.push(EntryType.bodyEnd, slot, this.slot(slot).generation, broken ? 1 : 0);
  }

  /** Gives up on a request as the reactor does. False: the worker was first. */
  abandon(slot: number, reason = 0): boolean {
    const record = this.slot(slot);
    const was = this.state(slot);
    if (was === SlotState.answered || was === SlotState.abandoned) return false;
    this.setState(slot, SlotState.abandoned);
    if (was !== SlotState.queued) this.push(EntryType.abort, slot, record.generation, reason);
    return true;
  }

  grant(bytes = this.#options.runBytes): void {
    const ring = (this.words[this.#lane + LANE_CREDIT_RING_WORD] as number) / 4;
    const credit = ring + (this.#creditTail & 1023) * 2;
    this.words.set([this.#nextRun, bytes], credit);
    this.#runs.push({ begin: this.#nextRun, end: this.#nextRun + bytes, cursor: this.#nextRun });
    this.#nextRun += bytes;
    if (this.#nextRun + bytes > this.memory.byteLength) {
      this.#nextRun = this.#bodies + this.#bodyArea;
    }
    this.#creditTail++;
    Atomics.store(this.words, this.#lane + LANE_CREDIT_TAIL_WORD, this.#creditTail);
  }

  /** What the model knows of a slot. */
  slot(index: number): FakeSlot {
    const slot = this.slots[index];
    if (slot === undefined) throw new Error(`there is no slot ${index}`);
    return slot;
  }

  // --- lane words ---

  lane(word: number): number {
    return Atomics.load(this.words, this.#lane + word);
  }

  setLane(word: number, value: number): void {
    Atomics.store(this.words, this.#lane + word, value);
  }

  get starved(): boolean {
    return this.lane(LANE_CREDIT_STARVED_WORD) !== 0;
  }

  get standInAsleep(): boolean {
    return this.lane(LANE_STAND_IN_ASLEEP_WORD) !== 0;
  }

  set standInAsleep(asleep: boolean) {
    this.setLane(LANE_STAND_IN_ASLEEP_WORD, asleep ? 1 : 0);
  }

  get unread(): number {
    return this.#requestTail - this.lane(LANE_REQUEST_HEAD_WORD);
  }

  get creditsUnread(): number {
    return this.#creditTail - this.lane(LANE_CREDIT_HEAD_WORD);
  }

  // --- from the worker ---

  /** Reads the response ring, at most `most` entries. Throws where native code would break the lane. */
  read(most = Infinity): void {
    const ring = (this.words[this.#lane + LANE_RESPONSE_RING_WORD] as number) / 4;
    const tail = this.lane(LANE_RESPONSE_TAIL_WORD);
    if (((tail - this.#responseHead) | 0) > this.#options.ringEntries) {
      throw new Error("the response ring overflowed");
    }
    for (let i = 0; i < most && this.#responseHead !== tail; i++) {
      const entry = ring + (this.#responseHead & (this.#options.ringEntries - 1)) * ENTRY_WORDS;
      this.#responseHead = (this.#responseHead + 1) | 0;
      const word = (offset: number): number => (this.words[entry + offset] as number) >>> 0;
      this.#entry(word(0) & 0xff, word(0) >>> 8, word(1), word(2), word(3));
    }
    this.setLane(LANE_RESPONSE_HEAD_WORD, this.#responseHead);
  }

  #entry(
    type: number,
    slot: number,
    generation: number,
    argument: number,
    argument2: number,
  ): void {
    const record = this.slots[slot];
    if (record === undefined) throw new Error(`entry for slot ${slot}, which does not exist`);
    const name = Object.entries(EntryType).find(([, value]) => value === type)?.[0] ?? String(type);
    if (type === EntryType.consumed) {
      this.consumed.push({ slot, generation, offset: argument, length: argument2 });
      record.log.push(name);
      return;
    }
    if (record.generation !== generation || !record.held) {
      if (type === EntryType.bodyDiscard || type === EntryType.continue) return;
      throw new Error(`${name} for slot ${slot}, which is not the lane's`);
    }
    record.log.push(name);
    switch (type) {
      case EntryType.answer:
        return this.#answer(slot, record, argument, argument2);
      case EntryType.part:
        return this.#part(record, argument, argument2);
      case EntryType.end:
      case EntryType.fail:
      case EntryType.giveBack:
        if (argument2 > 0) this.#trailers(record, argument, argument2);
        return this.#over(slot, record, type);
      case EntryType.bodyDiscard:
      case EntryType.continue:
        return;
      default:
        throw new Error(`an entry of type ${name}`);
    }
  }

  #answer(slot: number, record: FakeSlot, offset: number, length: number): void {
    const base = slot * SLOT_WORDS;
    const word = (index: number): number => (this.words[base + index] as number) >>> 0;
    const flags = this.bytes[slot * SLOT_BYTES + SLOT_ANSWER_FLAGS] as number;
    const fieldsLength = word(SLOT_ANSWER_FIELDS_LENGTH_WORD);
    const fieldsOffset = word(SLOT_ANSWER_FIELDS_OFFSET_WORD);
    const last = (flags & AnswerFlag.last) !== 0;
    if (offset === NO_OFFSET || offset < HEADROOM_BYTES) {
      if (length > 0 || fieldsLength > 0) throw new Error("an answer without memory");
    } else {
      const begin = offset - HEADROOM_BYTES;
      const end = Math.max(offset + length, fieldsLength > 0 ? fieldsOffset + fieldsLength : 0);
      const behind = begin >= word(SLOT_ANSWER_OFFSET_WORD) && end <= word(SLOT_ANSWER_END_WORD);
      if (!behind) this.#claim(begin, end);
      if (fieldsLength > 0 && fieldsOffset < begin) throw new Error("fields outside the answer");
    }
    const expected = last ? SlotState.answered : SlotState.streaming;
    const state = this.state(slot);
    if (
      state !== expected &&
      (last || (state !== SlotState.abandoned && state !== SlotState.answered))
    ) {
      throw new Error(`answer in state ${state}`);
    }
    if (record.answer !== null) throw new Error("a second answer");
    const fields = this.#fields(fieldsOffset, fieldsLength);
    const known = (flags & AnswerFlag.lengthKnown) !== 0;
    const total = this.doubles[base / 2 + SLOT_ANSWER_LENGTH_DOUBLE] as number;
    record.answer = {
      status: this.halves[base * 2 + SLOT_ANSWER_STATUS_HALF] as number,
      contentType: this.bytes[slot * SLOT_BYTES + SLOT_ANSWER_CONTENT_TYPE] as number,
      flags,
      length: last ? length : known ? total : -1,
      fields,
      trailers: [],
      parts: length > 0 ? [Buffer.from(this.bytes.subarray(offset, offset + length))] : [],
      state: last ? "complete" : "open",
    };
    // What native code writes in place must hurt nobody.
    this.bytes.fill(0xee, offset - HEADROOM_BYTES, offset + length + fieldsLength);
    if (last) record.held = false;
  }

  #fields(offset: number, length: number): [string, string][] {
    const fields: [string, string][] = [];
    for (let at = offset; at < offset + length;) {
      const nameLength = this.bytes.readUInt16LE(at);
      const valueLength = this.bytes.readUInt16LE(at + 2);
      const name = this.bytes.toString("latin1", at + 4, at + 4 + nameLength);
      at += 4 + nameLength;
      fields.push([name, this.bytes.toString("latin1", at, at + valueLength)]);
      at += valueLength;
    }
    return fields;
  }

  #trailers(record: FakeSlot, offset: number, length: number): void {
    this.#claim(offset - PART_BEFORE, offset + length + PART_AFTER);
    if (record.answer === null) throw new Error("trailers of an answer that has not begun");
    if (record.answer.flags !== 0) throw new Error("trailers of an answer that is not chunked");
    record.answer.trailers = this.#fields(offset, length);
    this.bytes.fill(0xee, offset - PART_BEFORE, offset + length + PART_AFTER);
  }

  #part(record: FakeSlot, offset: number, length: number): void {
    if (length === 0 || length >= 1 << 20) throw new Error(`a part of ${length} bytes`);
    this.#claim(offset - PART_BEFORE, offset + length + PART_AFTER);
    if (record.answer === null || record.answer.state !== "open") {
      throw new Error("a part of an answer that is not open");
    }
    record.answer.parts.push(Buffer.from(this.bytes.subarray(offset, offset + length)));
    this.bytes.fill(0xee, offset - PART_BEFORE, offset + length + PART_AFTER);
  }

  #over(slot: number, record: FakeSlot, type: number): void {
    const state = this.state(slot);
    const expected = type === EntryType.giveBack ? SlotState.abandoned : SlotState.answered;
    if (state !== expected) throw new Error(`slot ${slot} ends in state ${state}`);
    record.held = false;
    if (type === EntryType.giveBack) {
      if (record.answer !== null) record.answer.state = "givenBack";
      return;
    }
    if (record.answer === null) throw new Error("the end of an answer that has not begun");
    record.answer.state = type === EntryType.end ? "complete" : "failed";
    const { answer } = record;
    const bytes = answer.parts.reduce((sum, part) => sum + part.length, 0);
    if (type === EntryType.end && answer.length >= 0 && bytes !== answer.length && !record.head) {
      throw new Error(`an answer of ${answer.length} bytes has ${bytes}`);
    }
  }

  #claim(begin: number, end: number): void {
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

  /** Bytes of a stream have left. */
  writable(slot: number, bytes: number): void {
    this.push(EntryType.writable, slot, this.slot(slot).generation, bytes);
  }

  // --- for the benchmark: the ends of the rings move on, nothing is looked at ---

  skipRequests(): void {
    this.setLane(LANE_REQUEST_HEAD_WORD, this.#requestTail);
  }

  skipAnswers(expected: number): void {
    const tail = this.lane(LANE_RESPONSE_TAIL_WORD);
    if (tail - this.#responseHead !== expected) throw new Error("not every request was answered");
    this.#responseHead = tail;
    this.setLane(LANE_RESPONSE_HEAD_WORD, tail);
  }

  /** One turn: calls the dispatcher while there is something for it, and reads what it pushed. */
  turn(): void {
    do {
      this.dispatcher.dispatch();
      this.read();
    } while (this.unread > 0);
  }

  /** Turns, and sends whatever streams push at once, until every request is answered or `turns` are over. */
  async run(turns = 1000): Promise<void> {
    const sent = new Map<FakeAnswer, number>();
    for (let i = 0; i < turns; i++) {
      this.turn();
      this.slots.forEach((record, slot) => {
        const { answer } = record;
        if (answer === null || answer.state !== "open") return;
        const bytes = answer.parts.reduce((sum, part) => sum + part.length, 0);
        const left = bytes - (sent.get(answer) ?? 0);
        sent.set(answer, bytes);
        if (left > 0) this.writable(slot, left);
      });
      if (this.starved) while (this.creditsUnread < this.#options.runs) this.grant();
      if (!this.slots.some((record) => record.held)) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
    throw new Error(`not answered after ${turns} turns`);
  }

  /** Queues a request, runs until it is answered, and returns its answer. */
  async fetch(request: FakeRequest = {}): Promise<FakeAnswer> {
    const slot = this.request(request);
    await this.run();
    return this.answer(slot);
  }

  answer(slot: number): FakeAnswer {
    const answer = this.slots[slot]?.answer;
    if (answer === undefined || answer === null) throw new Error(`slot ${slot} has no answer`);
    return answer;
  }
}

export function bodyText(answer: FakeAnswer): string {
  return Buffer.concat(answer.parts).toString("utf8");
}
