import test from "ava";
import { createLog, errorFields } from "./log.js";

test("lines are JSON where nobody looks", (t) => {
  const lines: string[] = [];
  createLog({ level: "info", format: "auto" }, (line) => lines.push(line), false).warn("a\nb", {
    shard: 1,
  });
  t.like(JSON.parse(lines[0] ?? ""), { level: "warn", message: "a\nb", shard: 1 });
  t.is(lines[0]?.split("\n").length, 2);
});

test("lines are text on a terminal", (t) => {
  const lines: string[] = [];
  createLog({ level: "info", format: "auto" }, (line) => lines.push(line), true).error("no", {
    path: "/a b",
    stack: "Error\n  at x",
  });
  t.regex(lines[0] ?? "", /^\d{4}-\S+Z error no path="\/a b"\n {4}Error\n {6}at x\n$/);
});

test("what is below the level is not written", (t) => {
  const lines: string[] = [];
  const log = createLog({ level: "warn", format: "json" }, (line) => lines.push(line));
  log.info("x");
  log.debug("x");
  log.warn("y");
  log.error("z");
  t.is(lines.length, 2);
});

test("an error's fields", (t) => {
  t.like(errorFields(Object.assign(new Error("no"), { code: "E" })), { error: "no", code: "E" });
  t.deepEqual(errorFields("text"), { error: "text" });
});
