// Whole lines to a descriptor whose reader may be slow. Node makes a pipe non-blocking, so a write may take a part of a
// line, or nothing (write(2), EAGAIN): the rest goes first later on, and what comes meanwhile is counted.
import { writeSync } from "node:fs";

const RETRY_MS = 50;

export class LineOutput {
  readonly #descriptor: number;
  readonly #lostLine: (count: number) => string;
  #rest: Buffer | null = null;
  #lost = 0;

  /** `lostLine`: the line that stands for so many that were lost. */
  constructor(descriptor: number, lostLine: (count: number) => string) {
    this.#descriptor = descriptor;
    this.#lostLine = lostLine;
  }

  /** Synchronous, so that the last words before an exit are not lost. */
  write(line: string): void {
    this.#flush();
    if (this.#rest !== null) {
      this.#lost++;
      return;
    }
    this.#rest = Buffer.from(line);
    this.#flush();
    if (this.#rest !== null) this.#flushLater();
  }

  #flush(): void {
    while (this.#rest !== null && this.#rest.length > 0) {
      try {
        this.#rest = this.#rest.subarray(writeSync(this.#descriptor, this.#rest));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "EAGAIN") return;
        if (code === "EINTR") continue;
        break; // closed, or its reader is gone, which must not end the daemon: there is nobody left to tell
      }
    }
    this.#rest = null;
    if (this.#lost === 0) return;
    this.#rest = Buffer.from(this.#lostLine(this.#lost));
    this.#lost = 0;
    this.#flush();
  }

  #flushLater(): void {
    setTimeout(() => {
      this.#flush();
      if (this.#rest !== null) this.#flushLater();
    }, RETRY_MS).unref();
  }
}
