import test from "ava";
import { parseCores } from "./machine.js";

test("lists of cores", (t) => {
  t.deepEqual(parseCores(" 0,1\n"), [0, 1]);
  t.deepEqual(parseCores("0-3,6"), [0, 1, 2, 3, 6]);
  t.deepEqual(parseCores("5"), [5]);
});
