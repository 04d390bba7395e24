import test from "ava";
import { formatTable, grouped, milliseconds, phases } from "./table.js";

test("columns are as wide as their widest cell, numbers stand on the right", (t) => {
  t.is(
    formatTable(
      ["server", "rate", "verdict"],
      [
        ["pinion uring", "1,000", "pass"],
        ["nginx", "9", "FAIL"],
      ],
    ),
    [
      "server        rate   verdict",
      "------------  -----  -------",
      "pinion uring  1,000  pass",
      "nginx             9  FAIL",
    ].join("\n"),
  );
});

test("a table of no rows, and of rows that are too short", (t) => {
  t.is(formatTable(["a", "b"], []), "a  b\n-  -");
  t.is(formatTable(["a", "b"], [["x"]]), "a  b\n-  -\nx");
});

test("numbers as people read them", (t) => {
  t.deepEqual([0, 999, 1000, 1234567.8].map(grouped), ["0", "999", "1,000", "1,234,568"]);
  t.deepEqual([0.1234, 9.999, 12.34, 456.7, null, NaN].map(milliseconds), [
    "0.12",
    "10.00",
    "12.3",
    "457",
    "-",
    "-",
  ]);
  t.is(phases([1, null, 3], String), "1 / - / 3");
});
