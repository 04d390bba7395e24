// What a worker pushes, read by the model of the reactor for tests: checked as strictly as native code does.
import {
  type FakeAnswer,
  FakeMemory,
  type FakeRange,
  type FakeSlot,
} from "./fake-memory.test.support.js";
import {
  AnswerFlag,
  ANSWER_FIELDS_BYTES,
  ENTRY_WORDS,
  EntryType,
  HEADROOM_BYTES,
  LANE_RESPONSE_HEAD_WORD,
  LANE_RESPONSE_RING_WORD,
  LANE_RESPONSE_TAIL_WORD,
  NO_OFFSET,
  SLOT_ANSWER_CONTENT_TYPE,
  SLOT_ANSWER_END_WORD,
  SLOT_ANSWER_FIELDS_LENGTH_WORD,
  SLOT_ANSWER_FIELDS_OFFSET_WORD,
  SLOT_ANSWER_FLAGS,
  SLOT_ANSWER_LENGTH_DOUBLE,
  SLOT_ANSWER_OFFSET_WORD,
  SLOT_ANSWER_STATUS_HALF,
  SLOT_BYTES,
  SLOT_WORDS,
  SlotState,
} from "./layout.generated.js";

const PART_BEFORE = 16;
const PART_AFTER = 2;
export class FakeAnswers extends FakeMemory {
  consumed: ({ slot: number; generation: number } & FakeRange)[] = [];
  #responseHead = 0;
  #before: { slot: number; generation: number; bytes: Buffer } | null = null;

  /** Reads the response ring, at most `most` entries. Throws where native code would break the lane. */
  read(most = Infinity): void {
    const ring = (this.words[this.laneWord + LANE_RESPONSE_RING_WORD] as number) / 4;
    const tail = this.lane(LANE_RESPONSE_TAIL_WORD);
    if (((tail - this.#responseHead) | 0) > this.options.ringEntries) {
      throw new Error("the response ring overflowed");
    }
    for (let i = 0; i < most && this.#responseHead !== tail; i++) {
      const entry = ring + (this.#responseHead & (this.options.ringEntries - 1)) * ENTRY_WORDS;
      this.#responseHead = (this.#responseHead + 1) | 0;
      const word = (offset: number): number => (this.words[entry + offset] as number) >>> 0;
      this.#entry(word(0) & 0xff, word(0) >>> 8, word(1), word(2), word(3));
    }
    this.setLane(LANE_RESPONSE_HEAD_WORD, this.#responseHead);
  }

  #entry(
    type: number,
    slot: number,
    generation: number,
    argument: number,
    argument2: number,
  ): void {
    if (type === EntryType.keep) return this.keep(slot, argument, argument2);
    const record = this.slots[slot];
    if (record === undefined) throw new Error(`entry for slot ${slot}, which does not exist`);
    const name = Object.entries(EntryType).find(([, value]) => value === type)?.[0] ?? String(type);
    if (type === EntryType.consumed) {
      this.consumed.push({ slot, generation, offset: argument, length: argument2 });
      record.log.push(name);
      return;
    }
    if (record.generation !== generation || !record.held) {
      if (type === EntryType.bodyDiscard || type === EntryType.continue) return;
      throw new Error(`${name} for slot ${slot}, which is not the lane's`);
    }
    record.log.push(name);
    switch (type) {
      case EntryType.answer:
        return this.#answer(slot, record, argument, argument2);
      case EntryType.fields:
        return this.#fieldsBefore(slot, generation, { offset: argument, length: argument2 });
      case EntryType.part:
        return this.#part(record, argument, argument2);
      case EntryType.end:
      case EntryType.fail:
      case EntryType.giveBack:
        if (argument2 > 0) this.#trailers(record, argument, argument2);
        return this.#over(slot, record, type);
      case EntryType.bodyDiscard:
      case EntryType.continue:
        return;
      default:
        throw new Error(`an entry of type ${name}`);
    }
  }

  #answer(slot: number, record: FakeSlot, offset: number, argument2: number): void {
    const base = slot * SLOT_WORDS;
    const word = (index: number): number => (this.words[base + index] as number) >>> 0;
    const flags = this.bytes[slot * SLOT_BYTES + SLOT_ANSWER_FLAGS] as number;
    const fieldsLength = word(SLOT_ANSWER_FIELDS_LENGTH_WORD);
    const fieldsOffset = word(SLOT_ANSWER_FIELDS_OFFSET_WORD);
    const last = (flags & AnswerFlag.last) !== 0;
    const kept = (flags & AnswerFlag.keptBody) !== 0 ? this.kept(argument2) : null;
    if (kept !== null && !last) throw new Error("a kept body in an answer that goes on");
    const length = kept === null ? argument2 : 0; // of what lies behind the headroom
    const body = kept ?? { offset, length };
    if (offset === NO_OFFSET || offset < HEADROOM_BYTES) {
      if (length > 0 || fieldsLength > 0) throw new Error("an answer without memory");
    } else {
      const begin = offset - HEADROOM_BYTES;
      const end = Math.max(offset + length, fieldsLength > 0 ? fieldsOffset + fieldsLength : 0);
      const behind = begin >= word(SLOT_ANSWER_OFFSET_WORD) && end <= word(SLOT_ANSWER_END_WORD);
      if (!behind) this.claim(begin, end);
      if (fieldsLength > 0 && fieldsOffset < begin) throw new Error("fields outside the answer");
    }
    const expected = last ? SlotState.answered : SlotState.streaming;
    const state = this.state(slot);
    if (
      state !== expected &&
      (last || (state !== SlotState.abandoned && state !== SlotState.answered))
    ) {
      throw new Error(`answer in state ${state}`);
    }
    if (record.answer !== null) throw new Error("a second answer");
    const own = this.#copy({ offset: fieldsOffset, length: fieldsLength });
    let before: Buffer = Buffer.alloc(0);
    if ((flags & AnswerFlag.fieldsBefore) !== 0) {
      if (this.#before?.slot !== slot || this.#before.generation !== record.generation) {
        throw new Error("fields before an answer that did not come");
      }
      before = this.#before.bytes;
      this.#before = null;
    }
    const fields = this.#fields(Buffer.concat([before, own]));
    const known = (flags & AnswerFlag.lengthKnown) !== 0;
    const total = this.doubles[base / 2 + SLOT_ANSWER_LENGTH_DOUBLE] as number;
    record.answer = {
      status: this.halves[base * 2 + SLOT_ANSWER_STATUS_HALF] as number,
      contentType: this.bytes[slot * SLOT_BYTES + SLOT_ANSWER_CONTENT_TYPE] as number,
      flags,
      length: last ? body.length : known ? total : -1,
      fields,
      trailers: [],
      parts: body.length > 0 ? [this.#copy(body)] : [],
      state: last ? "complete" : "open",
    };
    // What native code writes in place must hurt nobody.
    this.bytes.fill(0xee, offset - HEADROOM_BYTES, offset + length + fieldsLength);
    if (last) record.held = false;
  }

  #copy({ offset, length }: FakeRange): Buffer {
    return Buffer.from(this.bytes.subarray(offset, offset + length));
  }

  #fieldsBefore(slot: number, generation: number, range: FakeRange): void {
    this.claim(range.offset, range.offset + range.length);
    if (this.#before?.slot !== slot || this.#before.generation !== generation) {
      this.#before = { slot, generation, bytes: Buffer.alloc(0) };
    }
    this.#before.bytes = Buffer.concat([this.#before.bytes, this.#copy(range)]);
    if (range.length === 0 || this.#before.bytes.length > ANSWER_FIELDS_BYTES) {
      throw new Error("no fields, or more than an answer may have");
    }
    this.bytes.fill(0xee, range.offset, range.offset + range.length);
  }

  #fields(bytes: Buffer): [string, string][] {
    const fields: [string, string][] = [];
    for (let at = 0; at < bytes.length;) {
      const nameLength = bytes.readUInt16LE(at);
      const valueLength = bytes.readUInt16LE(at + 2);
      const name = bytes.toString("latin1", at + 4, at + 4 + nameLength);
      at += 4 + nameLength;
      fields.push([name, bytes.toString("latin1", at, at + valueLength)]);
      at += valueLength;
    }
    return fields;
  }

  #trailers(record: FakeSlot, offset: number, length: number): void {
    this.claim(offset - PART_BEFORE, offset + length + PART_AFTER);
    if (record.answer === null) throw new Error("trailers of an answer that has not begun");
    if ((record.answer.flags & ~AnswerFlag.fieldsBefore) !== 0)
      throw new Error("trailers of an answer that is not chunked");
    record.answer.trailers = this.#fields(this.#copy({ offset, length }));
    this.bytes.fill(0xee, offset - PART_BEFORE, offset + length + PART_AFTER);
  }

  #part(record: FakeSlot, offset: number, length: number): void {
    if (length === 0 || length >= 1 << 20) throw new Error(`a part of ${length} bytes`);
    this.claim(offset - PART_BEFORE, offset + length + PART_AFTER);
    if (record.answer === null || record.answer.state !== "open") {
      throw new Error("a part of an answer that is not open");
    }
    record.answer.parts.push(this.#copy({ offset, length }));
    this.bytes.fill(0xee, offset - PART_BEFORE, offset + length + PART_AFTER);
  }

  #over(slot: number, record: FakeSlot, type: number): void {
    const state = this.state(slot);
    const expected = type === EntryType.giveBack ? SlotState.abandoned : SlotState.answered;
    if (state !== expected) throw new Error(`slot ${slot} ends in state ${state}`);
    record.held = false;
    if (type === EntryType.giveBack) {
      if (record.answer !== null) record.answer.state = "givenBack";
      return;
    }
    if (record.answer === null) throw new Error("the end of an answer that has not begun");
    record.answer.state = type === EntryType.end ? "complete" : "failed";
    const { answer } = record;
    const bytes = answer.parts.reduce((sum, part) => sum + part.length, 0);
    if (type === EntryType.end && answer.length >= 0 && bytes !== answer.length && !record.head) {
      throw new Error(`an answer of ${answer.length} bytes has ${bytes}`);
    }
  }

  /** For the benchmark: nothing of it is looked at. */
  skipAnswers(expected: number): void {
    const tail = this.lane(LANE_RESPONSE_TAIL_WORD);
    if (tail - this.#responseHead !== expected) throw new Error("not every request was answered");
    this.#responseHead = tail;
    this.setLane(LANE_RESPONSE_HEAD_WORD, tail);
  }
}

export function bodyText(answer: FakeAnswer): string {
  return Buffer.concat(answer.parts).toString("utf8");
}
