import test from "ava";
import { findClashes } from "./patterns.js";

const claim = (pattern: string, methods: string[] | undefined) => ({
  pattern,
  methods,
  name: pattern,
  offset: 0,
});

test("the same pattern with other methods is no clash", (t) => {
  t.deepEqual(findClashes([claim("/a", ["GET"]), claim("/a", ["POST"])]), []);
});

test("other kinds of parameters are no clash", (t) => {
  t.deepEqual(
    findClashes([claim("/{a:int}", ["GET"]), claim("/{a}", ["GET"]), claim("/{a:path}", ["GET"])]),
    [],
  );
});

test("methods that are not known yet clash with nothing", (t) => {
  t.deepEqual(findClashes([claim("/a", undefined), claim("/a", ["GET"])]), []);
});

test("each clash is told once", (t) => {
  const problems = findClashes([
    claim("/{a}", ["GET"]),
    claim("/{b}", ["GET", "POST"]),
    claim("/{c}", ["POST"]),
  ]);
  t.deepEqual(
    problems.map(({ message }) => message.split(";")[0]),
    ["GET /{b} is already answered by /{a} (/{a})", "POST /{c} is already answered by /{b} (/{b})"],
  );
});

test("of several that a claim clashes with, the first is named", (t) => {
  const problems = findClashes([
    claim("/{a}", ["POST"]),
    claim("/{b}", ["GET"]),
    claim("/{c}", ["GET", "POST"]),
    claim("/{d}", ["GET", "PUT"]),
  ]);
  t.deepEqual(
    problems.map(({ message }) => message.split(";")[0]),
    ["POST /{c} is already answered by /{a} (/{a})", "GET /{d} is already answered by /{b} (/{b})"],
  );
});
