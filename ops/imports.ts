// Who may import whom: the table of DESIGN.md's layout, as rules over the text of the sources.
import { posix } from "node:path";

export interface Violation {
  file: string;
  line: number;
  message: string;
}

/** Files by path from the root of the repository, with what package.json declares. */
export interface Sources {
  files: ReadonlyMap<string, string>;
  dependencies: ReadonlySet<string>;
  devDependencies: ReadonlySet<string>;
}

// --- C++: native/<folder>/ may include from itself and from these ---

const NATIVE_MAY_INCLUDE: Record<string, readonly string[]> = {
  base: [],
  memory: ["base"],
  io: ["base", "memory"],
  http: ["base"],
  shard: ["base", "memory", "io", "http"],
  addon: ["base", "memory", "io", "http", "shard"],
};

// Headers that only one folder knows.
const NATIVE_OUTSIDE: readonly { header: RegExp; folders: readonly string[] }[] = [
  { header: /^(napi|node_api|js_native_api|uv|node|v8)[\w-]*\.h$/, folders: ["addon"] },
  { header: /^(liburing.*|linux\/io_uring\.h|sys\/epoll\.h)$/, folders: ["io"] },
];

function nativeViolation(
  file: string,
  header: string,
  quoted: boolean,
  sources: Sources,
): string | undefined {
  const [, top = "", below = ""] = file.split("/");
  const isTest = top === "test";
  const folder = isTest ? below : top;
  if (!quoted) {
    const owner = NATIVE_OUTSIDE.find((entry) => entry.header.test(header))?.folders;
    if (owner === undefined || owner.includes(folder)) return undefined;
    return `only native/${owner.join(", native/")} may include <${header}>`;
  }
  if (!sources.files.has(`native/${header}`)) {
    return `native/${header} does not exist; "" is for paths from native/, <> for everything else`;
  }
  const target = header.split("/")[0] ?? "";
  if (target === folder || (isTest && target === "test")) return undefined;
  if (target === "test") return "tests may include the product, not the product its tests";
  const allowed = NATIVE_MAY_INCLUDE[folder];
  if (allowed === undefined) {
    // native/test/main.cpp and the fuzzers: anything but the addon.
    if (isTest && target !== "addon") return undefined;
    return `native/${folder} is no folder of DESIGN.md's table`;
  }
  if (allowed.includes(target)) return undefined;
  const names = allowed.length === 0 ? "nothing else" : `only ${allowed.join(", ")}`;
  return `native/${folder} may include ${names}, not ${target}`;
}

// --- TypeScript ---

// What of runtime/ is its public API, and what the control plane may use of it besides types.
const PUBLIC_API = /^runtime\/index\.ts$/;
const SHARED_WITH_DAEMON =
  /^runtime\/(addon|addon-loader|compile-handlers|layout\.generated|messages|methods)\.ts$/;
// What of daemon/ is its configuration schema and its admin protocol.
const SHARED_WITH_OPS = /^daemon\/(config\/(schema|types)|admin\/protocol)\.ts$/;

interface Import {
  specifier: string;
  line: number;
  typeOnly: boolean;
}

function typescriptViolation(file: string, found: Import, sources: Sources): string | undefined {
  const { specifier, typeOnly } = found;
  const folder = topFolder(file);
  const isTest = /\.test(\.support)?\.ts$/.test(file) || file.startsWith("daemon/test/");
  if (specifier.startsWith("node:")) return undefined;
  if (!specifier.startsWith("."))
    return packageViolation(file, folder, specifier, typeOnly || isTest, sources);

  const target = posix.join(posix.dirname(file), specifier.replace(/\.js$/, ".ts"));
  const targetFolder = topFolder(target);
  if (target.startsWith("../")) return "this leads out of the repository";
  if (targetFolder === folder) return undefined;
  if (["handlers", "ops", "bench", "systemd", "native"].includes(targetFolder)) {
    return `nothing imports ${targetFolder}/; handlers are loaded by configured path`;
  }
  if (PUBLIC_API.test(target) && folder !== "daemon") return undefined;
  switch (folder) {
    case "daemon":
      // Types cost nothing at run time; a test may reach further, to drive what it tests.
      if (targetFolder === "runtime" && (typeOnly || isTest || SHARED_WITH_DAEMON.test(target)))
        return undefined;
      return "daemon/ may import runtime/'s addon loader, layout and messages, and types";
    case "ops":
      // The generator's tests look at what it has generated.
      if (SHARED_WITH_OPS.test(target) || isTest) return undefined;
      return "ops/ may import daemon/'s schema and admin protocol";
    case "handlers":
    case "bench":
      return `${folder}/ may import runtime/'s public API only: runtime/index.js`;
    case "runtime":
      return "runtime/ may import nothing but itself";
    default:
      return `${folder}/ is no folder of DESIGN.md's table`;
  }
}

function packageViolation(
  file: string,
  folder: string,
  specifier: string,
  development: boolean,
  sources: Sources,
): string | undefined {
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  // The package's own name is its public API.
  if (name === "pinion") {
    return folder === "daemon" || folder === "runtime"
      ? `${folder}/ is part of it: import the file`
      : undefined;
  }
  if (sources.dependencies.has(name)) return undefined;
  if (sources.devDependencies.has(name)) {
    if (development || folder === "ops" || folder === "bench") return undefined;
    return `${name} is a development dependency: it is not there where ${file} runs`;
  }
  return `${name} is not in package.json (Node's own modules are written node:${name})`;
}

const IMPORT =
  /^[ \t]*(?:import|export)\s+(type\b)?(?:[^"';]*?\bfrom\s*)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;

function importsOf(text: string): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => ({
    specifier: match[2] ?? match[3] ?? "",
    line: lineAt(text, match.index),
    typeOnly: match[1] !== undefined,
  }));
}

// --- both ---

const INCLUDE = /^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm;

export function findViolations(sources: Sources): Violation[] {
  const violations: Violation[] = [];
  for (const [file, text] of sources.files) {
    const add = (line: number, message: string | undefined) => {
      if (message !== undefined) violations.push({ file, line, message });
    };
    if (/\.[ch]pp$/.test(file)) {
      for (const match of text.matchAll(INCLUDE)) {
        const message = nativeViolation(file, match[2] ?? "", match[1] === '"', sources);
        add(lineAt(text, match.index), message);
      }
    } else if (file.endsWith(".ts")) {
      for (const found of importsOf(text))
        add(found.line, typescriptViolation(file, found, sources));
    }
  }
  return violations;
}

function topFolder(path: string): string {
  return path.split("/")[0] ?? "";
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
