import test from "ava";
import { findViolations } from "./imports.js";

function messagesOf(files: Record<string, string>): string[] {
  const sources = {
    files: new Map(Object.entries(files)),
    dependencies: new Set(["yaml"]),
    devDependencies: new Set(["ava"]),
  };
  return findViolations(sources).map(({ file, line, message }) => `${file}:${line}: ${message}`);
}

const headers = Object.fromEntries(
  ["base", "memory", "io", "http", "shard", "addon", "test"].map((folder) => [
    `native/${folder}/x.hpp`,
    "",
  ]),
);

function nativeRefused(from: string, include: string): boolean {
  return messagesOf({ ...headers, [from]: `// first line\n#include ${include}\n` }).length > 0;
}

test("native folders include only what stands below them", (t) => {
  const allowed: Record<string, string[]> = {
    base: ["base"],
    memory: ["base", "memory"],
    io: ["base", "memory", "io"],
    http: ["base", "http"],
    shard: ["base", "memory", "io", "http", "shard"],
    addon: ["base", "memory", "io", "http", "shard", "addon"],
  };
  for (const [from, targets] of Object.entries(allowed)) {
    for (const to of Object.keys(allowed)) {
      t.is(
        nativeRefused(`native/${from}/y.cpp`, `"${to}/x.hpp"`),
        !targets.includes(to),
        `${from} from ${to}`,
      );
    }
    t.true(nativeRefused(`native/${from}/y.cpp`, '"test/x.hpp"'), from);
    t.false(nativeRefused(`native/test/${from}/y_test.cpp`, '"test/x.hpp"'), from);
  }
  t.false(nativeRefused("native/test/fuzz/y_fuzz.cpp", '"http/x.hpp"'));
  t.true(nativeRefused("native/test/fuzz/y_fuzz.cpp", '"addon/x.hpp"'));
  t.true(nativeRefused("native/test/http/y_test.cpp", '"io/x.hpp"'));
});

test("only addon knows Node, only io knows the kernel's rings", (t) => {
  t.true(nativeRefused("native/shard/y.cpp", "<node_api.h>"));
  t.true(nativeRefused("native/http/y.hpp", "<uv.h>"));
  t.true(nativeRefused("native/shard/y.cpp", "<liburing.h>"));
  t.false(nativeRefused("native/addon/y.cpp", "<napi.h>"));
  t.false(nativeRefused("native/addon/y.cpp", "<node_api.h>"));
  t.false(nativeRefused("native/io/y.cpp", "<liburing.h>"));
  t.false(nativeRefused("native/base/y.cpp", "<vector>"));
});

test("a quoted include names a file below native/", (t) => {
  t.true(nativeRefused("native/http/y.cpp", '"x.hpp"'));
  t.true(nativeRefused("native/http/y.cpp", '"http/gone.hpp"'));
});

test("a violation names its line", (t) => {
  const text = '// one\n// two\n\n#include "io/x.hpp"\n';
  t.deepEqual(messagesOf({ ...headers, "native/http/y.cpp": text }), [
    "native/http/y.cpp:4: native/http may include only base, not io",
  ]);
  t.deepEqual(messagesOf({ "runtime/y.ts": '// one\n\nimport { a } from "../daemon/z.js";\n' }), [
    "runtime/y.ts:3: runtime/ may import nothing but itself",
  ]);
});

for (const [file, statement, refused] of [
  ["runtime/a.ts", 'import { b } from "./b.js";', false],
  ["runtime/a.ts", 'import type { B } from "../daemon/b.js";', true],
  ["runtime/a.ts", 'export * from "../handlers/b.js";', true],
  ["runtime/a.ts", 'const b = await import("../ops/b.js");', true],
  ["runtime/a.ts", 'import {\n  b,\n  c,\n} from "../daemon/b.js";', true],
  ["runtime/a.ts", 'import "../daemon/b.js";', true],
  ["runtime/a.ts", 'import { open } from "node:fs";', false],
  ["runtime/a.ts", 'import { open } from "fs";', true],
  ["runtime/a.ts", 'import { parse } from "yaml";', false],
  ["runtime/a.ts", 'import test from "ava";', true],
  ["runtime/a.test.ts", 'import test from "ava";', false],
  ["runtime/a.test.support.ts", 'import test from "ava";', false],
  ["runtime/a.support.ts", 'import test from "ava";', true],
  ["runtime/a.ts", 'import left from "left-pad";', true],
  ["daemon/a.ts", 'import { loadAddon } from "../runtime/addon-loader.js";', false],
  ["daemon/a.ts", 'import { Dispatcher } from "../runtime/dispatcher.js";', true],
  ["daemon/a.ts", 'import type { Dispatcher } from "../runtime/dispatcher.js";', false],
  ["daemon/test/a.test.ts", 'import { Dispatcher } from "../../runtime/dispatcher.js";', false],
  ["daemon/a.ts", 'import { b } from "../bench/b.js";', true],
  ["handlers/a.ts", 'import { html } from "../runtime/index.js";', false],
  ["handlers/a.ts", 'import { html } from "pinion";', false],
  ["handlers/examples/a.ts", 'import { html } from "../../runtime/dispatcher.js";', true],
  ["bench/a.ts", 'import { html } from "../daemon/main.js";', true],
  ["ops/a.ts", 'import { schema } from "../daemon/config/schema.js";', false],
  ["ops/a.ts", 'import { main } from "../daemon/supervisor.js";', true],
  ["ops/a.ts", 'import { b } from "../../elsewhere/b.js";', true],
] as const) {
  test(`${file}: ${statement.replaceAll("\n", " ")}`, (t) => {
    t.is(messagesOf({ [file]: `${statement}\n` }).length, refused ? 1 : 0);
  });
}
