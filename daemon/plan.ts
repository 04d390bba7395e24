// What is to be served, found out in a process of its own: reading YAML and compiling TypeScript leaves some 6 MB
// behind (72 against 66 MB resident with one shard), a first compilation more, that the daemon would keep for its whole life.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { deserialize, serialize } from "node:v8";
import type { Addon } from "../runtime/addon.js";
import type { Config } from "./config/types.js";
import { PlanRefused } from "./failure.js";
import type { RoutePlan } from "./routes.js";

export interface Plan {
  config: Config;
  routes: RoutePlan;
  /** Where the compiled handlers lie; undefined: there are none. */
  compiled: string | undefined;
}

const CHILD = fileURLToPath(new URL("./plan-child.js", import.meta.url));
const PLAN_PIPE = 3;
const LARGEST_PLAN_BYTES = 64 * 1024 * 1024;

/** Reads and checks the configuration and compiles its handlers, in a child process. */
export function planInChild(file: string): Plan {
  const child = spawnSync(process.execPath, [...process.execArgv, CHILD, file], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    maxBuffer: LARGEST_PLAN_BYTES,
  });
  if (child.error !== undefined) throw child.error;
  if (child.status === null) throw new Error(`reading the configuration ended by ${child.signal}`);
  if (child.status !== 0) throw new PlanRefused(child.status);
  return deserialize(child.output[PLAN_PIPE] as unknown as Buffer) as Plan;
}

/** The child's part: throws with everything that is wrong. */
export async function makePlan(
  addon: Pick<Addon, "checkPattern">,
  file: string,
): Promise<Uint8Array> {
  const { loadConfig } = await import("./config/load.js");
  const { compileModules } = await import("./modules.js");
  const { planRoutes } = await import("./routes.js");
  const loaded = loadConfig(file, (pattern) => addon.checkPattern(pattern));
  const { byName, folder } = await compileModules(loaded);
  const routes = planRoutes(loaded, byName);
  return serialize({ config: loaded.config, routes, compiled: folder } satisfies Plan);
}
