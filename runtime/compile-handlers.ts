// Makes handler modules ready to be imported by Node: each TypeScript file that they consist of becomes one ES module in a
// cache. JavaScript stays where it is, unless it needs what is compiled. Packages stay outside and are named by the URL
// that they resolve to, so that the cache may lie anywhere.
import { accessSync, constants, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "./addon-loader.js";
import { CompileCache, type Compiled, hashOf, type Inputs } from "./compile-cache.js";
import {
  type CompileError,
  type LocalModule,
  type ModuleGraph,
  PUBLIC_API,
  readGraph,
} from "./compile-graph.js";
import { compileModule, linkModules, outputName } from "./compile-module.js";

export { keepCompiled } from "./compile-cache.js";
export type { CompileError } from "./compile-graph.js";

export interface HandlerFile {
  /** file: URL to import. */
  url: string;
  /** Names that it exports; null: they cannot be told without running it. */
  exports: string[] | null;
}

export interface CompileResult {
  /** By the path that was given; empty if there are errors. */
  modules: Map<string, HandlerFile>;
  /** Where the compiled modules lie, for keepCompiled(). */
  folder: string;
  errors: CompileError[];
}

/**
 * Compiles what has to be compiled of the files (absolute paths). What is in the cache is only read and compared: then
 * the compiler is not even loaded. `cacheDirectory` is created if it is missing; if it cannot be written to, a folder
 * of this user's under the system's temporary one is used.
 */
export function compileHandlers(
  files: readonly string[],
  cacheDirectory: string,
): Promise<CompileResult> {
  const result = running.then(() => compileAll([...new Set(files)].sort(), cacheDirectory));
  running = result.catch(() => undefined);
  return result;
}

// One after the other: the compiler is one process, and whoever ends it must be its last user.
let running: Promise<unknown> = Promise.resolve();

async function compileAll(
  files: readonly string[],
  cacheDirectory: string,
): Promise<CompileResult> {
  const unreadable = files.flatMap(whyUnreadable);
  const readable = files.filter((file) => !unreadable.some((error) => error.file === file));
  const cache = new CompileCache(cacheDirectory, version());
  if (unreadable.length === 0) {
    const found = cache.find(files);
    if (found !== null) return resultOf(found);
  }
  try {
    const graph = await readGraph(readable);
    const errors = [...unreadable, ...("errors" in graph ? graph.errors : [])];
    if ("errors" in graph || errors.length > 0) {
      return { modules: new Map(), folder: "", errors: errors.sort(byPlace) };
    }
    return resultOf(await compileGraph(files, graph, cache));
  } finally {
    await (await import("esbuild")).stop(); // its process would stay
  }
}

function resultOf({ modules, folder }: Compiled): CompileResult {
  return { modules: new Map(modules), folder, errors: [] };
}

function whyUnreadable(file: string): CompileError[] {
  try {
    accessSync(file, constants.R_OK);
    return [];
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const text = missing ? "no such file" : `cannot be read: ${(error as Error).message}`;
    return [{ file, line: 0, column: 0, text }];
  }
}

function byPlace(left: CompileError, right: CompileError): number {
  return (
    left.file.localeCompare(right.file) || left.line - right.line || left.column - right.column
  );
}

async function compileGraph(
  files: readonly string[],
  graph: ModuleGraph,
  cache: CompileCache,
): Promise<Compiled> {
  const sourcePaths = [...graph.modules.keys()];
  const settings = settingsOf(sourcePaths);
  const inputs: Inputs = {
    files: [...sourcePaths, ...settings.found].map((path) => [path, hashOf(path)]),
    packages: [...graph.packages],
    missing: settings.missing,
  };
  const folder = cache.folder(files, inputs);
  const sources = compiledModules(files, graph);
  const compiled = await Promise.all(sources.map((source) => compileModule(source, graph, folder)));
  const outputs = linkModules(compiled);
  const modules = files.map((file): Compiled["modules"][number] => {
    const isPlain = graph.modules.get(file)?.isPlain === true;
    const path = isPlain ? file : join(folder, outputName(file));
    return [file, { url: pathToFileURL(path).href, exports: graph.exports.get(file) ?? null }];
  });
  cache.store(files, inputs, { modules, folder }, outputs);
  return { modules, folder, outputs: [...outputs.keys()] };
}

// Those that only Node's own loader reaches, through CommonJS, are not compiled.
function compiledModules(files: readonly string[], { modules }: ModuleGraph): LocalModule[] {
  const found = new Set<LocalModule>();
  const visit = (path: string): void => {
    const module = modules.get(path);
    if (module === undefined || module.isPlain || found.has(module)) return;
    found.add(module);
    for (const target of module.imports.values()) if (target.isLocal) visit(target.path);
  };
  files.forEach(visit);
  return [...found];
}

/** All that decides on the output beside the sources. */
function version(): string {
  const manifest = readFileSync(join(packageRoot(), "package.json"), "utf8");
  const { version, dependencies } = JSON.parse(manifest) as {
    version?: string;
    dependencies?: { esbuild?: string };
  };
  return [FORMAT, version, dependencies?.esbuild, PUBLIC_API].join(" ");
}

/** To be raised when the outputs of the same compiler change. */
const FORMAT = 3;

/**
 * The package.json and tsconfig.json files, with what these extend, that say how the files are read; and where none is, but
 * one would count instead of these.
 */
function settingsOf(files: readonly string[]): { found: string[]; missing: string[] } {
  const found = new Set<string>();
  const missing = new Set<string>();
  for (const directory of new Set(files.map((file) => dirname(file)))) {
    for (const name of ["package.json", "tsconfig.json"]) {
      const file = nearest(directory, name, missing);
      if (file !== null) addWithBases(file, found);
    }
  }
  return { found: [...found], missing: [...missing] };
}

function addWithBases(file: string, found: Set<string>): void {
  if (found.has(file)) return;
  found.add(file);
  if (file.endsWith("package.json")) return;
  const [, value = ""] =
    /"extends"\s*:\s*("[^"]*"|\[[^\]]*\])/.exec(readFileSync(file, "utf8")) ?? [];
  for (const [, base = ""] of value.matchAll(/"([^"]+)"/g)) {
    const path = baseOf(base, file);
    if (path !== null) addWithBases(path, found);
  }
}

function baseOf(base: string, file: string): string | null {
  try {
    if (!/^\.{0,2}\//.test(base)) return createRequire(file).resolve(base);
    const path = resolve(dirname(file), base);
    const withEnding = extname(path) === ".json" ? path : `${path}.json`;
    accessSync(withEnding);
    return withEnding;
  } catch {
    return null;
  }
}

function nearest(directory: string, name: string, missing: Set<string>): string | null {
  for (let folder = directory; ; folder = dirname(folder)) {
    const file = join(folder, name);
    try {
      accessSync(file);
      return file;
    } catch {
      missing.add(file);
      if (dirname(folder) === folder) return null;
    }
  }
}
