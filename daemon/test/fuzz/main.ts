// One fuzzer for a time: ops/fuzz NAME SECONDS. PINION_SEED=n runs one seed.
import { fileURLToPath } from "node:url";
import { fuzzConfiguration } from "./configuration.js";
import { fuzzQuery, pathFuzzer } from "./query.js";
import { FuzzFailure, type Fuzzer, runSeeds } from "./random.js";

const PATH_TOOL = fileURLToPath(new URL("../../../../build/release/path_tool", import.meta.url));

const FUZZERS: Record<string, { run: Fuzzer; batch: number }> = {
  configuration: { run: fuzzConfiguration, batch: 20 },
  query: { run: fuzzQuery, batch: 1000 },
  path: { run: pathFuzzer(PATH_TOOL), batch: 2 },
};

const [name = "", seconds = "60"] = process.argv.slice(2);
const fuzzer = FUZZERS[name];
if (fuzzer === undefined) {
  console.error(`no such fuzzer: ${name}; there are ${Object.keys(FUZZERS).join(", ")}`);
  process.exit(2);
}
try {
  const only = process.env["PINION_SEED"];
  if (only !== undefined) {
    runSeeds(name, fuzzer.run, Number(only), 1);
    console.log(`${name}: seed ${only} passed`);
  } else {
    const first = Math.floor(Math.random() * 2 ** 30);
    const until = performance.now() + Number(seconds) * 1000;
    let said = performance.now();
    let seed = first;
    for (; performance.now() < until; seed += fuzzer.batch) {
      runSeeds(name, fuzzer.run, seed, fuzzer.batch);
      if (performance.now() - said < 10_000) continue;
      said = performance.now();
      console.log(`${name}: ${seed - first} seeds from ${first} on`);
    }
    console.log(`${name}: ${seed - first} seeds from ${first} on, none failed`);
  }
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error;
  console.error(`${name}: ${error.message}`);
  process.exit(1);
}
