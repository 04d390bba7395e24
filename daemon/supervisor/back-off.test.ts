import test from "ava";
import { createBackOff } from "./back-off.js";

test("the first replacement is at once, then later and later, up to a bound", (t) => {
  const backOff = createBackOff();
  const delays = Array.from({ length: 10 }, (_, index) => backOff.died(index * 20_000, 10).delayMs);
  t.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test("half a minute of health starts over", (t) => {
  const backOff = createBackOff();
  backOff.died(0, 0);
  t.is(backOff.died(100, 0).delayMs, 100);
  t.is(backOff.died(200, 29_999).delayMs, 200);
  t.is(backOff.died(300, 30_000).delayMs, 0);
  t.is(backOff.died(400, 0).delayMs, 100);
});

test("five deaths within a minute are a crash loop", (t) => {
  const backOff = createBackOff();
  t.deepEqual(
    [0, 10_000, 20_000, 30_000].map((at) => backOff.died(at, 1).isLoop),
    [false, false, false, false],
  );
  t.true(backOff.died(59_999, 1).isLoop);
  t.false(backOff.died(75_000, 1).isLoop);
});
