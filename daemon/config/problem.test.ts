import test from "ava";
import { formatProblem, locate } from "./problem.js";

test("lines and columns count from 1", (t) => {
  t.deepEqual(locate("ab\ncd\n", 0), { line: 1, column: 1, text: "ab" });
  t.deepEqual(locate("ab\ncd\n", 4), { line: 2, column: 2, text: "cd" });
  t.deepEqual(locate("ab\r\ncd\r\n", 4), { line: 2, column: 1, text: "cd" });
  t.deepEqual(locate("ab", 2), { line: 1, column: 3, text: "ab" });
  t.deepEqual(locate("\n\n", 1), { line: 2, column: 1, text: "" });
});

test("the caret stands below the place, behind tabs too", (t) => {
  const shown = formatProblem({ code: "x/y", message: "no", offset: 3 }, "f", "a\t\tb");
  t.is(shown, "f:1:4: no [x/y]\n    a\t\tb\n     \t\t^");
});

test("a long line is cut around the place", (t) => {
  const source = `${"a".repeat(500)}!${"b".repeat(500)}`;
  const [, line = "", caret = ""] = formatProblem(
    { code: "x/y", message: "no", offset: 500 },
    "f",
    source,
  ).split("\n");
  t.true(line.length <= 104);
  t.is(line[caret.indexOf("^")], "!");
});

test("what is shown cannot steer a terminal", (t) => {
  const shown = formatProblem(
    { code: "x/y", message: "\u001b[2J", offset: 0 },
    "f\u0007",
    "a\u001b]0;x\u009b\u202e",
  );
  // eslint-disable-next-line no-control-regex
  t.notRegex(shown, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
});

test("a long message is cut", (t) => {
  const shown = formatProblem({ code: "x/y", message: "a".repeat(5000) }, "f", "");
  t.is(shown, `f: ${"a".repeat(999)}… [x/y]`);
});

test("a problem of the whole file has no place", (t) => {
  t.is(formatProblem({ code: "x/y", message: "no" }, "f", "abc"), "f: no [x/y]");
});
