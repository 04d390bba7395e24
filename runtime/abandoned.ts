// Requests whose handlers go on although nobody waits for them any more: what they hold is bounded.
import type { Exchange } from "./exchange.js";

export class AbandonedRequests {
  readonly #mostBytes: number;
  #bytes = 0;
  /** A handler that never settles, and that nothing can wake, is collected. */
  readonly #collected = new FinalizationRegistry<number>((bytes) => {
    this.#bytes -= bytes;
  });

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Gives the slot back, if there is room for a copy of what the handler may still read. False: it keeps its slot. */
  take(exchange: Exchange): boolean {
    const bytes = exchange.detachedBytes();
    if (this.#bytes + bytes > this.#mostBytes) return false;
    exchange.detach();
    this.#bytes += bytes;
    this.#collected.register(exchange, bytes, exchange);
    return true;
  }

  /** Its handler is done. */
  settled(exchange: Exchange): void {
    if (this.#collected.unregister(exchange)) this.#bytes -= exchange.region.bytes.length;
  }
}
