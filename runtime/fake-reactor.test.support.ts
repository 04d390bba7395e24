// The other end of a lane, in TypeScript: a model of the reactor for tests. It drives the rings over memory of the real
// layout, and checks what a worker pushes as strictly as native code does.
import { Dispatcher } from "./dispatcher.js";
import { FakeAnswers } from "./fake-answers.test.support.js";
import type { FakeAnswer, FakeOptions, FakeRange } from "./fake-memory.test.support.js";
import type { Handler, HandlerTable } from "./handler.js";
import {
  ENTRY_WORDS,
  EntryType,
  FIELD_LINE_BYTES,
  LANE_CREDIT_STARVED_WORD,
  LANE_REQUEST_HEAD_WORD,
  LANE_REQUEST_RING_WORD,
  LANE_REQUEST_TAIL_WORD,
  LANE_STAND_IN_ASLEEP_WORD,
  PARAMETER_BYTES,
  ParameterKind,
  RequestFlag,
  SEGMENT_BYTES,
  SLOT_ANSWER_END_WORD,
  SLOT_ANSWER_OFFSET_WORD,
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
  SLOT_TARGET_LENGTH_HALF,
  SLOT_TARGET_OFFSET_HALF,
  SLOT_WORDS,
  SlotState,
} from "./layout.generated.js";
import type { LogMessage } from "./messages.js";
import { METHODS, type Method } from "./methods.js";
import { parameterNames } from "./parameters.js";

export { bodyText } from "./fake-answers.test.support.js";
export { type FakeAnswer, WINDOW_BYTES } from "./fake-memory.test.support.js";

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

export class FakeReactor extends FakeAnswers {
  readonly logs: Omit<LogMessage, "type">[] = [];
  rings = 0;
  dispatcher!: Dispatcher;
  /** Bytes that the clients' sockets take at once; -1: nothing may be sent so. */
  socketRoom = -1;
  #requestTail = 0;
  readonly #sent = new Map<FakeAnswer, number>();
  #nextBody = 0;

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
        routes: this.options.routes.map((pattern) => ({
          pattern,
          parameters: parameterNames(pattern),
        })),
        remoteAddress: () => ({ address: "127.0.0.1", port: 4711 }),
      },
      calls: {
        ringStandIn: () => {
          this.rings++;
        },
        sendNow: (slot, generation, bytes, start, end) =>
          this.sendNow(slot, generation, bytes.subarray(start, end)),
      },
      log: (entry) => this.logs.push(entry),
      abandonedMost: this.options.abandonedMost,
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
    let at = this.heads + slot * SEGMENT_BYTES * 2;
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
    this.words[base + SLOT_ANSWER_END_WORD] = answerOffset + this.options.answerBytes;
  }

  enqueue(slot: number): void {
    const record = this.slot(slot);
    record.held = true;
    this.setState(slot, SlotState.queued);
    this.push(EntryType.request, slot, record.generation);
  }

  push(type: number, slot: number, generation: number, argument = 0, argument2 = 0): void {
    const ring = (this.words[this.laneWord + LANE_REQUEST_RING_WORD] as number) / 4;
    const used = this.#requestTail - this.lane(LANE_REQUEST_HEAD_WORD);
    if (used >= this.options.ringEntries) throw new Error("the request ring is full");
    const entry = ring + (this.#requestTail & (this.options.ringEntries - 1)) * ENTRY_WORDS;
    this.words.set([type | (slot << 8), generation, argument, argument2], entry);
    this.#requestTail++;
    Atomics.store(this.words, this.laneWord + LANE_REQUEST_TAIL_WORD, this.#requestTail);
  }

  /** A part of the request body; returns its range. */
  body(slot: number, data: string | Uint8Array, type: number = EntryType.body): FakeRange {
    const bytes = Buffer.from(data);
    if (this.#nextBody + bytes.length > this.bodyArea) this.#nextBody = 0;
    const offset = this.bodies + this.#nextBody;
    this.#nextBody += bytes.length;
    bytes.copy(this.bytes, offset);
    const { generation } = this.slot(slot);
    this.push(type, slot, generation, offset, bytes.length);
    return { offset, length: bytes.length };
  }

  /** A piece of the trailer section, as received. */
  trailers(slot: number, text: string): FakeRange {
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

  // --- lane words ---

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

  // --- from the worker ---

  /** Bytes of a stream have left. */
  writable(slot: number, bytes: number): void {
    this.push(EntryType.writable, slot, this.slot(slot).generation, bytes);
  }

  // --- for the benchmark: the ends of the rings move on, nothing is looked at ---

  skipRequests(): void {
    this.setLane(LANE_REQUEST_HEAD_WORD, this.#requestTail);
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
    for (let i = 0; i < turns; i++) {
      this.turn();
      this.slots.forEach((_, slot) => this.left(slot));
      if (this.starved) while (this.runsHeld < Math.max(this.options.runs, 2)) this.grant();
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

  /** What a stream has pushed has left. */
  left(slot: number): void {
    const { answer } = this.slot(slot);
    if (answer === null || answer.state !== "open") return;
    const bytes = answer.parts.reduce((sum, part) => sum + part.length, 0);
    const left = bytes - (this.#sent.get(answer) ?? 0);
    this.#sent.set(answer, bytes);
    if (left > 0) this.writable(slot, left);
  }

  /** As native code: only what is the next to be sent, and has been pushed before, may go before the rings. */
  sendNow(slot: number, generation: number, bytes: Uint8Array): number {
    const { answer } = this.slot(slot);
    if (answer === null || answer.state !== "open" || this.slot(slot).generation !== generation) {
      return -1;
    }
    const pushed = answer.parts.reduce((sum, part) => sum + part.length, 0);
    const sent = this.#sent.get(answer) ?? 0;
    if (this.socketRoom < 0 || answer.length < 0 || pushed > sent) return -1;
    const taken = Math.min(bytes.length, this.socketRoom, answer.length - pushed);
    this.socketRoom -= taken;
    if (taken > 0) answer.parts.push(Buffer.from(bytes.subarray(0, taken)));
    this.#sent.set(answer, sent + taken);
    return taken;
  }

  answer(slot: number): FakeAnswer {
    const answer = this.slots[slot]?.answer;
    if (answer === undefined || answer === null) throw new Error(`slot ${slot} has no answer`);
    return answer;
  }
}
