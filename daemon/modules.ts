// Makes the handler modules ready to be imported, before a socket opens.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { CompileError } from "../runtime/compile-handlers.js";
import type { Method } from "../runtime/methods.js";
import type { LoadedConfig } from "./config/load.js";
import { formatProblem } from "./config/problem.js";
import { exportedMethods } from "./module-exports.js";

/** A handler module, ready to be imported. */
export interface HandlerModule {
  url: string;
  methods: readonly Method[] | undefined;
}

export class CompileFailure extends Error {
  override name = "CompileFailure";
  readonly code = "PINION_CONFIG";
}

/** The modules by the `handler` values of the configuration. Throws with every mistake in any of them. */
export async function compileModules({
  config,
}: LoadedConfig): Promise<Map<string, HandlerModule>> {
  const names = new Set(config.routes.flatMap((route) => route.handler ?? []));
  if (names.size === 0) return new Map();
  const { compileHandlers } = await import("../runtime/compile-handlers.js");
  const paths = new Map([...names].map((name) => [name, resolve(config.folder, name)]));
  const { urls, errors } = await compileHandlers([...new Set(paths.values())], cacheFolder());
  if (errors.length > 0) throw new CompileFailure(errors.map(describe).join("\n"));
  return new Map(
    [...paths].map(([name, path]) => {
      const url = urls.get(path) ?? "";
      return [name, { url, methods: exportedMethods(readFileSync(fileURLToPath(url), "utf8")) }];
    }),
  );
}

function describe({ file, line, column, text }: CompileError): string {
  const name = relative(process.cwd(), file);
  if (line === 0) return formatProblem({ code: "handler/compile", message: text }, name, "");
  const source = readFileSync(file, "utf8");
  const start = source
    .split("\n")
    .slice(0, line - 1)
    .reduce((length, before) => length + before.length + 1, 0);
  return formatProblem(
    { code: "handler/compile", message: text, offset: start + Math.max(0, column - 1) },
    name,
    source,
  );
}

/** Where compiled handlers are kept: systemd's CacheDirectory, else the user's cache. */
function cacheFolder(): string {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env;
  if (CACHE_DIRECTORY !== undefined && CACHE_DIRECTORY !== "")
    return join(CACHE_DIRECTORY.split(":")[0] ?? "", "handlers");
  return join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "pinion");
}
