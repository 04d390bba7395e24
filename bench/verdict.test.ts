import test from "ava";
import { type Goal, GOALS } from "./goals.js";
import { METRICS, Results } from "./metrics.js";
import { SERVERS } from "./servers.js";
import { judge } from "./verdict.js";
import { WORKS } from "./works.js";

const at = (server: string) => ({ server, load: "64", metric: "cpu" }) as const;

function results(values: Record<string, number[]>): Results {
  const found = new Results();
  for (const [server, cpu] of Object.entries(values)) {
    found.cell("hello", "64", server).rounds = cpu.map((value) => ({ cpu: value }));
  }
  return found;
}

const ratio: Goal = {
  work: "hello",
  text: "",
  kind: "ratio",
  ours: at("ours"),
  theirs: at("theirs"),
  limit: 1.1,
};

test("a ratio is met at its limit, by the median of the rounds", (t) => {
  const met = judge(ratio, results({ ours: [11, 90, 10], theirs: [10, 10, 10] }));
  t.deepEqual(met.measured, { median: 1.1, least: 1, most: 9 });
  t.true(met.met);
  t.false(judge(ratio, results({ ours: [12, 12, 10], theirs: [10, 10, 10] })).met);
});

test("an excess takes the floors off", (t) => {
  const goal: Goal = { ...ratio, kind: "excess", floors: [at("floor"), at("floor")], limit: 0.45 };
  const verdict = judge(goal, results({ ours: [6], theirs: [10], floor: [5] }));
  t.is(verdict.measured?.median, 0.2);
  t.true(verdict.met);
  t.false(judge(goal, results({ ours: [8], theirs: [10], floor: [5] })).met);
});

test("a value may have to be at least its limit", (t) => {
  const goal: Goal = { ...ratio, kind: "value", limit: 0.5, atLeast: true };
  t.true(judge(goal, results({ ours: [0.5] })).met);
  t.false(judge(goal, results({ ours: [0.49] })).met);
});

test("what was not measured is neither met nor missed", (t) => {
  t.is(judge(ratio, results({ ours: [1] })).met, undefined);
  const failed = results({ ours: [1], theirs: [1] });
  failed.cell("hello", "64", "theirs").failure = "it ended";
  t.is(judge(ratio, failed).met, undefined);
});

test("each goal names a work, a load and servers that exist", (t) => {
  const servers = SERVERS.map(({ name }) => name);
  for (const { work, text, ours, theirs, floors = [], kind } of GOALS) {
    const found = WORKS.find(({ name }) => name === work);
    t.not(found, undefined, `${text}: ${work}`);
    t.is(theirs === undefined, kind === "value", text);
    t.is(floors.length > 0, kind === "excess", text);
    for (const place of [ours, theirs, ...floors]) {
      if (place === undefined) continue;
      t.true(found?.servers.includes(place.server), `${work}: ${place.server}`);
      t.true(servers.includes(place.server), place.server);
      t.true(
        found?.loads.some(({ name }) => name === place.load),
        `${work}: ${place.load}`,
      );
      t.true(place.metric in METRICS);
    }
  }
});
