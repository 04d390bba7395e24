import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import test from "ava";
import { bucketValue, percentile } from "./histogram.js";

const run = promisify(execFile);

test("small values are exact, larger ones within 1/128", (t) => {
  t.is(bucketValue(0), 0);
  t.is(bucketValue(127), 127);
  t.is(bucketValue(128), 128);
  // 2^20 begins the buckets of shift 13.
  t.is(bucketValue(14 * 128), 2 ** 20 + (2 ** 13 - 1) / 2);
  for (let bucket = 1; bucket < 6000; bucket++) {
    const step = bucketValue(bucket) - bucketValue(bucket - 1);
    t.true(step > 0 && step <= Math.max(1, bucketValue(bucket) / 127), `bucket ${bucket}`);
  }
});

test("percentiles by rank", (t) => {
  const histogram = [
    [10, 98],
    [20, 1],
    [30, 1],
  ] as const;
  t.is(percentile(histogram, 0.5), 10);
  t.is(percentile(histogram, 0.98), 10);
  t.is(percentile(histogram, 0.99), 20);
  t.is(percentile(histogram, 1), 30);
  t.is(percentile([[5, 1]], 0.001), 5);
  t.true(Number.isNaN(percentile([], 0.5)));
});

// The same mapping in C, compiled and asked.
test("the client's buckets are these", async (t) => {
  const header = "bench/client/histogram.h";
  t.true(existsSync(header), `${header} is not found from ${process.cwd()}`);
  const values = [0, 1, 127, 128, 129, 255, 256, 1000, 65_535, 1_000_000, 2 ** 31, 123_456_789_012];
  const source = `#include "${process.cwd()}/${header}"
    int main(void) { uint64_t values[] = {${values.map((value) => `${value}u`).join(",")}};
    for (unsigned at = 0; at < ${values.length}; at++) printf("%u ", bucket_of(values[at])); }`;
  const program = `${process.cwd()}/build/buckets-${process.pid}`;
  await run("sh", ["-c", `printf '%s' "$0" | \${CC:-cc} -x c -o ${program} -`, source]);
  const { stdout } = await run("sh", ["-c", `${program}; rm ${program}`]);
  const buckets = stdout.trim().split(" ").map(Number);
  for (const [at, value] of values.entries()) {
    const middle = bucketValue(buckets[at] ?? NaN);
    t.true(
      Math.abs(middle - value) <= value / 256 + 1e-9,
      `${value} is in the bucket of ${middle}`,
    );
  }
});
