// Requests whose handlers go on although nobody waits for them any more. Their slots are given back at once, while there
// is memory for copies of what the handlers may still read; beyond that they keep their slots, until their handlers are
// done or others are, and for KEPT_MS at most: a handler may never settle.
import type { Exchange } from "./exchange.js";
import type { RequestView } from "./request.js";

const KEPT_MS = 30_000;

/** Whose request it was: the exchange has another view by the time when its slot has been given back. */
interface Keeping {
  view: RequestView<string> | null;
  untilMs: number;
}

export class AbandonedRequests {
  readonly #mostBytes: number;
  readonly #onDetached: (exchange: Exchange) => void;
  readonly #keptMs: number;
  #bytes = 0;
  readonly #keeping = new Map<Exchange, Keeping>();
  #timer: NodeJS.Timeout | undefined;
  /** A handler that never settles, and that nothing can wake, is collected. */
  readonly #collected = new FinalizationRegistry<number>((bytes) => {
    this.#came(bytes);
  });

  /** `onDetached`: the exchange has given its slot back. */
  constructor(mostBytes: number, onDetached: (exchange: Exchange) => void, keptMs = KEPT_MS) {
    this.#mostBytes = mostBytes;
    this.#onDetached = onDetached;
    this.#keptMs = keptMs;
  }

  add(exchange: Exchange): void {
    if (this.#fits(exchange)) return this.#detach(exchange);
    const untilMs = performance.now() + this.#keptMs;
    this.#keeping.delete(exchange); // one of before
    this.#keeping.set(exchange, { view: exchange.view, untilMs });
    this.#lookIn(this.#keptMs);
  }

  /** Its handler is done. */
  settled(exchange: Exchange): void {
    if (this.#collected.unregister(exchange)) this.#came(exchange.region.bytes.length);
  }

  #fits(exchange: Exchange): boolean {
    return this.#bytes + exchange.detachedBytes() <= this.#mostBytes;
  }

  #detach(exchange: Exchange): void {
    const bytes = exchange.detachedBytes();
    exchange.detach();
    this.#bytes += bytes;
    this.#collected.register(exchange, bytes, exchange);
    this.#onDetached(exchange);
  }

  #came(bytes: number): void {
    this.#bytes -= bytes;
    this.#detachKept();
  }

  #lookIn(ms: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#detachKept();
    }, ms).unref();
  }

  /** The oldest first. */
  #detachKept(): void {
    for (const [exchange, { view, untilMs }] of this.#keeping) {
      const isItself = exchange.view === view;
      const leftMs = untilMs - performance.now();
      if (isItself && leftMs > 0 && !this.#fits(exchange)) return this.#lookIn(leftMs);
      this.#keeping.delete(exchange);
      if (isItself) this.#detach(exchange);
    }
  }
}
