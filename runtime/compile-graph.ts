// Reads handler modules with every local file that they import: which files there are, where each import leads, what the
// handler modules export. Nothing is written; every mistake in any of the files is found in one go.
import type { BuildFailure, Message, Metafile, Plugin } from "esbuild";
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { extname, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";

/** What Pinion gives its handlers: always the runtime that the worker runs, whatever copy their own folder has. */
export const PUBLIC_API = new URL("./index.js", import.meta.url).href;

export interface CompileError {
  file: string;
  /** 1-based; 0: of the file as a whole. */
  line: number;
  column: number;
  text: string;
}

/** Where an import leads. */
export interface Target {
  /** Absolute path of a local file, or what Node imports: a file: URL or a built-in module. */
  path: string;
  isLocal: boolean;
}

export interface LocalModule {
  path: string;
  /** CommonJS, written in JavaScript. */
  isCommonJs: boolean;
  /** Node imports it where it stands, and all that it imports: JavaScript that needs no compiler and no "pinion". */
  isPlain: boolean;
  /** By importKey(). */
  imports: Map<string, Target>;
}

export interface ModuleGraph {
  modules: Map<string, LocalModule>;
  /** Absolute paths that imports of packages lead to. */
  packages: Set<string>;
  /** By handler module: the names that it exports; null: they cannot be told without running it. */
  exports: Map<string, string[] | null>;
}

export function importKey(kind: string, specifier: string): string {
  return `${kind} ${specifier}`;
}

/** The options that reading and compiling share. */
export const COMMON = {
  absWorkingDir: sep,
  write: false,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  conditions: [] as string[], // else esbuild adds "module", which Node does not know
  metafile: true,
  logLevel: "silent",
} as const;

const JAVASCRIPT = /\.m?js$/;
const TYPESCRIPT = /\.[cm]?tsx?$/;
const RESOLVING = Symbol("resolving");
const STAR_OF_PACKAGE = /^export \* from /m;

export async function readGraph(
  entries: readonly string[],
): Promise<ModuleGraph | { errors: CompileError[] }> {
  const { build } = await import("esbuild");
  const imports = new Map<string, Map<string, Target>>(entries.map((path) => [path, new Map()]));
  const packages = new Set<string>();
  try {
    const result = await build({
      ...COMMON,
      entryPoints: [...entries],
      outdir: `${sep}out`,
      plugins: [recorder(imports, packages)],
    });
    const modules = classify(imports, result.metafile);
    const errors = assembledImports(modules, result.metafile);
    if (errors.length > 0) return { errors };
    return { modules, packages, exports: exportsOf(result, modules) };
  } catch (error) {
    const failures = (error as Partial<BuildFailure>).errors;
    if (failures === undefined) throw error;
    return { errors: failures.map((failure) => asError(failure, entries[0] ?? "")) };
  }
}

function asError({ text, location }: Message, fallback: string): CompileError {
  return {
    file: location === null ? fallback : resolve(sep, location.file),
    line: location?.line ?? 0,
    column: location === null ? 0 : location.column + 1,
    text,
  };
}

function recorder(imports: Map<string, Map<string, Target>>, packages: Set<string>): Plugin {
  return {
    name: "pinion-graph",
    setup(build) {
      build.onResolve({ filter: /.*/ }, async (request) => {
        const { path, importer, kind, resolveDir } = request;
        if (kind === "entry-point" || request.pluginData === RESOLVING) return undefined;
        const record = (target: Target): void => {
          const own = imports.get(importer) ?? new Map<string, Target>();
          imports.set(importer, own.set(importKey(kind, path), target));
        };
        const outside = (to: string): { path: string; external: true } => {
          record({ path: to, isLocal: false });
          return { path: to, external: true };
        };
        if (isBuiltin(path) || /^(file|data|https?):/.test(path)) return outside(path);
        if (path === "pinion") return outside(PUBLIC_API);
        const options = { importer, kind, resolveDir, with: request.with, pluginData: RESOLVING };
        const found = await build.resolve(path, options);
        // Left to the compiler: it has better words, and knows a require() that may fail.
        if (found.errors.length > 0) return undefined;
        if (found.external) return outside(found.path);
        const inPackage = found.path.includes(`${sep}node_modules${sep}`);
        if (inPackage && !TYPESCRIPT.test(found.path)) {
          packages.add(found.path);
          return outside(pathToFileURL(found.path).href);
        }
        record({ path: found.path, isLocal: true });
        if (!imports.has(found.path)) imports.set(found.path, new Map());
        return found;
      });
    },
  };
}

function classify(
  imports: ReadonlyMap<string, Map<string, Target>>,
  metafile: Metafile,
): Map<string, LocalModule> {
  const commonJs = new Set(
    Object.entries(metafile.inputs)
      .filter(([, { format }]) => format === "cjs")
      .map(([name]) => resolve(sep, name)),
  );
  const modules = new Map<string, LocalModule>();
  for (const [path, own] of imports) {
    const isScript = JAVASCRIPT.test(path) || extname(path) === ".cjs";
    const isCommonJs = isScript && (extname(path) === ".cjs" || commonJs.has(path));
    modules.set(path, { path, isCommonJs, isPlain: isScript, imports: own });
  }
  // Whatever imports something compiled is compiled itself, so that each module exists once.
  for (let changed = true; changed;) {
    changed = false;
    for (const module of modules.values()) {
      if (!module.isPlain || isPlainStill(module, modules)) continue;
      module.isPlain = false;
      changed = true;
    }
  }
  return modules;
}

const ASSEMBLED = /\b(?:import|require)\(\s*(?:`[^`]*\$\{|(["'])[^"'\n]*\1\s*\+)/;

// The compiler takes import(`./parts/${name}.ts`) for all files that it could mean, and would copy them into the module:
// they would exist twice. Where Node itself reads the module, it finds them itself.
function assembledImports(
  modules: ReadonlyMap<string, LocalModule>,
  { inputs }: Metafile,
): CompileError[] {
  const errors: CompileError[] = [];
  for (const [name, { imports }] of Object.entries(inputs)) {
    const file = resolve(sep, name);
    const module = modules.get(file);
    if (module === undefined || module.isPlain) continue;
    const pattern = imports.find(({ path, external }) => external === true && path.includes("*"));
    if (pattern === undefined) continue;
    const before = readFileSync(file, "utf8").split(ASSEMBLED, 1)[0] ?? "";
    errors.push({
      file,
      line: before.split("\n").length,
      column: before.length - before.lastIndexOf("\n"),
      text: `cannot tell which module is meant by an import of ${pattern.path}: name each, as in { a: () => import("./a.ts") }`,
    });
  }
  return errors;
}

function isPlainStill(module: LocalModule, modules: ReadonlyMap<string, LocalModule>): boolean {
  for (const [key, { path, isLocal }] of module.imports) {
    const specifier = key.slice(key.indexOf(" ") + 1);
    if (specifier === "pinion") return false;
    if (!isLocal) continue;
    const isRequired = key.startsWith("require-");
    if (isRequired && extname(path) === ".json") continue;
    if (modules.get(path)?.isPlain !== true) return false;
    // Node would look elsewhere, or finds it only with the compiler's help.
    if (!/^\.{0,2}\//.test(specifier)) return false;
    if (
      !isRequired &&
      new URL(specifier, pathToFileURL(module.path)).href !== pathToFileURL(path).href
    )
      return false;
  }
  return true;
}

function exportsOf(
  result: { metafile: Metafile; outputFiles: { path: string; text: string }[] },
  modules: ReadonlyMap<string, LocalModule>,
): Map<string, string[] | null> {
  const texts = new Map(result.outputFiles.map(({ path, text }) => [path, text]));
  const found = new Map<string, string[] | null>();
  for (const [name, { entryPoint, exports }] of Object.entries(result.metafile.outputs)) {
    if (entryPoint === undefined) continue;
    const path = resolve(sep, entryPoint);
    const text = texts.get(resolve(sep, name)) ?? "";
    const isHidden = modules.get(path)?.isCommonJs === true || STAR_OF_PACKAGE.test(text);
    found.set(path, isHidden ? null : exports);
  }
  return found;
}
