// The dispatcher: takes entries off the request ring, calls handlers, answers with what they return.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { AbandonedRequests } from "./abandoned.js";
import { answer, answerText, dropAnswer, TEXT } from "./answer.js";
import { describe } from "./describe.js";
import { isAbortError, statusAndMessage } from "./errors.js";
import { Exchange } from "./exchange.js";
import type { Handler, HandlerTable } from "./handler.js";
import { Lane, type ReactorCalls } from "./lane.js";
import {
  AbortReason,
  AnswerFlag,
  ContentType,
  EntryType,
  ENTRY_ARGUMENT2_WORD,
  ENTRY_ARGUMENT_WORD,
  ENTRY_GENERATION_WORD,
  SlotState,
  SLOT_HANDLER_WORD,
  SLOT_METHOD,
  SLOT_STATE_WORD,
  SLOT_WORDS,
} from "./layout.generated.js";
import type { LogMessage } from "./messages.js";
import { METHODS } from "./methods.js";
import { headWord, Region } from "./region.js";
import { isThenable, reply } from "./reply.js";
import { type RequestContext, RequestView } from "./request.js";

// A batch ends after so many handlers or so much time: then the reactor turns, and calls again. As many as a turn has
// completions, so that quick ones do not pile up on the lane (bench/NOTES.md).
const BATCH_HANDLERS = 128;
const BATCH_MS = 0.2;
const CLOCK_EVERY = 4; // handlers; a look at the clock costs 45 ns

export interface DispatcherOptions {
  memory: ArrayBuffer;
  laneOffset: number;
  /** By Slot.handler. */
  handlers: readonly HandlerTable[];
  context: RequestContext;
  calls: ReactorCalls;
  log: (entry: Omit<LogMessage, "type">) => void;
  /** Bytes that requests may hold whose handlers go on although nobody waits for them. */
  abandonedMost: number;
  /** A further line about an error, with the line break before it, or "". */
  hint?: (error: unknown) => string;
}

export class Dispatcher {
  readonly #lane: Lane;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #handlers: readonly HandlerTable[];
  readonly #context: RequestContext;
  readonly #log: (entry: Omit<LogMessage, "type">) => void;
  readonly #hint: (error: unknown) => string;
  readonly #exchanges: (Exchange | undefined)[] = [];
  readonly #abandoned: AbandonedRequests;
  readonly #callInScope = (handler: Handler, exchange: Exchange, view: RequestView): void => {
    this.#call(handler, exchange, view);
  };

  constructor(options: DispatcherOptions) {
    const region = new Region(options.memory);
    this.#lane = new Lane(region, options.laneOffset, options.calls);
    this.#words = region.words;
    this.#bytes = region.bytes;
    this.#handlers = options.handlers;
    this.#context = options.context;
    this.#log = options.log;
    this.#abandoned = new AbandonedRequests(options.abandonedMost, (exchange) => {
      this.#exchanges[exchange.slot] = undefined;
    });
    this.#hint = options.hint ?? (() => "");
  }

  /** One batch. Called on the worker's thread whenever the request ring holds entries, or credits came. */
  dispatch(): void {
    const lane = this.#lane;
    if (!lane.active()) return;
    lane.resume();
    const words = this.#words;
    let called = 0;
    let until = 0;
    for (let entry = lane.peek(); entry >= 0; entry = lane.peek()) {
      const head = words[entry] as number;
      const generation = words[entry + ENTRY_GENERATION_WORD] as number;
      const argument = words[entry + ENTRY_ARGUMENT_WORD] as number;
      const argument2 = words[entry + ENTRY_ARGUMENT2_WORD] as number;
      lane.take();
      const type = head & 0xff;
      const slot = head >>> 8;
      if (type === EntryType.request) this.#request(slot, generation);
      else this.#event(type, slot, generation, argument, argument2);
      if (++called === 2) {
        until = performance.now() + BATCH_MS;
      } else if (called % CLOCK_EVERY === 0) {
        if (called >= BATCH_HANDLERS || performance.now() >= until) return;
      }
    }
  }

  #request(slot: number, generation: number): void {
    const base = slot * SLOT_WORDS;
    const words = this.#words;
    const state = generation << 8;
    const seen = Atomics.compareExchange(
      words,
      base + SLOT_STATE_WORD,
      state | SlotState.queued,
      state | SlotState.started,
    );
    if (seen !== (state | SlotState.queued)) {
      // Abandoned before it began. Another generation: the slot has gone on without this lane.
      if (seen === (state | SlotState.abandoned)) {
        this.#lane.push(EntryType.giveBack, slot, generation, 0, 0);
      }
      return;
    }
    const exchange = (this.#exchanges[slot] ??= this.#exchange(slot));
    exchange.generation = generation;
    const view = new RequestView(exchange, this.#context);
    exchange.view = view;
    const table = this.#handlers[words[base + SLOT_HANDLER_WORD] as number] as HandlerTable;
    const handler = table[this.#bytes[base * 4 + SLOT_METHOD] as number];
    if (handler === undefined) return this.#methodNotAllowed(exchange, table);

    // One context for each request: what a handler enters (AsyncLocalStorage.enterWith) ends with it.
    const resource = new AsyncResource("PinionRequest", DETACHED);
    exchange.resource = resource;
    resource.runInAsyncScope(this.#callInScope, undefined, handler, exchange, view);
  }

  // All of it in the request's context: code of the handler's runs in what it returns, too, such as then() and toJSON().
  #call(handler: Handler, exchange: Exchange, view: RequestView): void {
    let result: unknown;
    try {
      result = handler(view);
      if (KEEPS_ENTERED && typeof result === "object") {
        exchange.resource = new AsyncResource("PinionRequest", DETACHED);
      }
      if (typeof result !== "string" && isThenable(result)) {
        // One with a then() of its own could settle twice.
        const own = !(result instanceof Promise) || result.then !== PROMISE_THEN;
        (own ? asPromise(result) : result).then(exchange.resolved, exchange.rejected);
        return;
      }
    } catch (error) {
      return this.#failed(exchange, error);
    }
    if (typeof result === "string") return answerText(exchange, result, TEXT, null);
    this.#resolved(exchange, result);
  }

  #exchange(slot: number): Exchange {
    return new Exchange(
      this.#lane,
      slot,
      (exchange, value) => {
        this.#resolved(exchange, value);
      },
      (exchange, error) => {
        this.#failed(exchange, error);
      },
    );
  }

  #event(
    type: number,
    slot: number,
    generation: number,
    argument: number,
    argument2: number,
  ): void {
    const exchange = this.#exchanges[slot];
    const current =
      exchange !== undefined && exchange.view !== null && exchange.generation === generation;
    switch (type) {
      case EntryType.body:
        if (current) exchange.reader().arrive(argument, argument2);
        else this.#lane.push(EntryType.consumed, slot, generation, argument, argument2);
        return;
      case EntryType.trailers:
        if (current) exchange.reader().trailersArrive(argument, argument2);
        else this.#lane.push(EntryType.consumed, slot, generation, argument, argument2);
        return;
      case EntryType.bodyEnd:
        if (current) exchange.reader().end(argument !== 0);
        return;
      case EntryType.writable:
        if (current) exchange.stream?.left(argument);
        return;
      case EntryType.abort:
        if (current) this.#abort(exchange, argument);
        return;
    }
  }

  // The slot does not wait for the handler, which may never settle, unless too many go on like that.
  #abort(exchange: Exchange, reason: number): void {
    const { view } = exchange;
    if (reason === AbortReason.timedOut && view !== null) {
      this.#say("warning", view, "the time is up: the client got a 504, or half an answer");
    }
    exchange.abort(reason);
    if (exchange.view === null || reason === AbortReason.halfClosed) return;
    this.#abandoned.add(exchange);
  }

  #resolved(exchange: Exchange, value: unknown): void {
    if (exchange.detached) {
      this.#abandoned.settled(exchange);
      return dropAnswer(value);
    }
    if (exchange.abortReason >= 0 && exchange.abandoned()) {
      dropAnswer(value);
      return exchange.giveBack();
    }
    try {
      answer(exchange, value);
    } catch (error) {
      this.#failed(exchange, error);
    }
  }

  #failed(exchange: Exchange, error: unknown): void {
    const { view } = exchange;
    if (view === null) return;
    const abandoned = exchange.detached || exchange.abandoned();
    if (abandoned && exchange.abortReason >= 0) {
      // Nobody waits for it, but it may be what has taken so long. Who stops because its client is gone is at no fault.
      const isLate = exchange.abortReason === AbortReason.timedOut && !isAbortError(error);
      if (isLate) this.#say("error", view, describe(error) + this.#hint(error));
      return exchange.detached ? this.#abandoned.settled(exchange) : exchange.giveBack();
    }
    const { status, message } = statusAndMessage(error);
    const requestId = view.id;
    const stopped = exchange.halfClosed && isAbortError(error);
    if (status >= 500 && !stopped) {
      this.#say("error", view, describe(error) + this.#hint(error));
    }
    if (abandoned) return exchange.giveBack();
    if (exchange.begun()) {
      exchange.dropBody();
      if (!exchange.move(SlotState.streaming, SlotState.answered)) return;
      this.#lane.push(EntryType.fail, exchange.slot, exchange.generation, 0, 0);
      return exchange.retire();
    }
    const word = headWord(status, ContentType.json, AnswerFlag.last | AnswerFlag.lengthKnown);
    answerText(exchange, JSON.stringify({ error: message, requestId }), word, null);
  }

  #say(level: LogMessage["level"], view: RequestView<string>, message: string): void {
    const { id, method, path, route } = view;
    this.#log({ level, requestId: id, method, path, route, message });
  }

  // Only what came before the worker had said what its handlers answer: the router knows since then.
  #methodNotAllowed(exchange: Exchange, table: HandlerTable): void {
    const allow = METHODS.filter((_, index) => table[index] !== undefined).join(", ");
    answer(exchange, reply(405, "405 Method Not Allowed\n", { Allow: allow }));
  }
}

// No trigger: a request is nobody's consequence but its client's.
const DETACHED = { triggerAsyncId: 0, requireManualDestroy: false };

// eslint-disable-next-line @typescript-eslint/unbound-method -- compared, never called
const PROMISE_THEN = Promise.prototype.then;

// Where contexts are frames (Node 24), a resource enters the one that it was made in: what the handler has entered by
// the time when it returns is kept for its stream and its abort listeners by a new one.
// Not found out by entering one: where contexts are hooks, V8 compiles async functions less well from then on.
const KEEPS_ENTERED = !("_enable" in AsyncLocalStorage.prototype);

async function asPromise(thenable: unknown): Promise<unknown> {
  return thenable;
}
