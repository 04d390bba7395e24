// YAML that is none, or is meant to harm.
import test from "ava";
import { parse, problemsOf, route, testRefused } from "./load.test.support.js";

testRefused([
  [
    "no colon behind a key",
    "routes:\n  - path: /a\n    handler ./hello.ts\n",
    `3:5: a colon is missing: handler: ./hello.ts [config/yaml]`,
  ],
  [
    "no colon behind the first key",
    "routes:\n  - handler ./hello.ts\n    path: /a\n",
    `2:5: a colon is missing: handler: ./hello.ts [config/yaml]`,
  ],
  [
    "no colon behind the only key",
    "timeouts:\n  head 5s\n",
    `2:3: timeouts must be a map of keys, not "head 5s" (did you mean head: 5s, with a colon?) [config/wrong-type]`,
  ],
  ["tab", "limits:\n\tbody: 1\n", `2:1: a tab indents; YAML takes only spaces [config/yaml]`],
  [
    "open bracket",
    "listen: [a\n",
    `2:1: YAML: flow sequence in block collection must be sufficiently indented and end with a ] [config/yaml]`,
  ],
  ["open quote", "listen: 'a\n", `2:1: YAML: missing closing 'quote [config/yaml]`],
  [
    "two documents",
    "io: auto\n---\nio: auto\n",
    `2:1: more than one YAML document; keep one, without a second \`---\` [config/yaml]`,
  ],
  [
    "unknown alias",
    "io: *x\n",
    `1:5: unknown alias *x; an anchor &x must stand before it [config/yaml]`,
  ],
  ["tag", "io: !x auto\n", `1:5: tags such as !name are not used here [config/yaml]`],
  ["list as a key", "? [a]\n: 1\n", `1:3: a key must be a word [config/yaml]`],
  [
    "alias to itself",
    "routes: &a\n  - *a\n",
    `2:5: nested deeper than 32 levels; write it flatter [config/too-deep]`,
  ],
  [
    "deep nesting",
    `x: ${"[".repeat(60)}${"]".repeat(60)}\n`,
    `1:35: nested deeper than 32 levels; write it flatter [config/too-deep]`,
  ],
  [
    "deep nesting of an alias",
    `x: &x ${"[".repeat(20)}${"]".repeat(20)}\ny: ${"[".repeat(20)}*x${"]".repeat(20)}\n`,
    `2:24: nested deeper than 32 levels; write it flatter [config/too-deep]`,
  ],
]);

test("a YAML bomb is refused in time", (t) => {
  const level = (name: string, of: string) =>
    `${name}: &${name} [${Array(9).fill(`*${of}`).join(", ")}]\n`;
  const bomb = `a: &a [x]\n${level("b", "a")}${level("c", "b")}${level("d", "c")}${level("e", "d")}${level("f", "e")}`;
  const problems = problemsOf(bomb);
  t.is(problems.length, 1);
  t.regex(problems[0] ?? "", /config\/too-many-aliases/);
});

test("nesting without end is refused, not followed", (t) => {
  const tooDeep = (column: number) => [
    `1:${column}: nested deeper than 32 levels; write it flatter [config/too-deep]`,
  ];
  for (const end of ["", "x\n", "x\ny\n", "x\n- y\n", "x\ny: 1\n"]) {
    t.deepEqual(problemsOf("[".repeat(100_000) + end), tooDeep(33));
    t.deepEqual(problemsOf("{a: ".repeat(100_000) + end), tooDeep(129));
    t.deepEqual(problemsOf("- ".repeat(100_000) + end), tooDeep(65));
    t.deepEqual(problemsOf("? ".repeat(100_000) + end), tooDeep(65));
  }
});

test("as deep as may be", (t) => {
  const nested = (levels: number) =>
    route(`handler: ./hello.ts\n    options: ${"[".repeat(levels)}${"]".repeat(levels)}`);
  // The whole, routes, and the route.
  t.deepEqual(problemsOf(nested(32 - 3)), []);
  t.is(problemsOf(nested(33 - 3)).length, 1);
});

test("eight times as many keys take about eight times as long, not sixty-four", (t) => {
  const best = (source: string) =>
    Math.min(
      ...[1, 2, 3].map(() => {
        const began = performance.now();
        t.true(problemsOf(source).length > 0);
        return performance.now() - began;
      }),
    );
  const keys = (count: number) => Array.from({ length: count }, (_, n) => `k${n}: 1\n`).join("");
  for (const source of [
    (count: number) => "io: auto\n".repeat(count),
    (count: number) => keys(count),
    (count: number) => keys(count / 2).repeat(2),
    (count: number) => `b: [${"*a, ".repeat(count)}]\n`,
  ]) {
    const few = best(source(1500));
    const many = best(source(12_000));
    t.true(many < 24 * few, `${many} ms instead of ${few}`);
  }
});

test("aliases that repeat a few lines are fine", (t) => {
  const { config } = parse(
    "routes:\n  - { path: /a, respond: &r { body: x } }\n  - { path: /b, respond: *r }\n",
  );
  t.deepEqual(config.routes[1]?.respond, { status: 200, headers: {}, body: "x" });
});
