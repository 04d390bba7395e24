import test from "ava";
import { examineEnvironment, examineKernel, examineNode } from "./examine.js";
import { renderReport } from "./report.js";

test("Node's version", (t) => {
  for (const version of ["20.19.0", "20.20.2", "22.0.0", "26.1.0"])
    t.is(examineNode(version).state, "good", version);
  for (const version of ["20.18.9", "18.20.0"]) t.is(examineNode(version).state, "bad", version);
});

test("the kernel's version", (t) => {
  for (const version of ["6.1.0-13-amd64", "6.18.4", "7.0"])
    t.is(examineKernel(version).state, "good", version);
  t.is(examineKernel("5.15.0-91-generic").state, "note");
});

test("libuv's own io_uring is warned of", (t) => {
  t.deepEqual(examineEnvironment({}), []);
  t.deepEqual(examineEnvironment({ UV_USE_IO_URING: "0" }), []);
  t.is(examineEnvironment({ UV_USE_IO_URING: "1" })[0]?.state, "bad");
});

test("the report counts, and puts advice below", (t) => {
  const report = renderReport([
    { name: "a", state: "good", value: "1" },
    { name: "long", state: "bad", value: "2", advice: "do" },
  ]);
  t.deepEqual(report.split("\n"), [
    "ok    a     1",
    "BAD   long  2",
    "            → do",
    "",
    "1 bad, 0 to note, 1 ok",
  ]);
});
