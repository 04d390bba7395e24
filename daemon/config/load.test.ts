import test from "ava";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig, parseConfig } from "./load.js";
import { ConfigError } from "./problem.js";

const folder = mkdtempSync(join(tmpdir(), "pinion-config-"));
writeFileSync(join(folder, "hello.ts"), "export default () => 'hello';\n");
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

// Stands for the native router: a pattern begins with a slash, and "!" is refused where it stands.
const checkPattern = (pattern: string) => {
  if (!pattern.startsWith("/")) return { column: 0, message: "a pattern begins with /" };
  const column = Buffer.from(pattern).indexOf("!");
  return column === -1 ? null : { column, message: "no ! here" };
};

const parse = (source: string) => parseConfig(source, join(folder, "pinion.yaml"), checkPattern);

/** The first line of each problem, without the file's name. */
function problemsOf(source: string): string[] {
  try {
    parse(source);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message
      .split("\n")
      .filter((line) => !line.startsWith("    "))
      .map((line) => line.replaceAll(folder, "FOLDER").replace(/^FOLDER\/pinion\.yaml:?/, ""));
  }
}

const route = (rest: string) => `routes:\n  - path: /a\n    ${rest}\n`;
const answered = route("handler: ./hello.ts");

const refused: [name: string, yaml: string, ...problems: string[]][] = [
  // --- keys ---
  [
    "unknown key",
    "lissten: :80\n",
    `1:1: unknown key "lissten" (did you mean "listen"?) [config/unknown-key]`,
  ],
  [
    "unknown key without a near one",
    "xyzzy: 1\n",
    `1:1: unknown key "xyzzy"; the keys here are listen, shards, io, routes, limits, admission, timeouts, health, http, log [config/unknown-key]`,
  ],
  [
    "misspelt handler",
    "routes:\n  - path: /a\n    handlr: ./hello.ts\n",
    `3:5: unknown key "handlr" (did you mean "handler"?) [config/unknown-key]`,
  ],
  [
    "unknown key in a flow map",
    "limits: { body: 1MiB, conections: 5 }\n",
    `1:23: unknown key "conections" (did you mean "connections"?) [config/unknown-key]`,
  ],
  [
    "prototype as key",
    "__proto__: 1\n",
    `1:1: unknown key "__proto__"; the keys here are listen, shards, io, routes, limits, admission, timeouts, health, http, log [config/unknown-key]`,
  ],
  [
    "merge key",
    "health:\n  <<: { live: /a }\n",
    `2:3: unknown key "<<"; the keys here are enabled, live, ready [config/unknown-key]`,
  ],
  [
    "key given twice",
    "limits:\n  body: 1\n  body: 2\n",
    `3:3: key "body" is there twice [config/duplicate-key]`,
  ],
  [
    "keys given twice in a map within a list",
    `routes:\n  - { path: /a, path: /b, "path": /c }\n`,
    `2:17: key "path" is there twice [config/duplicate-key]`,
    `2:27: key "path" is there twice [config/duplicate-key]`,
  ],
  [
    "a number and text that are the same key",
    `routes:\n  - path: /a\n    respond: { headers: { 1: a, "1": b } }\n`,
    `3:33: key "1" is there twice [config/duplicate-key]`,
  ],
  [
    "missing path",
    "routes:\n  - handler: ./hello.ts\n",
    `2:5: routes[0] needs the key "path" [config/missing-key]`,
  ],
  // --- types and values ---
  [
    "routes are no list",
    "routes: /a\n",
    `1:9: routes must be a list of at most 20000, not "/a" [config/wrong-type]`,
  ],
  [
    "routes are nothing",
    "routes:\n",
    `1:1: routes must be a list of at most 20000, not nothing [config/wrong-type]`,
  ],
  [
    "the whole is a list",
    "- 1\n",
    `1:1: the configuration must be a map of keys, not a list [config/wrong-type]`,
  ],
  [
    "the whole is text",
    "hello\n",
    `1:1: the configuration must be a map of keys, not "hello" [config/wrong-type]`,
  ],
  [
    "an item is text",
    "routes:\n  - /a\n",
    `2:5: routes[0] must be a map of keys, not "/a" [config/wrong-type]`,
  ],
  [
    "wrong word",
    "io: urin\n",
    `1:5: io must be auto, uring or epoll, not "urin" (did you mean "uring"?) [config/wrong-value]`,
  ],
  [
    "method in small letters",
    answered + "    methods: [get]\n",
    `4:15: routes[0].methods[0] must be GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE or PATCH, not "get" (did you mean "GET"?) [config/wrong-value]`,
  ],
  [
    "methods are a word",
    answered + "    methods: GET\n",
    `4:14: routes[0].methods must be a list with at least one item, not "GET" [config/wrong-type]`,
  ],
  [
    "too many shards",
    "shards: 1000\n",
    `1:9: shards must be "auto" or a whole number from 1 to 256, not 1000 [config/wrong-value]`,
  ],
  [
    "shards in words",
    "shards: many\n",
    `1:9: shards must be "auto" or a whole number from 1 to 256, not "many" [config/wrong-value]`,
  ],
  [
    "number with a fraction",
    "limits: { fields: 1.5 }\n",
    `1:19: limits.fields must be a whole number from 1 to 200, not 1.5 [config/wrong-type]`,
  ],
  [
    "number beyond reason",
    "limits: { pipeline: 1e999 }\n",
    `1:21: limits.pipeline must be a whole number from 1 to 65535, not null [config/wrong-type]`,
  ],
  [
    "boolean in words",
    "log: { access: yes }\n",
    `1:16: log.access must be true or false, not "yes" [config/wrong-type]`,
  ],
  [
    "module without an ending",
    route("handler: ./hello"),
    `3:14: routes[0].handler must be the path of a .ts, .mts, .js or .mjs module, not "./hello" (did you mean "./hello.ts"?) [config/wrong-value]`,
  ],
  [
    "module without an ending that is nowhere",
    route("handler: ./nothing-like-it"),
    `3:14: routes[0].handler must be the path of a .ts, .mts, .js or .mjs module, not "./nothing-like-it" [config/wrong-value]`,
  ],
  [
    "count with a unit",
    "limits: { connections: 10K }\n",
    `1:24: limits.connections must be a whole number from 1 to 1000000, not "10K" (did you mean 10000?) [config/wrong-type]`,
  ],
  [
    "count with a separator",
    "limits: { connections: 20_000, slots: '16' }\n",
    `1:24: limits.connections must be a whole number from 1 to 1000000, not "20_000" (did you mean 20000?) [config/wrong-type]`,
    `1:39: limits.slots must be a whole number from 2 to 65536, not "16" (did you mean 16?) [config/wrong-type]`,
  ],
  [
    "count that cannot be",
    "limits: { connections: 10M }\n",
    `1:24: limits.connections must be a whole number from 1 to 1000000, not "10M" [config/wrong-type]`,
  ],
  [
    "package as a module",
    route("handler: ms"),
    `3:14: routes[0].handler must be the path of a .ts, .mts, .js or .mjs module, not "ms"; a file is written with ./ and its ending, such as ./ms.ts (a package is no handler) [config/wrong-value]`,
  ],
  [
    "map as a path, which braces without quotes are",
    "routes:\n  - path: {id}\n    respond: {}\n",
    `2:11: routes[0].path must be text, not a map [config/wrong-type]`,
  ],
  [
    "number as a path",
    "routes:\n  - path: 5\n    respond: {}\n",
    `2:11: routes[0].path must be text, not 5 [config/wrong-type]`,
  ],
  [
    "control characters in the server's name",
    `http: { serverName: "a\\nb" }\n`,
    `1:21: http.serverName must be at most 128 printable ASCII characters, not "a\\nb" [config/wrong-value]`,
  ],
  // --- units ---
  [
    "size without sense",
    "limits: { body: big }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not "big" [config/wrong-value]`,
  ],
  [
    "size in small letters",
    "limits: { body: 1mib }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not "1mib" (did you mean 1MiB?) [config/wrong-value]`,
  ],
  [
    "size with a short unit",
    "limits: { body: 10M }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not "10M" (did you mean 10MiB?) [config/wrong-value]`,
  ],
  [
    "negative size",
    "limits: { body: -1 }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not -1 [config/wrong-value]`,
  ],
  [
    "size beyond its bound",
    "limits: { head: 64KiB }\n",
    `1:17: limits.head must be 256 bytes to 65535 bytes, not 64KiB [config/out-of-range]`,
  ],
  [
    "duration without unit",
    "timeouts: { head: 10 }\n",
    `1:19: timeouts.head must be a duration such as 500ms, 10s, 2m or 1h, not 10 (did you mean 10s?) [config/wrong-type]`,
  ],
  [
    "duration of nothing, without unit",
    "timeouts: { head: 0 }\n",
    `1:19: timeouts.head must be a duration such as 500ms, 10s, 2m or 1h, not 0 [config/wrong-type]`,
  ],
  [
    "duration of nothing, where it may be",
    "timeouts: { drain: 0 }\n",
    `1:20: timeouts.drain must be a duration such as 500ms, 10s, 2m or 1h, not 0 (did you mean 0s?) [config/wrong-type]`,
  ],
  [
    "duration with a long unit",
    "timeouts: { head: 10 sec }\n",
    `1:19: timeouts.head must be a duration such as 500ms, 10s, 2m or 1h, not "10 sec" (did you mean 10s?) [config/wrong-value]`,
  ],
  [
    "duration below its bound",
    "timeouts: { spin: 1ms }\n",
    `1:19: timeouts.spin must be 100ms to 168h, not 1ms [config/out-of-range]`,
  ],
  [
    "duration of nothing",
    "timeouts: { head: 0s }\n",
    `1:19: timeouts.head must be 1ms to 168h, not 0s [config/out-of-range]`,
  ],
  // --- what must fit ---
  [
    "head smaller than target",
    "limits: { head: 1KiB }\n",
    `1:17: limits.head must be at least 8KiB: limits.target must fit into it [config/limits-clash]`,
  ],
  [
    "connection smaller than head",
    "limits: { connection: 16KiB }\n",
    `1:23: limits.connection must be at least 20KiB: a whole head (limits.head) and a segment must fit into it [config/limits-clash]`,
  ],
  [
    "arena smaller than its parts",
    "limits: { slots: 16, arena: 256KiB }\n",
    `1:29: limits.arena must be at least 512KiB: two connections (limits.connection) and 16 segments must fit into it [config/limits-clash]`,
  ],
  [
    "arena smaller than its slots",
    "limits: { arena: 1MiB }\n",
    `1:18: limits.arena must be at least 8MiB: two segments for each of 1024 slots (limits.slots) must fit into it [config/limits-clash]`,
  ],
  // --- routes ---
  [
    "nothing answers",
    "routes:\n  - path: /a\n",
    `2:5: nothing answers /a; add handler or respond [config/route-answer]`,
  ],
  [
    "two answers",
    answered + "    respond: {}\n",
    `4:5: a route has handler or respond, not both; remove one [config/route-answer]`,
  ],
  [
    "options without a handler",
    route("respond: {}\n    options: 1"),
    `4:5: options is for routes with a handler; remove it [config/route-answer]`,
  ],
  [
    "missing module",
    route("handler: ./helo.ts"),
    `3:14: no file ./helo.ts in FOLDER (did you mean "./hello.ts"?) [config/missing-handler]`,
  ],
  [
    "missing folder",
    route("handler: no/hello.ts"),
    `3:14: no file ./no/hello.ts in FOLDER (did you mean "./hello.ts"?) [config/missing-handler]`,
  ],
  [
    "method given twice",
    answered + "    methods: [GET, GET]\n",
    `4:20: GET is there twice [config/duplicate-method]`,
  ],
  [
    "pattern without a slash",
    "routes: [{ path: a, respond: {} }]\n",
    `1:18: a pattern begins with / [config/bad-pattern]`,
  ],
  [
    "bad pattern, plain",
    "routes: [{ path: /a/!, respond: {} }]\n",
    `1:21: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern, quoted",
    `routes: [{ path: "/a\\x62!", respond: {} }]\n`,
    `1:25: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern, single quotes",
    "routes: [{ path: '/a''!', respond: {} }]\n",
    `1:23: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern behind two-byte letters",
    "routes: [{ path: /éé!, respond: {} }]\n",
    `1:21: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern, folded",
    `routes:\n  - respond: {}\n    path: >-\n      /a!\n`,
    `3:11: no ! here [config/bad-pattern]`,
  ],
  [
    "route there twice",
    `${answered}    methods: [GET, POST]\n  - path: /a\n    respond: {}\n`,
    `5:11: GET /a is already answered by routes[0] (/a); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "route there twice by another name",
    "routes:\n  - { path: '/{a}', respond: {} }\n  - { path: '/{b:string}', respond: {} }\n",
    `3:13: GET /{b:string} is already answered by routes[0] (/{a}); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "route there twice, escaped",
    "routes:\n  - { path: /b, respond: {} }\n  - { path: /%62, respond: {} }\n",
    `3:13: GET /%62 is already answered by routes[0] (/b); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "route of the health check",
    "routes: [{ path: /-/live, respond: {} }]\n",
    `1:18: GET /-/live is already answered by health.live (/-/live); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "health checks at one path",
    "health: { live: /h, ready: /h }\n",
    `1:28: GET /h is already answered by health.live (/h); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "health check with a parameter",
    "health: { live: '/{a}' }\n",
    `1:17: health.live must be a plain path, without parameters [config/bad-pattern]`,
  ],
  [
    "body where none may be",
    route("respond: { status: 204, body: x }"),
    `3:35: a 204 has no body; remove it, or use another status [config/bad-answer]`,
  ],
  [
    "field of the server's own",
    route("respond: { headers: { Date: x } }"),
    `3:27: Date is written by the server itself; remove it [config/bad-answer]`,
  ],
  [
    "type among the fields",
    route("respond: { headers: { content-type: a/b } }"),
    `3:27: content-type is written by the server itself; use type [config/bad-answer]`,
  ],
  [
    "no field name",
    route(`respond: { headers: { "a b": x } }`),
    `3:27: "a b" is no field name [config/bad-answer]`,
  ],
  [
    "line break in a field",
    route(`respond: { headers: { a: "x\\r\\ny: z" } }`),
    `3:30: the value of a must not contain line breaks, controls or characters beyond ASCII [config/bad-answer]`,
  ],
  [
    "line break in the type",
    route(`respond: { type: "x\\ny" }`),
    `3:22: type must be a media type such as text/plain, without line breaks [config/bad-answer]`,
  ],
  [
    "status out of range",
    route("respond: { status: 100 }"),
    `3:24: routes[0].respond.status must be a whole number from 200 to 599, not 100 [config/wrong-value]`,
  ],
  // --- addresses ---
  [
    "address without a port",
    "listen: 127.0.0.1\n",
    `1:9: the port is missing: 127.0.0.1:8080 [config/bad-address]`,
  ],
  [
    "address in a list",
    "listen:\n  - :80\n  - ::1\n",
    `3:5: an IPv6 address stands in brackets and has a port, all in quotes: "[::1]:8080" [config/bad-address]`,
  ],
  [
    "address there twice",
    "listen: [':80', ':80']\n",
    `1:17: :80 is there twice [config/duplicate-address]`,
  ],
  [
    "address there twice, in two spellings",
    "listen: [':8089', '[::]:8089']\n",
    `1:19: [::]:8089 clashes with :8089 (listen[0]): both would listen on the same address and port; remove one [config/duplicate-address]`,
  ],
  [
    "address that another one covers",
    "listen: ['127.0.0.1:80', '127.0.0.2:80', '0.0.0.0:80']\n",
    `1:42: 0.0.0.0:80 clashes with 127.0.0.1:80 (listen[0]): both would listen on the same address and port; remove one [config/duplicate-address]`,
  ],
  [
    "address in brackets without quotes",
    "listen: [::1]:8080\n",
    `1:9: an address in brackets stands in quotes: "[::1]:8080" [config/yaml]`,
  ],
  [
    "address in brackets without quotes, in a list",
    "listen:\n  - :80\n  - [::1]:80\n",
    `3:5: an address in brackets stands in quotes: "[::1]:80" [config/yaml]`,
  ],
  [
    "address in brackets only, which YAML takes for a list",
    "listen: { address: [::1] }\n",
    `1:20: listen.address must be text, not a list (did you mean "[::1]:8080", in quotes?) [config/wrong-type]`,
  ],
  [
    "address with a star",
    "listen: *:80\n",
    `1:9: an address that begins with * stands in quotes: "*:80" [config/yaml]`,
  ],
  [
    "address without brackets",
    "listen: ::1:8080\n",
    `1:9: an IPv6 address stands in brackets, and they in quotes: "[::1]:8080" [config/bad-address]`,
  ],
  [
    "port alone",
    "listen: 8080\n",
    `1:9: listen must be text, a map of keys or a list with at least one item, not 8080 (did you mean ":8080", or "127.0.0.1:8080"?) [config/wrong-type]`,
  ],
  [
    "number as an address",
    "listen: { address: 5 }\n",
    `1:20: listen.address must be text, not 5 (did you mean ":5", or "127.0.0.1:5"?) [config/wrong-type]`,
  ],
  [
    "mode of a port",
    "listen: { address: ':80', mode: '0660' }\n",
    `1:27: mode is for unix: addresses only; remove it [config/bad-address]`,
  ],
  [
    "mode as a number",
    "listen: { address: 'unix:a', mode: 660 }\n",
    `1:36: listen.mode must be text, not 660 [config/wrong-type]`,
  ],
  [
    "empty list of addresses",
    "listen: []\n",
    `1:9: listen must be text, a map of keys or a list with at least one item, not a list [config/wrong-value]`,
  ],
  // --- YAML ---
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
  // --- several at once ---
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
];

for (const [name, yaml, ...problems] of refused) {
  test(`refused: ${name}`, (t) => {
    t.deepEqual(problemsOf(yaml), problems);
  });
}

test("a module that is not there: the nearest that is", (t) => {
  const below = join(folder, "api/v1");
  mkdirSync(below, { recursive: true });
  writeFileSync(join(below, "users.ts"), "");
  t.teardown(() => rmSync(join(folder, "api"), { recursive: true }));
  const hint = (name: string) =>
    /\(did you mean "(.*)"\?\)/.exec(problemsOf(route(`handler: ${name}`))[0] ?? "")?.[1];
  t.is(hint("./users.ts"), "./api/v1/users.ts");
  t.is(hint("./handlers/users.js"), "./api/v1/users.ts");
  t.is(hint("./api/v1/user.ts"), "./api/v1/users.ts");
  t.is(hint("./api/v2/users.ts"), "./api/v1/users.ts");
  t.is(hint("./hello.js"), "./hello.ts");
  t.is(hint("./api/v1/users"), "./api/v1/users.ts");
  t.is(hint("hello"), "./hello.ts");
  t.is(hint("./nothing-like-it.ts"), undefined);
});

test("addresses that do not clash", (t) => {
  for (const listen of [
    "':80', ':81'",
    "'127.0.0.1:80', '127.0.0.2:80', '[::1]:80'",
    "':0', ':0'",
    "'unix:a', 'unix:b'",
  ])
    t.deepEqual(problemsOf(`listen: [${listen}]\n`), []);
});

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

test("a hundred problems are shown, and the others counted", (t) => {
  const problems = problemsOf("io: auto\n".repeat(102));
  t.is(problems.length, 101);
  t.is(problems[99], `101:1: key "io" is there twice [config/duplicate-key]`);
  t.is(problems[100], " 1 more problem is not shown; repair these first [config/more-problems]");
  const listed = problemsOf("routes:\n" + "  - 1\n".repeat(10_000));
  t.is(listed[100], " 9900 more problems are not shown; repair these first [config/more-problems]");
  t.is(problemsOf("io: auto\n".repeat(101)).length, 100);
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
  t.is(config.timeouts.drain, 10_000);
  t.deepEqual(config.routes, [
    { path: "/a", handler: "./hello.ts" },
    { path: "/b", respond: { status: 200, headers: {}, body: "b" } },
  ]);
});

test("an empty file is a configuration", (t) => {
  t.deepEqual(parse("").config.routes, []);
  t.deepEqual(parse("# nothing\n").config.routes, []);
});

test("every form of listen is read", (t) => {
  const { config } = parse(
    "listen:\n  - '[::1]:80'\n  - { address: 'unix:run/a.sock', mode: '0660', proxyProtocol: true, backlog: 5 }\n  - fd:3\n  - systemd:web\n",
  );
  t.deepEqual(
    config.listen.map(({ address }) => address),
    [
      { kind: "tcp", host: "::1", port: 80, anyHost: false },
      { kind: "unix", path: join(folder, "run/a.sock") },
      { kind: "fd", fd: 3 },
      { kind: "systemd", name: "web" },
    ],
  );
  t.like(config.listen[1], { mode: 0o660, proxyProtocol: true, backlog: 5 });
});

test("aliases that repeat a few lines are fine", (t) => {
  const { config } = parse(
    "routes:\n  - { path: /a, respond: &r { body: x } }\n  - { path: /b, respond: *r }\n",
  );
  t.deepEqual(config.routes[1]?.respond, { status: 200, headers: {}, body: "x" });
});

test("options are handed over as they are", (t) => {
  const { config } = parse(answered + "    options: { a: [1, null, { b: c }] }\n");
  t.deepEqual(config.routes[0]?.options, { a: [1, null, { b: "c" }] });
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
