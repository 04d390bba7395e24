// Makes the handler modules ready to be imported, before a socket opens.
import { accessSync, constants, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { CompileError, HandlerFile } from "../runtime/compile-handlers.js";
import type { LoadedConfig } from "./config/load.js";
import { formatProblem } from "./config/problem.js";

export interface HandlerModules {
  /** By the `handler` values of the configuration. */
  byName: ReadonlyMap<string, HandlerFile>;
  /** Where the compiled modules lie, for keepCompiled(); undefined: there are none. */
  folder: string | undefined;
}

export class CompileFailure extends Error {
  override name = "CompileFailure";
  readonly code = "PINION_CONFIG";
}

/** Throws with every mistake in any of the modules. */
export async function compileModules(loaded: LoadedConfig): Promise<HandlerModules> {
  const { config } = loaded;
  const names = new Set(config.routes.flatMap((route) => route.handler ?? []));
  if (names.size === 0) return { byName: new Map(), folder: undefined };
  const { compileHandlers } = await import("../runtime/compile-handlers.js");
  const paths = new Map([...names].map((name) => [name, realPath(resolve(config.folder, name))]));
  const cache = config.cache === undefined ? cacheFolder() : ownCache(config.cache, loaded);
  const { modules, folder, errors } = await compileHandlers([...paths.values()], cache);
  if (errors.length > 0) throw new CompileFailure(errors.map(describe).join("\n"));
  const byName = new Map<string, HandlerFile>();
  for (const [name, path] of paths) {
    const module = modules.get(path);
    if (module !== undefined) byName.set(name, module);
  }
  return { byName, folder };
}

// As the modules that import each other name themselves.
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // the compiler says why
  }
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

/** What the configuration names is used, or refused. */
function ownCache(folder: string, { document, name, source }: LoadedConfig): string {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return folder;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = `cache is ${folder}, which this user cannot write to (${code}); make it a folder that this user owns, or choose another`;
    const offset = document.valueOffset(["cache"]);
    throw new CompileFailure(
      formatProblem({ code: "config/cache", message, offset }, name, source),
    );
  }
}
