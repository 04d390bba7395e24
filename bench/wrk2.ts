// Latencies from wrk2, where it is installed: a second opinion to the client's own.
import { execFile, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Metrics } from "./metrics.js";
import { ROUTES } from "./routes.js";
import type { Load } from "./works.js";

const run = promisify(execFile);

/** wrk2 calibrates itself for 10 s. */
const SECONDS = 15;

export interface Wrk2 {
  program: string;
}

export const WRK2_MISSING =
  "wrk2 is not installed: its columns are empty (build github.com/giltene/wrk2, and set WRK2=/path/to/wrk)";

/** $WRK2, wrk2, or a wrk that knows --rate. */
export function findWrk2(): Wrk2 | undefined {
  const candidates = [process.env["WRK2"] ?? "", "wrk2", "wrk"].filter((name) => name !== "");
  const program = candidates.find((name) => {
    const { stdout, stderr } = spawnSync(name, ["--help"], { encoding: "utf8", timeout: 5000 });
    return /--rate\b/.test(`${stdout}${stderr}`);
  });
  return program === undefined ? undefined : { program };
}

export async function latencies(
  bench: { clientCore: number; folder: string },
  { program }: Wrk2,
  load: Load,
  port: number,
): Promise<Metrics> {
  const script = join(bench.folder, `wrk2-${load.route}.lua`);
  const { lua, path } = toScript(ROUTES[load.route].request, `${script}.body`);
  writeFileSync(script, lua);
  const args = [
    ...["-c", String(bench.clientCore), program, "-t1", `-c${load.connections}`, `-d${SECONDS}s`],
    ...[`-R${load.wrk2Rate ?? 1000}`, "--latency", "-s", script, `http://127.0.0.1:${port}${path}`],
  ];
  const { stdout } = await run("taskset", args, { timeout: 4000 * SECONDS });
  if (/Non-2xx/.test(stdout)) throw new Error(`wrk2 was refused:\n${stdout}`);
  return { wrk2P50: parseLatency(stdout, "50.000"), wrk2P99: parseLatency(stdout, "99.000") };
}

/** The same request, as wrk2 wants it: method, fields and body in Lua. */
export function toScript(request: Buffer, bodyFile: string): { lua: string; path: string } {
  const end = request.indexOf("\r\n\r\n");
  const [first = "", ...fields] = request.toString("latin1", 0, end).split("\r\n");
  const [method = "", path = ""] = first.split(" ");
  const lines = [`wrk.method = ${JSON.stringify(method)}`];
  for (const field of fields) {
    const colon = field.indexOf(":");
    const name = JSON.stringify(field.slice(0, colon));
    if (name === '"Content-Length"') continue;
    lines.push(`wrk.headers[${name}] = ${JSON.stringify(field.slice(colon + 1).trim())}`);
  }
  const body = request.subarray(end + 4);
  if (body.length > 0) {
    writeFileSync(bodyFile, body);
    lines.push(`wrk.body = io.open(${JSON.stringify(bodyFile)}, "rb"):read("*a")`);
  }
  return { lua: `${lines.join("\n")}\n`, path };
}

const UNITS: Record<string, number> = { us: 1, ms: 1000, s: 1_000_000, m: 60_000_000 };

/** Microseconds from a line such as " 99.000%    1.23ms". */
export function parseLatency(output: string, percent: string): number {
  const pattern = new RegExp(`^ *${percent.replace(".", "\\.")}% +([\\d.]+)(us|ms|s|m)$`, "m");
  const match = pattern.exec(output);
  return match === null ? NaN : Number(match[1]) * (UNITS[match[2] ?? ""] ?? NaN);
}
