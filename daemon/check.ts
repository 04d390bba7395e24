// `pinion check` and `pinion routes`: what `serve` would do, without opening anything.
import type { Addon } from "../runtime/addon.js";
import { loadConfig } from "./config/load.js";
import type { RouteConfig } from "./config/types.js";
import { compileModules } from "./modules.js";
import { describeMethods, planRoutes } from "./routes.js";

/** Throws with everything that is wrong; else one line to print. */
export async function check(addon: Pick<Addon, "checkPattern">, file: string): Promise<string> {
  const loaded = loadConfig(file, (pattern) => addon.checkPattern(pattern));
  const { handlers } = planRoutes(loaded, (await compileModules(loaded)).byName);
  const { routes } = loaded.config;
  return `${file}: valid, ${count(routes.length, "route")}, ${count(handlers.length, "handler")}`;
}

/** The table of routes. */
export async function listRoutes(
  addon: Pick<Addon, "checkPattern">,
  file: string,
): Promise<string> {
  const loaded = loadConfig(file, (pattern) => addon.checkPattern(pattern));
  const { byName: modules } = await compileModules(loaded);
  planRoutes(loaded, modules);
  const { routes, health } = loaded.config;
  const rows = routes.map((route) => [
    route.path,
    describeMethods(route, modules),
    describeAnswer(route),
  ]);
  if (health.enabled)
    rows.push(
      [health.live, "GET HEAD", "health: live"],
      [health.ready, "GET HEAD", "health: ready"],
    );
  return renderTable([["PATTERN", "METHODS", "ANSWER"], ...rows]);
}

function describeAnswer(route: RouteConfig): string {
  if (route.handler !== undefined) return route.handler;
  const { status = 200, type, body = "" } = route.respond ?? {};
  return `${status}, ${count(Buffer.byteLength(body), "byte")}${type === undefined ? "" : ` of ${type}`}`;
}

function renderTable(rows: string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
