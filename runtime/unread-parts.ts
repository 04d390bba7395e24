// The parts of a body that have arrived and that nobody has read, in order. Small ones share a block: a client that
// sends byte by byte costs the bytes that it sends, not an array buffer for each.

/** Bytes of a block, and of the smallest part that gets a buffer of its own. */
const BLOCK_BYTES = 4096;

export class UnreadParts {
  #parts: Uint8Array[] = [];
  // The last part, while it has room: filled up to here.
  #block: Buffer | null = null;
  #filled = 0;
  #length = 0;

  /** Bytes. */
  get length(): number {
    return this.#length;
  }

  /** A part that the caller gives away. */
  add(part: Uint8Array): void {
    this.#close();
    this.#parts.push(part);
    this.#length += part.length;
  }

  /** Copies a part out of `bytes`. */
  copy(bytes: Buffer, offset: number, length: number): void {
    if (length >= BLOCK_BYTES) return this.add(copyOf(bytes, offset, length));
    if (this.#block === null || this.#filled + length > BLOCK_BYTES) {
      this.#close();
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    }
    bytes.copy(this.#block, this.#filled, offset, offset + length);
    this.#filled += length;
    this.#length += length;
  }

  /** The next part; undefined: there is none. */
  take(): Uint8Array | undefined {
    if (this.#parts.length === 0) this.#close();
    const part = this.#parts.shift();
    if (part !== undefined) this.#length -= part.length;
    return part;
  }

  clear(): void {
    this.#parts = [];
    this.#block = null;
    this.#filled = this.#length = 0;
  }

  #close(): void {
    if (this.#block !== null) {
      // Whoever keeps it keeps the whole block.
      const full = this.#filled >= BLOCK_BYTES / 2;
      this.#parts.push(
        full ? this.#block.subarray(0, this.#filled) : copyOf(this.#block, 0, this.#filled),
      );
    }
    this.#block = null;
    this.#filled = 0;
  }
}

export function copyOf(bytes: Buffer, offset: number, length: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(length);
  bytes.copy(copy, 0, offset, offset + length);
  return copy;
}
