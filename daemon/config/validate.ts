// Holds data against the schema, and says in plain words what does not fit.
import { isIPv6 } from "node:net";
import type { ConfigDocument, Path } from "./document.js";
import { nearestModules, type NearestModule } from "./missing-module.js";
import type { Problem } from "./problem.js";
import { root, type SchemaNode } from "./resolve.js";
import { didYouMean } from "./suggest.js";
import { parseDuration, parseSize } from "./units.js";
import { validate } from "./validate.generated.js";

/** What the generated validator says of one mismatch; a subset of Ajv's error object. */
export interface Mismatch {
  instancePath: string;
  schemaPath: string;
  keyword: string;
  params: Record<string, unknown>;
}

/**
 * Problems of the data's shape, and the data without what they refuse, so that the rest can be checked too.
 * A refused item of a list is left as `undefined`, which keeps the places of the others.
 */
export function validateShape(
  document: ConfigDocument,
  folder: string,
): { value: unknown; problems: Problem[] } {
  const value: unknown = structuredClone(document.value) ?? {};
  const mismatches: Mismatch[] = validate(value) ? [] : (validate.errors ?? []);
  const nearestTo = nearestModules(folder);
  const problems = new Map<string, Problem>();
  const refused: Path[] = [];
  for (const mismatch of mismatches) {
    const path = parsePointer(mismatch.instancePath);
    const { problem, at } = describe(mismatch, path, { document, nearestTo, value });
    const key = `${problem.offset} ${problem.code}`;
    if (!problems.has(key)) problems.set(key, problem);
    refused.push(at);
  }
  refused.sort((left, right) => right.length - left.length).forEach((path) => remove(value, path));
  return {
    value: typeof value === "object" && value !== null && !Array.isArray(value) ? value : {},
    problems: [...problems.values()],
  };
}

interface Described {
  document: ConfigDocument;
  nearestTo: NearestModule;
  value: unknown;
}

function describe(
  mismatch: Mismatch,
  path: Path,
  { document, nearestTo, value }: Described,
): { problem: Problem; at: Path } {
  const node = schemaAt(mismatch.schemaPath);
  const offset = document.valueOffset(path);
  const name = path.length === 0 ? "the configuration" : nameOf(path);
  const given = dig(value, path);
  switch (mismatch.keyword) {
    case "additionalProperties": {
      const key = String(mismatch.params["additionalProperty"]);
      const at = [...path, key];
      const keys = Object.keys(node.properties ?? {});
      const hint = didYouMean(key, keys) || `; the keys here are ${keys.join(", ")}`;
      const message = `unknown key ${JSON.stringify(key)}${hint}`;
      return {
        problem: { code: "config/unknown-key", message, offset: document.keyOffset(at) },
        at,
      };
    }
    case "required": {
      const message = `${name} needs the key ${JSON.stringify(mismatch.params["missingProperty"])}`;
      return { problem: { code: "config/missing-key", message, offset }, at: path };
    }
    case "enum": {
      const allowed = node.enum ?? [];
      const hint = typeof given === "string" ? didYouMean(given, allowed) : "";
      const message = `${name} must be ${orList(allowed)}, not ${show(given)}${hint}`;
      return { problem: { code: "config/wrong-value", message, offset }, at: path };
    }
    default: {
      const wrongType = mismatch.keyword === "type";
      const message = `${name} must be ${expectation(node, mismatch.keyword)}, not ${show(given)}${hintFor(node, path, given, nearestTo)}`;
      return {
        problem: { code: wrongType ? "config/wrong-type" : "config/wrong-value", message, offset },
        at: path,
      };
    }
  }
}

function expectation(node: SchemaNode, keyword: string): string {
  if (node.unit === "size") return "a size such as 16KiB, 1MiB, 10MB or 4096";
  if (node.unit === "duration") return "a duration such as 500ms, 10s, 2m or 1h";
  const types = [node.type ?? []].flat();
  const words = types.map((type) => {
    if (type === "integer") return `a whole number from ${node.minimum ?? 0} to ${node.maximum}`;
    if (type === "string" && node.pattern === "^auto$") return '"auto"';
    if (type === "string" && keyword === "pattern")
      return PATTERNS[node.pattern ?? ""] ?? `text that matches ${node.pattern}`;
    if (type === "array")
      return node.minItems === 1
        ? "a list with at least one item"
        : `a list${node.maxItems ? ` of at most ${node.maxItems}` : ""}`;
    return { string: "text", boolean: "true or false", object: "a map of keys" }[type] ?? type;
  });
  return orList(words) || "something else";
}

// What the schema's patterns mean, in words; a test sees to it that each has some.
export const PATTERNS: Record<string, string> = {
  "\\.(ts|mts|js|mjs)$": "the path of a .ts, .mts, .js or .mjs module",
  ".": "a path",
  "^0?[0-7]{3}$": 'octal permissions such as "0660"',
};

function hintFor(node: SchemaNode, path: Path, given: unknown, nearestTo: NearestModule): string {
  if (node.unit !== undefined) return unitHint(node, given);
  const isAddress =
    typeof path.at(-1) === "number" || path.length === 1 || path.at(-1) === "address";
  if (path[0] === "listen" && isAddress) return listenHint(given);
  if (path.at(-1) === "handler" && typeof given === "string") return handlerHint(given, nearestTo);
  return countHint(node, given) || keyHint(node, given);
}

const FACTORS: Record<string, number> = { "": 1, k: 1000, m: 1_000_000 };

// `10K`, `10_000` or `"10"` where a whole number was meant.
function countHint(node: SchemaNode, given: unknown): string {
  if (![node.type ?? []].flat().includes("integer") || typeof given !== "string") return "";
  const [, digits = "", unit = ""] =
    /^([0-9]+(?:\.[0-9]+|(?:[_, ][0-9]{3})+)?) ?([kKmM]?)$/.exec(given) ?? [];
  if (digits === "") return "";
  const value = Number(digits.replace(/[_, ]/g, "")) * (FACTORS[unit.toLowerCase()] ?? 1);
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = node;
  const isAllowed = Number.isInteger(value) && value >= minimum && value <= maximum;
  return isAllowed ? ` (did you mean ${value}?)` : "";
}

function unitHint(node: SchemaNode, given: unknown): string {
  const meant = unitMeant(node, given);
  if (meant === undefined) return "";
  const value = node.unit === "size" ? parseSize(meant) : parseDuration(meant);
  const { least = 0, most = Number.MAX_SAFE_INTEGER } = node;
  const isAllowed = value !== undefined && value >= least && value <= most;
  return isAllowed ? ` (did you mean ${meant}?)` : "";
}

function unitMeant(node: SchemaNode, given: unknown): string | undefined {
  if (node.unit === "duration" && typeof given === "number") return `${given}s`;
  if (typeof given !== "string") return undefined;
  const units =
    node.unit === "size" ? ["B", "kB", "MB", "GB", "KiB", "MiB", "GiB"] : ["ms", "s", "m", "h"];
  const [, number, unit] = /^\s*([0-9.]+)\s*([A-Za-z]+)\s*$/.exec(given) ?? [];
  if (number === undefined || unit === undefined) return undefined;
  const short = unit.toLowerCase();
  const meant =
    units.find((candidate) => candidate.toLowerCase() === short) ??
    units.find(
      (candidate) => candidate.toLowerCase().startsWith(short[0] ?? "") && candidate.length === 3,
    ) ??
    units.find((candidate) => candidate.startsWith(short[0] ?? ""));
  return meant === undefined ? undefined : `${number}${meant}`;
}

function listenHint(given: unknown): string {
  if (typeof given === "number" && Number.isInteger(given) && given >= 0)
    return ` (did you mean ":${given}", or "127.0.0.1:${given}"?)`;
  // Brackets without quotes are a list in YAML.
  const [only, ...more] = Array.isArray(given) ? (given as unknown[]) : [];
  return typeof only === "string" && more.length === 0 && isIPv6(only)
    ? ` (did you mean "[${only}]:8080", in quotes?)`
    : "";
}

function handlerHint(given: string, nearestTo: NearestModule): string {
  const near = given === "" ? undefined : nearestTo(given);
  if (near !== undefined) return ` (did you mean ${JSON.stringify(near)}?)`;
  if (/^[./]/.test(given) || given === "") return "";
  return `; a file is written with ./ and its ending, such as ./${given.replace(/^.*\//, "")}.ts (a package is no handler)`;
}

// `head 5s` where `head: 5s` was meant is text to YAML.
function keyHint(node: SchemaNode, given: unknown): string {
  if (typeof given !== "string") return "";
  const [, key = "", rest = ""] = /^(\w+)\s+(\S.*)$/.exec(given) ?? [];
  const isKey = Object.keys(node.properties ?? {}).includes(key);
  return isKey ? ` (did you mean ${key}: ${rest}, with a colon?)` : "";
}

/** `routes[0].methods`, `limits.body`. */
export function nameOf(path: Path): string {
  return path
    .map((step, index) =>
      typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`,
    )
    .join("");
}

function show(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}

function orList(words: readonly string[]): string {
  return words.length < 2
    ? (words[0] ?? "")
    : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function parsePointer(pointer: string): Path {
  if (pointer === "") return [];
  return pointer
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((step) => (/^(0|[1-9][0-9]*)$/.test(step) ? Number(step) : step));
}

function schemaAt(schemaPath: string): SchemaNode {
  let node: unknown = root;
  for (const step of schemaPath.split("/").slice(1, -1))
    node = (node as Record<string, unknown>)[decodeURIComponent(step)];
  return node as SchemaNode;
}

function dig(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, step) => (at as Record<string | number, unknown> | undefined)?.[step],
    value,
  );
}

function remove(value: unknown, path: Path): void {
  const parent = dig(value, path.slice(0, -1));
  const last = path.at(-1);
  if (last === undefined || typeof parent !== "object" || parent === null) return;
  if (Array.isArray(parent)) {
    parent[Number(last)] = undefined;
    return;
  }
  delete (parent as Record<string, unknown>)[last];
  // What cannot be without it is nothing to go on with.
  const holder = path.slice(0, -1);
  if (schemaFor(holder)?.required?.includes(String(last)) === true) remove(value, holder);
}

function schemaFor(path: Path): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>(
    (node, step) => (typeof step === "number" ? node?.items : node?.properties?.[step]),
    root,
  );
}
