import test from "ava";
import { NAMES, parseCommandLine, UsageError, type CommandLine } from "./command-line.js";

function parsed(...words: string[]): CommandLine {
  const options = parseCommandLine(words, 2);
  if (typeof options === "string") throw new Error("a text");
  return options;
}

test("without words: every attack on both kernel interfaces, server and clients apart", (t) => {
  const options = parsed();
  t.deepEqual(options.only, [...NAMES]);
  t.deepEqual(options.io, ["uring", "epoll"]);
  t.deepEqual([options.serverCpus, options.clientCpus], ["0", "1-1"]);
  t.is(options.target, undefined);
});

test("another server: its paths are / but for those that are given", (t) => {
  const options = parsed(
    ...["--target", "http://127.0.0.1:81", "--pid", "7", "--path", "large=/big?x=1"],
  );
  t.deepEqual(options.target, {
    url: "http://127.0.0.1:81",
    pid: 7,
    paths: { native: "/", javascript: "/", body: "/", large: "/big?x=1" },
  });
});

const WRONG: Record<string, string[]> = {
  "a server elsewhere": ["--target", "http://192.0.2.1:80", "--pid", "1"],
  "no process": ["--target", "http://127.0.0.1:80"],
  "a process without a server": ["--pid", "7"],
  "an attack that is not there": ["--only", "slow-hats"],
  "too long": ["--seconds", "121"],
  "too many": ["--connections", "15001"],
  "no number": ["--rate", "1e3"],
  "a path that breaks the request": ["--target", "http://127.0.0.1:80", "--path", "native=/ x"],
  "CPUs that are none": ["--server-cpus", "0; true"],
  "an unknown option": ["--force"],
};

for (const [what, words] of Object.entries(WRONG)) {
  test(`refused: ${what}`, (t) => {
    t.throws(() => parsed(...words), { instanceOf: UsageError });
  });
}

test("texts that are asked for", (t) => {
  const [help, list] = ["--help", "--list"].map((word) => parseCommandLine([word], 2));
  if (typeof help !== "string" || typeof list !== "string") return t.fail("no texts");
  t.regex(help, /--target/);
  for (const name of NAMES) t.true(list.includes(name));
});
