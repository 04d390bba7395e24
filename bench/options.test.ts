import test from "ava";
import { readOptions, UsageError } from "./options.js";
import { WORKS } from "./works.js";

function run(...args: string[]) {
  const options = readOptions(args);
  if (typeof options === "string") throw new TypeError(options);
  return options;
}

test("works, rounds, seconds, servers, files", (t) => {
  const args = ["json", "hello", "--rounds", "7", "--seconds", "0.5", "--servers", "bun,nginx"];
  const { works, rounds, seconds, servers, json } = run(...args, "--json", "a.json");
  t.deepEqual(
    [works.map(({ name }) => name), servers],
    [
      ["json", "hello"],
      ["bun", "nginx"],
    ],
  );
  t.deepEqual([rounds, seconds, json], [7, 0.5, "a.json"]);
});

test("defaults: five rounds, every server", (t) => {
  const { rounds, servers, works } = run("all");
  t.is(rounds, 5);
  t.true(servers.includes("nginx") && servers.includes("floor-epoll"));
  t.is(works, WORKS);
});

test("check has every server and route, but is short", (t) => {
  const { rounds, works, seconds } = run("check");
  t.is(rounds, 1);
  t.true(seconds < 0.1);
  t.true(works.every(({ loads }) => loads.every(({ connections }) => connections <= 8)));
});

test("questions", (t) => {
  t.is(readOptions(["--help"]), "help");
  t.is(readOptions(["--list"]), "list");
});

for (const args of [
  [],
  ["nothing"],
  ["hello", "--rounds", "0"],
  ["hello", "--rounds", "1.5"],
  ["hello", "--rounds", ""],
  ["hello", "--seconds", "x"],
  ["hello", "--servers", "apache"],
  ["hello", "--unknown"],
  ["check", "hello"],
]) {
  test(`refused: ${args.join(" ")}.`, (t) => {
    t.throws(() => readOptions(args), { instanceOf: UsageError });
  });
}

test("another checkout takes part wherever Pinion does, on the same interface", (t) => {
  const { works, servers } = run("hello", "json", "--against", "../before");
  t.deepEqual(
    works.map((work) => work.servers.filter((name) => /^(pinion|other)-(uring|epoll)$/.test(name))),
    Array(2).fill(["pinion-uring", "other-uring", "pinion-epoll", "other-epoll"]),
  );
  t.true(servers.includes("other-uring") && servers.includes("other-epoll"));
  t.deepEqual(run("hello", "--against", "..", "--servers", "other-epoll").servers, ["other-epoll"]);
  t.throws(() => run("hello", "--servers", "other-epoll"), { instanceOf: UsageError });
});
