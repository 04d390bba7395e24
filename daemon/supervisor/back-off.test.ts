import test from "ava";
import { createBackOff } from "./back-off.js";

test("the first replacement is at once, then later and later, up to a bound", (t) => {
  const backOff = createBackOff();
  const delays = Array.from({ length: 10 }, () => backOff.died(10).delayMs);
  t.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test("half a minute of health starts over", (t) => {
  const backOff = createBackOff();
  backOff.died(0);
  t.is(backOff.died(0).delayMs, 100);
  t.is(backOff.died(29_999).delayMs, 200);
  t.is(backOff.died(30_000).delayMs, 0);
  t.is(backOff.died(0).delayMs, 100);
});

test("five deaths without health in between are a crash loop, however long they take", (t) => {
  const backOff = createBackOff();
  t.deepEqual(
    [60_000, 29_999, 1, 0, 29_999, 20_000]
      .map((livedMs) => backOff.died(livedMs))
      .map(({ isLoop }) => isLoop),
    [false, false, false, false, true, true],
  );
  t.like(backOff.died(30_000), { deaths: 1, isLoop: false });
});
