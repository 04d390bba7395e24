// `write` and `cache`: what handlers may write to, and where compiled ones are kept.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { parseConfig } from "./load.js";
import { testRefused } from "./load.test.support.js";

testRefused([
  [
    "nothing to write to",
    'write: ""\n',
    `1:8: write must be a path or a list of at most 64, not "" [config/wrong-value]`,
  ],
  [
    "a path that is a number",
    "write: [5]\n",
    "1:9: write[0] must be text, not 5 [config/wrong-type]",
  ],
  [
    "a home folder",
    "write: [~/data]\n",
    "1:9: ~ is no folder here: write ~/data as a whole path [config/missing-folder]",
  ],
  [
    "a folder that is not there",
    "write:\n  - /none/at/all\n",
    "2:5: /none/at/all is not there; create it first (`mkdir -p`), or name the folder that it is going to be in [config/missing-folder]",
  ],
  [
    "a cache without a name",
    'cache: ""\n',
    `1:8: cache must be a path, not "" [config/wrong-value]`,
  ],
]);

test("paths start at the configuration's folder", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-write-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "file"), "");
  const load = (source: string) =>
    parseConfig(source, join(folder, "pinion.yaml"), () => null).config;
  t.deepEqual(load("write: [./data, file, /dev/null]\ncache: kept\n").write, [
    { path: join(folder, "data"), text: "./data" },
    { path: join(folder, "file"), text: "file" },
    { path: "/dev/null", text: "/dev/null" },
  ]);
  t.deepEqual(load("write: data\n").write, [{ path: join(folder, "data"), text: "data" }]);
  t.deepEqual(load("{}").write, []);
  t.is(load("write: any\n").write, "any");
  t.is(load("cache: kept\n").cache, join(folder, "kept"));
  t.is(load("{}").cache, undefined);
});
