// The bytes of a stream that have come and not been written yet: chunks as the handler gave them, not copied.

export class ChunkQueue {
  #chunks: Uint8Array[] = [];
  #start = 0; // bytes of the first that are gone
  #bytes = 0;

  /** Of all chunks. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What is left of the first chunk: 0 if there is none. */
  get firstBytes(): number {
    const first = this.#chunks[0];
    return first === undefined ? 0 : first.length - this.#start;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** All of it, from the beginning; nothing may have gone. */
  whole(): Uint8Array {
    const [first] = this.#chunks;
    return first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
  }

  /** Gives away as much of the first chunk as `take` says, which gets it, where it begins, and where it may end. */
  takeFirst(most: number, take: (chunk: Uint8Array, start: number, end: number) => number): number {
    const first = this.#chunks[0];
    if (first === undefined) return 0;
    const taken = take(first, this.#start, Math.min(first.length, this.#start + most));
    if (taken > 0) this.#advance(first, taken);
    return taken;
  }

  /** Moves `length` bytes to `to`, from `offset` on. Throws if a chunk has got shorter since it came. */
  moveTo(to: Uint8Array, offset: number, length: number): void {
    let moved = 0;
    while (moved < length) {
      const first = this.#chunks[0];
      const count = Math.min(length - moved, this.firstBytes);
      if (first === undefined || count <= 0) {
        throw new TypeError("a part of the answer was detached or resized before it was sent");
      }
      to.set(first.subarray(this.#start, this.#start + count), offset + moved);
      moved += count;
      this.#advance(first, count);
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#start = this.#bytes = 0;
  }

  #advance(first: Uint8Array, count: number): void {
    this.#bytes -= count;
    this.#start += count;
    if (this.#start < first.length) return;
    this.#chunks.shift();
    this.#start = 0;
  }
}
