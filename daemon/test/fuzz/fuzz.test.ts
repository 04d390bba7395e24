// A few seeds of each fuzzer, always the same ones; ops/fuzz runs others, for as long as it is told.
import test from "ava";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fuzzConfiguration } from "./configuration.js";
import { fuzzQuery, pathFuzzer } from "./query.js";
import { runSeeds } from "./random.js";

const PATH_TOOL = fileURLToPath(new URL("../../../../build/release/path_tool", import.meta.url));

test("configurations are taken, or refused with their place", (t) => {
  t.notThrows(() => runSeeds("configuration", fuzzConfiguration, 1, 600));
});

test("queries are decoded as URL §5.1 says", (t) => {
  t.notThrows(() => runSeeds("query", fuzzQuery, 1, 20_000));
});

test("paths are decoded as they are checked", (t) => {
  if (!existsSync(PATH_TOOL))
    t.fail(`${PATH_TOOL} is missing: build it with ops/native release path_tool`);
  t.notThrows(() => runSeeds("path", pathFuzzer(PATH_TOOL), 1, 20));
});
