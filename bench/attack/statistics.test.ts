import test from "ava";
import { seededRandom } from "./random.js";
import { latenciesOf, percentile, recoveryMs, type Timed } from "./statistics.js";

test("percentile: the nearest rank, whatever the order", (t) => {
  const hundred = Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) + 1);
  t.is(percentile(hundred, 0.5), 50);
  t.is(percentile(hundred, 0.99), 99);
  t.is(percentile(hundred, 1), 100);
  t.is(percentile([7], 0.99), 7);
  t.is(percentile([9, 10], 0.5), 9);
  t.is(percentile([100, 20, 3], 0.5), 20); // numbers, not texts
  t.true(Number.isNaN(percentile([], 0.5)));
});

test("latencies of nothing are null, for JSON", (t) => {
  t.deepEqual(latenciesOf([]), { count: 0, p50: null, p99: null, max: null });
  t.deepEqual(latenciesOf([3, 1, 2]), { count: 3, p50: 2, p99: 3, max: 3 });
});

/** One sample every 10 ms; slow ones as `slow` says. */
function samples(ms: number, slow: (atMs: number) => boolean): Timed[] {
  return Array.from({ length: ms / 10 }, (_, i) => ({
    atMs: i * 10,
    latencyMs: slow(i * 10) ? 100 : 1,
  }));
}

test("recovery: when latency is normal and stays so", (t) => {
  const at = (slow: (atMs: number) => boolean) => recoveryMs(samples(3000, slow), 10);
  t.is(
    at(() => false),
    0,
  );
  // Two of the hundred in a second may be slow: the last slow ones before 700 still spoil what begins before 690.
  const recovered = at((atMs) => atMs < 700);
  t.true(recovered > 650 && recovered <= 700, String(recovered));
  t.is(
    at((atMs) => atMs === 1500),
    0,
  );
  t.is(
    at(() => true),
    Infinity,
  );
  t.is(recoveryMs([], 10), Infinity);
});

test("the random source is the same for the same seed, and spread over [0, 1)", (t) => {
  const [a, b, c] = [seededRandom(7), seededRandom(7), seededRandom(8)];
  const first = Array.from({ length: 1000 }, () => a());
  t.deepEqual(
    first,
    Array.from({ length: 1000 }, () => b()),
  );
  t.notDeepEqual(
    first,
    Array.from({ length: 1000 }, () => c()),
  );
  t.true(first.every((each) => each >= 0 && each < 1));
  const mean = first.reduce((sum, each) => sum + each, 0) / first.length;
  t.true(mean > 0.4 && mean < 0.6);
});
