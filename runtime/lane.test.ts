import test from "ava";
import { FakeReactor } from "./fake-reactor.test.support.js";
import { Lane } from "./lane.js";
import { EntryType, SEGMENT_BYTES } from "./layout.generated.js";
import { Region } from "./region.js";

function open(options: ConstructorParameters<typeof FakeReactor>[0]): [FakeReactor, Lane] {
  const reactor = new FakeReactor(options);
  const calls = { ringStandIn: () => undefined, sendNow: () => -1 };
  return [reactor, new Lane(new Region(reactor.memory), reactor.laneOffset, calls)];
}

test("counts go round", (t) => {
  const [reactor, lane] = open({ ringEntries: 16 });
  for (let i = 0; i < 100; i++) {
    reactor.push(EntryType.writable, i % 8, i, i, 0);
    const entry = lane.peek();
    t.deepEqual(
      [...reactor.words.subarray(entry, entry + 3)],
      [EntryType.writable | ((i % 8) << 8), i, i],
    );
    lane.take();
    t.is(lane.peek(), -1);
    lane.push(EntryType.consumed, i % 8, i, i, 1);
    reactor.read();
  }
  t.is(reactor.consumed.length, 100);
});

test("entries that find the ring full are kept, in order, and pushed when there is room", (t) => {
  const [reactor, lane] = open({ ringEntries: 16 });
  for (let i = 0; i < 40; i++) lane.push(EntryType.consumed, 0, 0, i, 1);
  t.true(reactor.starved);
  reactor.read(5);
  // What comes later does not overtake what waits.
  lane.push(EntryType.consumed, 0, 0, 40, 1);
  while (reactor.starved) {
    lane.resume();
    reactor.read(7);
  }
  reactor.read();
  t.deepEqual(
    reactor.consumed.map(({ offset }) => offset),
    Array.from({ length: 41 }, (_, i) => i),
  );
});

test("allocations are aligned, contiguous, and never overlap", (t) => {
  const [reactor, lane] = open({ runs: 3, runBytes: 2 * SEGMENT_BYTES });
  let end = 0;
  let bytes = 0;
  for (let size = 1; ; size = ((size * 7) % 900) + 1) {
    const offset = lane.allocate(size, size);
    if (offset < 0) break;
    t.is(offset % 64, 0);
    t.true(offset >= end);
    t.is(lane.allocated, size);
    end = offset + size;
    bytes += size;
  }
  t.true(bytes > 4 * SEGMENT_BYTES);
  t.is(reactor.creditsUnread, 0);
});

test("a range may be given shorter, never less than the least", (t) => {
  const [, lane] = open({ runs: 2, runBytes: SEGMENT_BYTES });
  t.true(lane.allocate(100, 100) >= 0);
  t.true(lane.allocate(100, 100_000) >= 0);
  t.is(lane.allocated, SEGMENT_BYTES - 128);
  t.true(lane.allocate(SEGMENT_BYTES, 100_000) >= 0);
  t.is(lane.allocated, SEGMENT_BYTES);
  t.is(lane.allocate(1, 1), -1);
});

test("whoever waits is resumed in order, and only as far as it goes", (t) => {
  const [reactor, lane] = open({});
  const log: string[] = [];
  let open_ = false;
  lane.wait({ resume: () => log.push("a") > 0 });
  lane.wait({ resume: () => log.push("b") > 0 && open_ });
  lane.wait({ resume: () => log.push("c") > 0 });
  lane.resume();
  t.deepEqual(log.splice(0), ["a", "b"]);
  t.true(reactor.starved && lane.crowded);
  open_ = true;
  lane.resume();
  t.deepEqual(log, ["b", "c"]);
  t.false(reactor.starved || lane.crowded);
});
