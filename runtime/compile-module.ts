// Compiles one local file to one ES module: what it imports stays outside, so that every file is one module, in the order
// and with the identity that JavaScript gives it.
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { hash } from "./compile-cache.js";
import { COMMON, importKey, type LocalModule, type ModuleGraph } from "./compile-graph.js";

export interface CompiledModule {
  path: string;
  code: string;
  map: string;
  exports: string[];
}

/** Name of the file that a source file is compiled to; the same in a URL. */
export function outputName(path: string): string {
  return `${basename(path, extname(path)).replace(/[^\w.-]/g, "_")}-${hash(path)}.mjs`;
}

/** `folder`: where the compiled modules are going to lie, side by side. */
export async function compileModule(
  module: LocalModule,
  graph: ModuleGraph,
  folder: string,
): Promise<CompiledModule> {
  const { build } = await import("esbuild");
  const { path } = module;
  const url = pathToFileURL(path).href;
  const output = join(dirname(path), outputName(path));
  const result = await build({
    ...COMMON,
    entryPoints: [path],
    outfile: output,
    sourcemap: "external",
    sourcesContent: false,
    define: {
      "import.meta.url": JSON.stringify(url),
      "import.meta.filename": JSON.stringify(path),
      "import.meta.dirname": JSON.stringify(dirname(path)),
    },
    ...(requires(module) ? { banner: { js: commonJsNames(path) } } : {}),
    plugins: [
      {
        name: "pinion-module",
        setup(build) {
          build.onResolve({ filter: /.*/ }, ({ kind, path: specifier }) => {
            if (kind === "entry-point") return undefined;
            const external = specifierFor(kind, specifier, module, graph, folder);
            return external === undefined ? undefined : { path: external, external: true };
          });
        },
      },
    ],
  });
  const text = (ending: string): string =>
    result.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  return {
    path,
    code: withoutAttributes(text(".mjs")),
    map: absoluteMap(text(".map"), output),
    exports:
      Object.values(result.metafile.outputs).find(({ entryPoint }) => entryPoint)?.exports ?? [],
  };
}

function requires({ isCommonJs, imports }: LocalModule): boolean {
  return isCommonJs || [...imports.keys()].some((key) => key.startsWith("require-"));
}

// What CommonJS has and an ES module has not. In one line: the lines below are shifted, and the map knows.
function commonJsNames(path: string): string {
  const file = JSON.stringify(path);
  const directory = JSON.stringify(dirname(path));
  return (
    `import { createRequire as createPinionRequire } from "node:module"; ` +
    `const require = createPinionRequire(${file}), __filename = ${file}, __dirname = ${directory};`
  );
}

function specifierFor(
  kind: string,
  specifier: string,
  module: LocalModule,
  graph: ModuleGraph,
  folder: string,
): string | undefined {
  const target = module.imports.get(importKey(kind, specifier));
  if (target === undefined) return undefined;
  const isRequire = kind.startsWith("require-");
  if (!target.isLocal) {
    return isRequire && target.path.startsWith("file:") ? fileURLToPath(target.path) : target.path;
  }
  const staysThere =
    graph.modules.get(target.path)?.isPlain === true || extname(target.path) === ".json";
  if (isRequire) return staysThere ? target.path : join(folder, outputName(target.path));
  if (graph.modules.get(target.path)?.isPlain === true) return pathToFileURL(target.path).href;
  return `./${outputName(target.path)}`;
}

// JSON becomes a module too: what says that it is JSON has to go. The columns behind it stay where they are.
const ATTRIBUTES = /("\.\/[^"\n]*-[0-9a-f]{20}\.mjs")(,? (?:\{ )?with(?:: |\s)\{[^}]*\}(?: \})?)/g;

function withoutAttributes(code: string): string {
  return code.replace(
    ATTRIBUTES,
    (_, name: string, attributes: string) => name + attributes.replace(/[^\n]/g, " "),
  );
}

/** The source map with absolute URLs: the module lies far from its source. */
function absoluteMap(text: string, output: string): string {
  const map = JSON.parse(text) as { sources: string[] };
  const sources = map.sources.map((source) => pathToFileURL(resolve(dirname(output), source)).href);
  return JSON.stringify({ ...map, sources });
}

const COMMON_JS_EXPORT = /^export default (require_[\w$]+)\(\);$/m;
const NAMED = /^(?:import|export) ([^"';]*?)\s*from "\.\/([^"\n]*-[0-9a-f]{20}\.mjs)"/gm;

/**
 * The text of each compiled module, by the name of its file.
 *
 * A file that passes on a type by name (`export { T } from "./types.js"`) asks its neighbour for something that is not
 * there at run time, and only whoever reads all files can tell. Reading the graph has refused what is really missing, so
 * such a name is given: as undefined, which nobody reads.
 */
export function linkModules(compiled: readonly CompiledModule[]): Map<string, string> {
  const byName = new Map(compiled.map((module) => [outputName(module.path), module]));
  const wanted = new Map<string, Set<string>>();
  for (const { code } of compiled) {
    for (const [, clause = "", name = ""] of code.matchAll(NAMED)) {
      const names = wanted.get(name) ?? new Set();
      wanted.set(name, names);
      for (const item of /\{([^}]*)\}/.exec(clause)?.[1]?.split(",") ?? []) {
        const asked = item.trim().split(/\s+as\s+/)[0] ?? "";
        if (asked !== "") names.add(asked);
      }
    }
  }
  return new Map(
    [...byName].map(([name, module]) => {
      const offered = exportedNames(module, byName);
      const missing =
        offered === null ? [] : [...(wanted.get(name) ?? [])].filter((each) => !offered.has(each));
      return [name, finish(module, missing)];
    }),
  );
}

// Null: something is passed on from outside, and one cannot tell.
function exportedNames(
  module: CompiledModule,
  byName: ReadonlyMap<string, CompiledModule>,
  seen = new Set<CompiledModule>(),
): Set<string> | null {
  const names = new Set(module.exports);
  seen.add(module);
  for (const [, from = ""] of module.code.matchAll(/^export \* from "([^"\n]*)"/gm)) {
    const other = byName.get(from.slice(2));
    if (other === undefined) return null;
    if (seen.has(other)) continue;
    const passed = exportedNames(other, byName, seen);
    if (passed === null) return null;
    passed.forEach((name) => names.add(name));
  }
  return names;
}

function finish({ code, map }: CompiledModule, missing: readonly string[]): string {
  const isCommonJs = COMMON_JS_EXPORT.test(code);
  const own = code.replace(
    COMMON_JS_EXPORT,
    `var pinion_exports = $1();\nexport { pinion_exports as default, pinion_exports as "module.exports" };`,
  );
  const given = missing.map((name, index) =>
    isCommonJs
      ? `var pinion_name${index} = pinion_exports[${JSON.stringify(name)}];\nexport { pinion_name${index} as ${name} };\n`
      : `var pinion_name${index};\nexport { pinion_name${index} as ${name} };\n`,
  );
  const comment = `//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}`;
  return `${own}${given.join("")}${comment}\n`;
}
