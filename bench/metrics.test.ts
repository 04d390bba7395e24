import test from "ava";
import { closedMetrics, rateMetrics, Results } from "./metrics.js";

const count = {
  answers: 1000,
  seconds: 2,
  serverCpuNs: 6_000_000,
  clientCpuNs: 7_000_000,
  machineCpuNs: 1_013_000_000,
  histogram: [
    [100, 990],
    [127, 10],
  ] as const,
};

test("per request: microseconds of CPU; what is neither server nor client is others'", (t) => {
  t.deepEqual(closedMetrics(count), { cpu: 6, rate: 500, client: 7, others: 0.5 });
});

test("a round with too few answers says nothing", (t) => {
  t.deepEqual(closedMetrics(count, 1001), {});
  t.deepEqual(closedMetrics({ ...count, answers: 0 }), {});
});

test("latencies are microseconds", (t) => {
  const { p50, p99, p999 } = rateMetrics(count);
  t.deepEqual([p50, p99, p999], [0.1, 0.1, 0.127]);
});

test("the values of a server that has failed are not used", (t) => {
  const results = new Results();
  const cell = results.cell("hello", "64", "bun");
  cell.rounds.push({ cpu: 1 }, {});
  t.deepEqual(results.values("hello", "64", "bun", "cpu"), [1, NaN]);
  cell.failure = "it ended";
  t.deepEqual(results.values("hello", "64", "bun", "cpu"), []);
  t.deepEqual(results.values("hello", "64", "deno", "cpu"), []);
});
