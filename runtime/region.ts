// The shard's shared memory as typed arrays. Words are signed on purpose: V8 keeps every 32-bit value of an Int32Array
// unboxed, while those of a Uint32Array above 2^31 (a generation in its second half) would be allocated.
import {
  SLOT_ANSWER_CONTENT_TYPE,
  SLOT_ANSWER_FLAGS,
  SLOT_ANSWER_STATUS,
} from "./layout.generated.js";

export class Region {
  readonly words: Int32Array;
  readonly halves: Uint16Array;
  readonly doubles: Float64Array;
  readonly bytes: Buffer;

  constructor(memory: ArrayBuffer) {
    this.words = new Int32Array(memory);
    this.halves = new Uint16Array(memory);
    this.doubles = new Float64Array(memory);
    this.bytes = Buffer.from(memory);
  }
}

// Status, content type and flags of an answer are written as one word: see headWord().
if (
  SLOT_ANSWER_STATUS % 4 !== 0 ||
  SLOT_ANSWER_CONTENT_TYPE !== SLOT_ANSWER_STATUS + 2 ||
  SLOT_ANSWER_FLAGS !== SLOT_ANSWER_STATUS + 3
) {
  throw new Error("layout.yaml: answerStatus, answerContentType and answerFlags share one word");
}

export const SLOT_ANSWER_HEAD_WORD = SLOT_ANSWER_STATUS / 4;

/** The word that holds Slot.answerStatus, answerContentType and answerFlags (little-endian). */
export function headWord(status: number, contentType: number, flags: number): number {
  return status | (contentType << 16) | (flags << 24);
}

// A call of the engine costs about 75 ns, a character of the loop 2.5 ns. The loop stops at the first character that is
// not ASCII: then the engine writes it all.
const LOOP_MAX = 24;

/**
 * Writes UTF-8 and returns the bytes written; the caller has made sure that they fit into `room`. If that is the text's
 * length, all of it is ASCII, and 10 KiB are written in 0.17 us instead of 0.57.
 */
export function writeText(bytes: Buffer, text: string, offset: number, room: number): number {
  const length = text.length;
  if (length <= LOOP_MAX) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      bytes[offset + i] = code;
    }
    if (i === length) return length;
  }
  return bytes.write(text, offset, room, room === length ? "latin1" : "utf8");
}

/** Writes text whose characters are all below U+0100, and returns the offset behind it. */
export function writeLatin1(bytes: Buffer, text: string, offset: number): number {
  const length = text.length;
  if (length > LOOP_MAX) return offset + bytes.write(text, offset, length, "latin1");
  for (let i = 0; i < length; i++) bytes[offset + i] = text.charCodeAt(i);
  return offset + length;
}
