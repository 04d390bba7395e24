// Whatever stands in the place of a value, and whatever is left out: a configuration or a list of problems with places.
import test from "ava";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { loadAddon } from "../../runtime/addon-loader.js";
import { parseConfig } from "./load.js";
import { ConfigError } from "./problem.js";

const folder = mkdtempSync(join(tmpdir(), "pinion-types-"));
writeFileSync(join(folder, "hello.ts"), "export default () => 'hello';\n");
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const VALID = `
listen:
  - 127.0.0.1:8080
  - { address: "unix:a.sock", proxyProtocol: true, backlog: 5, mode: "0660" }
shards: 2
io: auto
routes:
  - path: /a/{b:int}
    methods: [GET, POST]
    handler: ./hello.ts
    options: { a: [1] }
    timeout: 2s
    body: 1KiB
  - path: /c
    respond: { status: 201, type: a/b, headers: { x: y }, body: text }
limits: { body: 1MiB, head: 16KiB, target: 8KiB, fields: 100, connections: 10, slots: 8, queue: 4, arena: 1MiB, connection: 256KiB, pipeline: 4, addressConnections: 1, addressRate: 2, heap: 64MiB }
admission: { target: 1s, interval: 2s }
timeouts: { head: 1s, body: 1s, handler: 1s, write: 1s, keepAlive: 1s, drain: 1s, spin: 1s }
health: { enabled: true, live: /l, ready: /r }
http: { halfOpen: true }
log: { access: true, level: info, format: json }
`;
const VALID_MAP = VALID.replace(/^listen:\n.*\n.*\n/m, "listen: { address: ':80', backlog: 3 }\n");

const VALUES: unknown[] = [
  null,
  true,
  0,
  5,
  -1,
  1.5,
  1e300,
  Infinity,
  NaN,
  "",
  "text",
  "/a",
  "5",
  "5s",
  "/{",
  "\u0000",
  new Date(0),
  [],
  [null],
  ["text"],
  [[]],
  {},
  { id: null },
  { address: 5 },
  { path: [] },
];

const LEFT_OUT = Symbol("left out");

/** The data with one of its places changed, for every place. */
function* changed(data: unknown, value: unknown): Generator<unknown> {
  yield value;
  if (Array.isArray(data)) {
    for (const [index, item] of data.entries()) {
      for (const other of changed(item, value)) yield data.toSpliced(index, 1, ...kept(other));
    }
  } else if (typeof data === "object" && data !== null) {
    for (const [key, item] of Object.entries(data)) {
      for (const other of changed(item, value)) {
        const { [key]: _, ...rest } = data as Record<string, unknown>;
        yield other === LEFT_OUT ? rest : { ...rest, [key]: other };
      }
    }
  }
}

function kept(value: unknown): unknown[] {
  return value === LEFT_OUT ? [] : [value];
}

const addon = loadAddon();
const native = (pattern: string) => addon.checkPattern(pattern);

for (const [name, yaml] of [
  ["lists", VALID],
  ["a map", VALID_MAP],
] as const) {
  test(`every value replaced by every type, or left out: listen with ${name}`, (t) => {
    t.notThrows(() => parseConfig(yaml, join(folder, "pinion.yaml"), native));
    let refused = 0;
    for (const value of [...VALUES, LEFT_OUT]) {
      for (const data of changed(parse(yaml), value)) {
        if (data === LEFT_OUT) continue;
        const source = stringify(data);
        try {
          parseConfig(source, join(folder, "pinion.yaml"), native);
        } catch (error) {
          if (!(error instanceof ConfigError)) {
            t.fail(`${source}\n${(error as Error).stack}`);
            return;
          }
          for (const { offset, message } of error.problems) {
            t.true(offset !== undefined && !message.includes("undefined"), `${message}\n${source}`);
          }
          refused++;
        }
      }
    }
    t.true(refused > 1000);
  });
}
