import test from "ava";
import { excessRatios, ratios, spread } from "./statistics.js";

test("the median of an odd and of an even count, with least and most", (t) => {
  t.deepEqual(spread([5, 1, 3]), { median: 3, least: 1, most: 5 });
  t.deepEqual(spread([4, 1, 2, 10]), { median: 3, least: 1, most: 10 });
  t.deepEqual(spread([7]), { median: 7, least: 7, most: 7 });
});

test("rounds without a value do not count", (t) => {
  t.is(spread([]), undefined);
  t.is(spread([NaN]), undefined);
  t.deepEqual(spread([NaN, 2, Infinity, 4]), { median: 3, least: 2, most: 4 });
});

test("sorted as numbers, not as text", (t) => {
  t.is(spread([10, 9, 100])?.median, 10);
});

test("ratios are made round by round", (t) => {
  t.deepEqual(ratios([2, 9], [1, 3]), [2, 3]);
  t.deepEqual(ratios([2, 9], [4]), [0.5]);
});

test("an excess is what is above the floor of the same round", (t) => {
  t.deepEqual(excessRatios([6, 8], [5, 6], [10, 10], [5, 6]), [0.2, 0.5]);
});

test("a peer that is not above its floor has no excess to compare with", (t) => {
  t.deepEqual(excessRatios([6], [5], [5], [5]), [NaN]);
  t.deepEqual(excessRatios([6], [5], [4], [5]), [NaN]);
});
