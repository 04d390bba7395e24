import test from "ava";
import { parseServe } from "./serve-arguments.js";

test("serve with a file and addresses", (t) => {
  t.deepEqual(parseServe(["serve"]), { file: "pinion.yaml", listen: [] });
  t.deepEqual(parseServe(["serve", "a.yaml", "--listen", ":80", "-l", "fd:3", "--listen=:81"]), {
    file: "a.yaml",
    listen: [":80", "fd:3", ":81"],
  });
});

test("the rest is for the whole command line", (t) => {
  for (const words of [
    [],
    ["check"],
    ["serve", "--help"],
    ["serve", "a", "b"],
    ["serve", "--nope"],
    ["serve", "-l"],
  ]) {
    t.is(parseServe(words), undefined, words.join(" "));
  }
});
