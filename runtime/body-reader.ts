// The request body, as its parts arrive. The lane owns a part until it pushes `consumed`: parts are copied out at once
// while little is unread, and held back beyond that, so that the reactor stops reading from the socket.
import { bodyAborted, RequestOverError } from "./errors.js";
import type { Lane } from "./lane.js";
import { EntryType } from "./layout.generated.js";
import { copyOf, UnreadParts } from "./unread-parts.js";

/** Bytes of one request that are copied out before anybody reads them. */
export const UNREAD_MAX = 64 * 1024;

type Waiting = {
  resolve: (part: Uint8Array | null) => void;
  reject: (error: unknown) => void;
};

export class BodyReader {
  readonly #lane: Lane;
  readonly #slot: number;
  readonly #generation: number;
  readonly #unread = new UnreadParts();
  #held: number[] = []; // offset and length of each part that is not copied yet
  #ended: boolean;
  #error: unknown = undefined;
  #waiting: Waiting | null = null;
  #discarded = false;
  #wantsContinue: boolean;
  #trailers = ""; // field lines as received
  #readToEnd = false;

  constructor(
    lane: Lane,
    slot: number,
    generation: number,
    inline: Uint8Array | null,
    complete: boolean,
    expectContinue: boolean,
  ) {
    this.#lane = lane;
    this.#slot = slot;
    this.#generation = generation;
    this.#ended = complete;
    this.#wantsContinue = expectContinue && !complete;
    if (inline !== null && inline.length > 0) {
      this.#unread.add(inline);
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The trailer section's field lines, each with its CRLF, once the body has been read to its end; "" before. */
  get trailers(): string {
    return this.#readToEnd ? this.#trailers : "";
  }

  // --- from the request ring ---

  arrive(offset: number, length: number): void {
    if (this.#discarded || this.#error !== undefined) return this.#consume(offset, length);
    const waiting = this.#waiting;
    if (waiting !== null) {
      this.#waiting = null;
      waiting.resolve(this.#copy(offset, length));
    } else if (this.#held.length > 0 || this.#unread.length + length > UNREAD_MAX) {
      this.#held.push(offset, length);
    } else {
      this.#keep(offset, length);
    }
  }

  /** A piece of the trailer section. All of it is 16 KiB at most (native/shard/reactor_body.hpp): it is copied out. */
  trailersArrive(offset: number, length: number): void {
    if (!this.#discarded && this.#error === undefined) {
      this.#trailers += this.#lane.region.bytes.toString("latin1", offset, offset + length);
    }
    this.#consume(offset, length);
  }

  end(broken: boolean): void {
    if (broken) return this.fail(bodyAborted());
    this.#ended = true;
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    this.#readToEnd = true;
    waiting.resolve(null);
  }

  /** Whoever reads, now or later, gets the error. */
  fail(error: unknown): void {
    if (this.#error !== undefined || (this.#ended && this.#held.length === 0)) return;
    this.#error = error;
    this.#ended = true;
    this.#release();
    this.#waiting?.reject(error);
    this.#waiting = null;
  }

  // --- for the handler ---

  /** The next part, or null at the end. One reader at a time. */
  read(): Promise<Uint8Array | null> {
    if (this.#error !== undefined) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what fail() was given
      return Promise.reject(this.#error);
    }
    const part = this.#unread.take();
    if (part !== undefined) {
      this.#refill();
      return Promise.resolve(part);
    }
    const offset = this.#held.shift();
    const length = this.#held.shift();
    if (offset !== undefined && length !== undefined) {
      return Promise.resolve(this.#copy(offset, length));
    }
    if (this.#ended) {
      this.#readToEnd = true;
      return Promise.resolve(null);
    }
    if (this.#discarded) return Promise.reject(new RequestOverError());
    if (this.#waiting !== null) {
      return Promise.reject(new TypeError("the request body is being read already"));
    }
    if (this.#wantsContinue) {
      this.#wantsContinue = false;
      this.#lane.push(EntryType.continue, this.#slot, this.#generation, 0, 0);
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Nobody wants the rest: what is held goes back, and the reactor drops what still comes. */
  discard(): void {
    if (this.#discarded) return;
    this.#discarded = true;
    // Whoever goes on reading must not take what has been dropped for the end.
    if (this.#unread.length > 0 || this.#held.length > 0) this.#error ??= new RequestOverError();
    this.#release();
    if (this.#ended) return;
    this.#lane.push(EntryType.bodyDiscard, this.#slot, this.#generation, 0, 0);
    this.#waiting?.reject(new RequestOverError());
    this.#waiting = null;
  }

  #refill(): void {
    while (this.#held.length > 0 && this.#unread.length + (this.#held[1] as number) <= UNREAD_MAX) {
      this.#keep(this.#held.shift() as number, this.#held.shift() as number);
    }
  }

  #keep(offset: number, length: number): void {
    this.#unread.copy(this.#lane.region.bytes, offset, length);
    this.#consume(offset, length);
  }

  #copy(offset: number, length: number): Uint8Array {
    const part = copyOf(this.#lane.region.bytes, offset, length);
    this.#consume(offset, length);
    return part;
  }

  #consume(offset: number, length: number): void {
    this.#lane.push(EntryType.consumed, this.#slot, this.#generation, offset, length);
  }

  #release(): void {
    this.#unread.clear();
    for (let i = 0; i < this.#held.length; i += 2) {
      this.#consume(this.#held[i] as number, this.#held[i + 1] as number);
    }
    this.#held = [];
  }
}
