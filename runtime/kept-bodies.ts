// Large texts that handlers return again and again: each is written once, into memory that the reactor keeps for the lane,
// and answers name it from then on instead of bringing it.
import type { Lane } from "./lane.js";
import { EntryType, KEPT_BODIES, SEGMENT_BYTES } from "./layout.generated.js";
import { writeText } from "./region.js";

/** UTF-16 units. What is shorter mostly fits behind its request, and leaves in one piece with its head. */
export const KEPT_LEAST = 4096;
const KEPT_MOST = 16 * SEGMENT_BYTES; // one run of credits
// Who has been named among the last so many large answers gives way to nobody: more pages than there is room for would
// take turns in being written, and none be there when it is asked for.
const RESTED = 64;

interface Kept {
  text: string; // "": this number is free
  bytes: number; // of the segments that it may lie in
  used: number; // how many answers had been looked up by then
}

export class KeptBodies {
  readonly #lane: Lane;
  #room: number; // bytes of segments that may still be kept
  readonly #kept: Kept[] = []; // by number
  // Texts that have been seen once.
  readonly #seen: string[] = [];
  #nextSeen = 0;
  #answers = 0;

  /** `room`: bytes of the segments that all kept bodies may lie in together. */
  constructor(lane: Lane, room: number) {
    this.#lane = lane;
    this.#room = room;
    if (room === 0) return;
    for (let i = 0; i < KEPT_BODIES; i++) {
      this.#kept.push({ text: "", bytes: 0, used: 0 });
      this.#seen.push("");
    }
  }

  /**
   * The number under which the reactor has this text, of KEPT_LEAST units or more; -1: it has to be written like any
   * other. The second time it is seen it is kept. Costs the comparison with one text of the same length, if there is one:
   * of each length one is known at most.
   */
  find(text: string): number {
    const { length } = text;
    if (length > KEPT_MOST || this.#kept.length === 0) return -1;
    const now = ++this.#answers;
    for (let number = 0; number < this.#kept.length; number++) {
      const kept = this.#kept[number] as Kept;
      if (kept.text.length !== length) continue;
      if (kept.text === text) {
        kept.used = now;
        return number;
      }
      if (now - kept.used <= RESTED) return -1;
      this.#drop(number);
    }
    const seen = this.#seen.findIndex((each) => each.length === length);
    if (seen < 0) {
      this.#seen[this.#nextSeen] = text;
      this.#nextSeen = (this.#nextSeen + 1) % KEPT_BODIES;
      return -1;
    }
    if (this.#seen[seen] !== text) {
      this.#seen[seen] = text;
      return -1;
    }
    const number = this.#keep(text);
    if (number >= 0) this.#seen[seen] = "";
    return number;
  }

  // -1: there is no memory or no number for it now.
  #keep(text: string): number {
    const lane = this.#lane;
    if (lane.crowded) return -1;
    const length = Buffer.byteLength(text);
    if (length > KEPT_MOST || !lane.canHold(length)) return -1;
    // Wherever in its first segment it begins.
    const bytes = (Math.floor((length - 2) / SEGMENT_BYTES) + 2) * SEGMENT_BYTES;
    const number = this.#number(bytes);
    if (number < 0) return -1;
    const start = lane.allocate(length, length);
    if (start < 0) return -1;
    if (writeText(lane.region.bytes, text, start, length) !== length) return -1;
    lane.push(EntryType.keep, number, 0, start, length);
    this.#kept[number] = { text, bytes, used: this.#answers };
    this.#room -= bytes;
    return number;
  }

  // A free number, with room for `bytes`; -1: it is not worth what would have to go for it.
  #number(bytes: number): number {
    const rested = this.#kept
      .map((_, number) => number)
      .filter((number) => this.#answers - (this.#kept[number] as Kept).used > RESTED)
      .sort((a, b) => (this.#kept[a] as Kept).used - (this.#kept[b] as Kept).used);
    const free = rested.reduce(
      (sum, number) => sum + (this.#kept[number] as Kept).bytes,
      this.#room,
    );
    if (bytes > free) return -1;
    for (;;) {
      const number = this.#kept.findIndex((kept) => kept.bytes === 0);
      if (number >= 0 && bytes <= this.#room) return number;
      const oldest = rested.find((each) => (this.#kept[each] as Kept).bytes > 0);
      if (oldest === undefined) return -1;
      this.#drop(oldest);
    }
  }

  #drop(number: number): void {
    this.#room += (this.#kept[number] as Kept).bytes;
    this.#kept[number] = { text: "", bytes: 0, used: 0 };
    this.#lane.push(EntryType.keep, number, 0, 0, 0);
  }
}
