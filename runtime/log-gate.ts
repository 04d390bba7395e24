// What a worker has to say, as far as the main thread listens: lines that it has not taken yet are memory.
import type { LogMessage, WorkerMessage } from "./messages.js";

/** Lines under way. */
export const MOST_LINES = 1000;
/** At the latest then it is said how many were left out. */
const SAID_MS = 1000;

export class LogGate {
  readonly #taken: Int32Array;
  readonly #post: (message: WorkerMessage) => void;
  #posted = 0;
  #leftOut = 0;

  /** `taken`: one word, in which the main thread counts the lines that it has taken. */
  constructor(taken: Int32Array, post: (message: WorkerMessage) => void) {
    this.#taken = taken;
    this.#post = post;
  }

  write(entry: Omit<LogMessage, "type">): void {
    if (((this.#posted - Atomics.load(this.#taken, 0)) | 0) >= MOST_LINES) {
      if (this.#leftOut++ === 0) {
        setTimeout(() => {
          this.#sayLeftOut();
        }, SAID_MS).unref();
      }
      return;
    }
    this.#sayLeftOut();
    this.#posted++;
    this.#post({ type: "log", ...entry });
  }

  #sayLeftOut(): void {
    if (this.#leftOut > 0) this.#post({ type: "leftOut", lines: this.#leftOut });
    this.#leftOut = 0;
  }
}
