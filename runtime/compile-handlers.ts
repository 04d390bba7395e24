// Compiles handler modules, so that Node can import them: each with the local files that it imports into one ES module in a
// cache. Packages stay outside and are named by the URL that they resolve to, so that the cache may lie anywhere.
import type { BuildFailure, Plugin } from "esbuild";
import { accessSync, constants, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, extname, join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "./addon-loader.js";
import { CompileCache, type Manifest } from "./compile-cache.js";

export interface CompileError {
  file: string;
  /** 1-based; 0: of the file as a whole. */
  line: number;
  column: number;
  text: string;
}

export interface CompileResult {
  /** file: URL to import, by the path that was given. */
  urls: Map<string, string>;
  errors: CompileError[];
}

/** What Node imports as it is. */
const PLAIN = new Set([".js", ".mjs", ".cjs"]);

/**
 * Compiles what has to be compiled of the files (absolute paths). What is in the cache is only read and compared: then
 * the compiler is not even loaded. `cacheDirectory` is created if it is missing; if it cannot be written to, a folder
 * of this user's under the system's temporary one is used.
 */
export function compileHandlers(
  files: readonly string[],
  cacheDirectory: string,
): Promise<CompileResult> {
  const result = running.then(() => compileAll(files, cacheDirectory));
  running = result.catch(() => undefined);
  return result;
}

// One after the other: the compiler is one process, and whoever ends it must be its last user.
let running: Promise<unknown> = Promise.resolve();

async function compileAll(
  files: readonly string[],
  cacheDirectory: string,
): Promise<CompileResult> {
  const urls = new Map<string, string>();
  const errors: CompileError[] = [];
  const cache = new CompileCache(cacheDirectory, compilerVersion());
  let compiled = false;
  for (const file of new Set(files)) {
    try {
      accessSync(file, constants.R_OK);
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      const text = missing ? "no such file" : `cannot be read: ${(error as Error).message}`;
      errors.push({ file, line: 0, column: 0, text });
      continue;
    }
    if (PLAIN.has(extname(file))) {
      urls.set(file, pathToFileURL(file).href);
      continue;
    }
    let output = cache.find(file);
    if (output === null) {
      compiled = true;
      const result = await compile(file);
      if ("errors" in result) {
        errors.push(...result.errors);
        continue;
      }
      output = cache.store(file, result.code, result.manifest);
    }
    urls.set(file, pathToFileURL(output).href);
  }
  if (compiled) await (await import("esbuild")).stop(); // its process would stay
  return { urls, errors };
}

function compilerVersion(): string {
  const manifest = readFileSync(join(packageRoot(), "package.json"), "utf8");
  const { dependencies } = JSON.parse(manifest) as { dependencies?: { esbuild?: string } };
  return dependencies?.esbuild ?? "";
}

type Compiled = { code: Uint8Array; manifest: Manifest } | { errors: CompileError[] };

async function compile(file: string): Promise<Compiled> {
  const { build } = await import("esbuild");
  const directory = dirname(file);
  const externals = new Set<string>();
  try {
    const result = await build({
      entryPoints: [file],
      absWorkingDir: directory,
      outfile: "handler.mjs",
      write: false,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      sourcemap: "inline",
      sourcesContent: false,
      metafile: true,
      logLevel: "silent",
      plugins: [handlerPlugin(externals)],
    });
    const inputs = Object.keys(result.metafile.inputs).map((input) => resolve(directory, input));
    const settings = nearest(directory, "tsconfig.json");
    if (settings !== null) inputs.push(settings);
    const code = result.outputFiles[0]?.contents ?? new Uint8Array();
    return { code, manifest: { inputs, externals: [...externals] } };
  } catch (error) {
    const failures = (error as Partial<BuildFailure>).errors;
    if (failures === undefined) throw error;
    return {
      errors: failures.map(({ text, location }) => ({
        file: location === null ? file : resolve(directory, location.file),
        line: location?.line ?? 0,
        column: location === null ? 0 : location.column + 1,
        text,
      })),
    };
  }
}

function nearest(directory: string, name: string): string | null {
  for (let folder = directory; ; folder = dirname(folder)) {
    try {
      accessSync(join(folder, name));
      return join(folder, name);
    } catch {
      if (dirname(folder) === folder) return null;
    }
  }
}

const RESOLVING = Symbol("resolving");
const SCRIPT = /\.[cm]?[jt]sx?$/;
const TYPESCRIPT = /\.[cm]?tsx?$/;
const PUBLIC_API = new URL("./index.js", import.meta.url).href;

function handlerPlugin(externals: Set<string>): Plugin {
  return {
    name: "pinion-handler",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async (request) => {
        if (request.kind === "entry-point" || request.pluginData === RESOLVING) return undefined;
        if (isBuiltin(request.path)) return { path: request.path, external: true };
        // Always the runtime that the worker runs, whatever copy the handler's own folder has.
        if (request.path === "pinion") return { path: PUBLIC_API, external: true };
        if (/^(file|data|https?):/.test(request.path))
          return { path: request.path, external: true };
        const { importer, kind, resolveDir } = request;
        const found = await build.resolve(request.path, {
          importer,
          kind,
          resolveDir,
          pluginData: RESOLVING,
        });
        if (found.errors.length > 0) return { errors: found.errors };
        const inPackage = found.path.includes(`${sep}node_modules${sep}`);
        if (!inPackage || TYPESCRIPT.test(found.path)) return found;
        externals.add(found.path);
        return { path: pathToFileURL(found.path).href, external: true };
      });
      // What a module finds beside itself is beside its source, not beside the cache.
      build.onLoad({ filter: SCRIPT }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        if (!source.includes("import.meta.")) return undefined;
        const values: Record<string, string> = {
          url: pathToFileURL(path).href,
          filename: path,
          dirname: dirname(path),
        };
        const contents = source.replace(
          /\bimport\.meta\.(url|filename|dirname)\b/g,
          (_, name: string) => JSON.stringify(values[name]),
        );
        const loader = extname(path).replace(/^\.[cm]?/, "") as "ts" | "tsx" | "js" | "jsx";
        return { contents, loader };
      });
    },
  };
}
