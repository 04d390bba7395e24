// The process that `pinion serve` reads its configuration in: writes the plan to descriptor 3, mistakes to standard error.
import { writeFileSync } from "node:fs";
import { loadAddon } from "../runtime/addon-loader.js";
import { reportFailure } from "./failure.js";
import { makePlan } from "./plan.js";

const PLAN_PIPE = 3;

try {
  writeFileSync(PLAN_PIPE, await makePlan(loadAddon(), process.argv[2] ?? ""));
} catch (error) {
  process.exitCode = reportFailure(error);
}
