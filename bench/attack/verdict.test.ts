import test from "ava";
import type { GoodResult, RoutePhase } from "./good-client.js";
import type { OverloadResult, Phase } from "./overload-client.js";
import { judgeOverload } from "./overload.js";
import { judgeArena, judgeGoodClients, judgeMemory, verdictOf } from "./verdict.js";

const CALM: RoutePhase = {
  count: 1000,
  rate: 500,
  offered: 1000,
  failed: 0,
  others: {},
  p50: 1,
  p99: 2,
  max: 3,
  lateP99: 1,
  ownP99: 1,
  timeline: [],
};

function failuresOf(during: Partial<RoutePhase>): string[] {
  const phases: GoodResult["phases"] = {
    before: { native: CALM },
    during: { native: { ...CALM, ...during } },
    after: { native: CALM },
  };
  return verdictOf(judgeGoodClients({ phases })).failures;
}

test("good clients keep 80% of their rate and three times their p99", (t) => {
  t.deepEqual(failuresOf({ rate: 401, p99: 5.9, ownP99: 2.9 }), []);
  t.deepEqual(failuresOf({ rate: 399 }), ["native during: rate 80% of before"]);
  t.deepEqual(failuresOf({ p99: 7, ownP99: 4 }), ["native during: p99 x3.5"]);
  t.deepEqual(failuresOf({ failed: 3, others: { "503": 2, closed: 1 } }), [
    "native during: 2 503, 1 closed of 1000",
  ]);
});

test("what the client itself was late by is not the server's", (t) => {
  t.deepEqual(failuresOf({ p99: 20, ownP99: 2, lateP99: 18 }), []);
});

test("coarsely: only answers that are no 200", (t) => {
  const phases: GoodResult["phases"] = {
    before: { native: CALM },
    during: { native: { ...CALM, rate: 1, p99: 1000, ownP99: 1000 } },
    after: { native: { ...CALM, failed: 1, others: { closed: 1 } } },
  };
  t.deepEqual(verdictOf(judgeGoodClients({ phases }, true)).failures, [
    "native after: 1 closed of 1000",
  ]);
});

test("a phase without good clients is a failure", (t) => {
  for (const coarse of [false, true]) {
    const failed = (phases: GoodResult["phases"]): string[] =>
      verdictOf(judgeGoodClients({ phases }, coarse)).failures;
    const calm = { native: CALM, javascript: CALM };
    t.deepEqual(failed({ before: calm, during: calm, after: calm }), []);
    t.deepEqual(failed({ before: calm, during: { native: CALM }, after: calm }), [
      "javascript during: no good clients",
    ]);
    t.deepEqual(failed({ before: { native: CALM }, during: calm }), [
      "native after: no good clients",
    ]);
    t.deepEqual(failed({ during: calm, after: calm }), ["before: no good clients"]);
    t.deepEqual(failed({}), ["before: no good clients"]);
  }
});

test("no answer at all is a failure", (t) => {
  t.is(failuresOf({ p99: null, ownP99: null, rate: 0, count: 0, offered: 0 }).length, 2);
});

test("memory: what it had before, and what is allowed", (t) => {
  const mib = 1024 * 1024;
  t.is(judgeMemory(50 * mib, 82 * mib, 32 * mib), undefined);
  t.is(judgeMemory(50 * mib, 83 * mib, 32 * mib), "memory: 33 MiB more, 32 allowed");
});

test("the arena: as large as configured, and never all of it in use", (t) => {
  t.is(judgeArena({ totalBytes: 100, peakBytes: 99 }, 100), undefined);
  t.is(judgeArena({ totalBytes: 100, peakBytes: 100 }, 100), "arena: all of it was in use");
  t.is(judgeArena({ totalBytes: 101, peakBytes: 1 }, 100), "arena: 101 bytes, 100 configured");
});

const LATENCIES = { count: 1, p50: 1, p99: 2, max: 3 };
const PHASE: Phase = {
  offered: 30000,
  seconds: 10,
  goodput: 950,
  accepted: { ...LATENCIES, p99: 100 },
  refused: LATENCIES,
  bare: 0,
  others: {},
  lateP99: 1,
};
const NONE = { over: 0, reset: 0, closed: 0 };
const GOOD: OverloadResult = {
  capacity: 1000,
  half: PHASE,
  during: PHASE,
  after: PHASE,
  recoveryMs: 0,
  reached: NONE,
  overs: NONE,
};

test("overload: each thing that is asked fails by itself", (t) => {
  const failed = (result: Partial<OverloadResult>): number =>
    verdictOf(judgeOverload({ ...GOOD, ...result }, { halfOpen: false, coarse: false })).failures
      .length;
  t.is(failed({}), 0);
  t.is(failed({ during: { ...PHASE, goodput: 899 } }), 1);
  t.is(failed({ during: { ...PHASE, accepted: { ...LATENCIES, p99: 551 } } }), 1);
  t.is(
    failed({ during: { ...PHASE, accepted: { count: 0, p50: null, p99: null, max: null } } }),
    1,
  );
  t.is(failed({ during: { ...PHASE, refused: { ...LATENCIES, p99: 101 } } }), 1);
  t.is(failed({ during: { ...PHASE, bare: 1 } }), 1);
  t.is(failed({ during: { ...PHASE, others: { timeout: 1 } } }), 1);
  t.is(failed({ reached: { ...NONE, over: 1 } }), 1);
  t.is(failed({ reached: { ...NONE, reset: 1 } }), 1);
  t.is(failed({ reached: { ...NONE, closed: 1 } }), 1);
  t.is(failed({ recoveryMs: 1001 }), 1);
  t.is(failed({ recoveryMs: null }), 1);
});

test("overload, coarsely: what no busy machine explains", (t) => {
  const failed = (result: Partial<OverloadResult>, halfOpen = false): number =>
    verdictOf(judgeOverload({ ...GOOD, ...result }, { halfOpen, coarse: true })).failures.length;
  t.is(failed({ during: { ...PHASE, goodput: 501 }, recoveryMs: null }), 0);
  t.is(failed({ during: { ...PHASE, goodput: 499 } }), 1);
  t.is(failed({ during: { ...PHASE, bare: 1 } }), 1);
});

test("who has closed may be owed an answer where half-closed clients are", (t) => {
  const result = { ...GOOD, reached: { ...NONE, closed: 1 } };
  t.deepEqual(verdictOf(judgeOverload(result, { halfOpen: true, coarse: false })).failures, []);
});
