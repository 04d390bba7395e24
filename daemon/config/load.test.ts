import test from "ava";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "./load.js";
import { checkPattern, folder, parse, problemsOf, testRefused } from "./load.test.support.js";
import { ConfigError } from "./problem.js";

testRefused([
  [
    "all are found",
    "io: x\nlimits: { body: y }\nroutes:\n  - path: '!'\n    respond: {}\n",
    `1:5: io must be auto, uring or epoll, not "x" [config/wrong-value]`,
    `2:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not "y" [config/wrong-value]`,
    `4:12: a pattern begins with / [config/bad-pattern]`,
  ],
  [
    "a refused item does not hide its neighbours",
    "routes:\n  - 5\n  - path: /b\n",
    `2:5: routes[0] must be a map of keys, not 5 [config/wrong-type]`,
    `3:5: nothing answers /b; add handler or respond [config/route-answer]`,
  ],
]);

test("a hundred problems are shown, and the others counted", (t) => {
  const problems = problemsOf("io: auto\n".repeat(102));
  t.is(problems.length, 101);
  t.is(problems[99], `101:1: key "io" is there twice [config/duplicate-key]`);
  t.is(problems[100], " 1 more problem is not shown; repair these first [config/more-problems]");
  const listed = problemsOf("routes:\n" + "  - 1\n".repeat(10_000));
  t.is(listed[100], " 9900 more problems are not shown; repair these first [config/more-problems]");
  t.is(problemsOf("io: auto\n".repeat(101)).length, 100);
});

test("a message shows the line and a caret below the place", (t) => {
  const error = t.throws(() => parse("io: auto\nlimits: { conections: 5 }\n"), {
    instanceOf: ConfigError,
  });
  t.deepEqual(error.message.split("\n").slice(1), [
    "    limits: { conections: 5 }",
    "              ^",
  ]);
});

test("five lines are a configuration, and the rest has defaults", (t) => {
  const { config } = parse(
    "routes:\n  - path: /a\n    handler: ./hello.ts\n  - path: /b\n    respond: { body: b }\n",
  );
  t.deepEqual(config.listen, [
    {
      address: { kind: "tcp", host: "127.0.0.1", port: 8080, anyHost: false },
      text: "127.0.0.1:8080",
      proxyProtocol: false,
      backlog: 1024,
    },
  ]);
  t.is(config.folder, folder);
  t.is(config.shards, "auto");
  t.is(config.limits.head, 16384);
  t.is(config.limits.heap, undefined);
  t.is(config.limits.youngHeap, 12 * 1024 * 1024);
  t.is(config.timeouts.drain, 10_000);
  t.deepEqual(config.routes, [
    { path: "/a", handler: "./hello.ts" },
    { path: "/b", respond: { status: 200, headers: {}, body: "b" } },
  ]);
});

test("what protects does so by default", (t) => {
  const { limits, admission, timeouts, http } = parse("").config;
  t.deepEqual(limits, {
    body: 1024 * 1024,
    head: 16 * 1024,
    target: 8 * 1024,
    fields: 100,
    connections: 10_000,
    slots: 1024,
    arena: 16 * 1024 * 1024,
    connection: 256 * 1024,
    pipeline: 64,
    addressConnections: 0,
    addressRate: 0,
    abandoned: 16 * 1024 * 1024,
    youngHeap: 12 * 1024 * 1024,
  });
  t.deepEqual(admission, { target: 250, interval: 500 });
  t.deepEqual(timeouts, {
    head: 10_000,
    body: 30_000,
    handler: 30_000,
    write: 30_000,
    keepAlive: 60_000,
    drain: 10_000,
    spin: 60_000,
  });
  t.deepEqual(http, { halfOpen: true });
});

test("an empty file is a configuration", (t) => {
  t.deepEqual(parse("").config.routes, []);
  t.deepEqual(parse("# nothing\n").config.routes, []);
});

test("files that cannot be read say why", (t) => {
  const message = (name: string) =>
    t.throws(() => loadConfig(join(folder, name), checkPattern), { instanceOf: ConfigError })
      .message;
  t.regex(message("none.yaml"), /none\.yaml: no such file; .* \[config\/file\]$/);
  t.regex(message("."), /is a folder; name a YAML file in it/);
  writeFileSync(join(folder, "large.yaml"), `# ${"x".repeat(1024 * 1024)}\n`);
  t.regex(message("large.yaml"), /is larger than 1 MiB/);
  writeFileSync(join(folder, "bytes.yaml"), Buffer.from([0x61, 0xff, 0xfe]));
  t.regex(message("bytes.yaml"), /is not UTF-8 text/);
});

test("a byte order mark is dropped", (t) => {
  writeFileSync(join(folder, "bom.yaml"), "\ufeffio: epoll\n");
  t.is(loadConfig(join(folder, "bom.yaml"), checkPattern).config.io, "epoll");
});
