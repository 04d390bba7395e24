// YAML with positions: the value of a document, and where each part of it stands.
import { isAlias, isMap, isScalar, isSeq, visit } from "yaml";
import type { Alias, Document, Node, Pair, Scalar, YAMLMap } from "yaml";
import type { Problem } from "./problem.js";
import { schema } from "./schema.js";
import { parseYaml } from "./yaml.js";

// YAML's aliases let ten lines stand for gigabytes; a configuration needs a few.
const MOST_ALIASES = 100;
const DEEPEST = 32;
const LINE_MAX = 200; // that is looked at for what was meant

/** Every key that there is anywhere. */
const KEYS = new Set(keysOf(schema));

function keysOf(node: { properties?: object; items?: object }): string[] {
  const children = Object.entries(node.properties ?? {}) as [string, object][];
  const items = node.items === undefined ? [] : keysOf(node.items);
  return [...children.flatMap(([key, child]) => [key, ...keysOf(child)]), ...items];
}

export type Path = readonly (string | number)[];

export interface ConfigDocument {
  /** Plain data; undefined if the YAML is broken. */
  value: unknown;
  problems: Problem[];
  /** Offset of the value at a path, or of the nearest one above it that exists. */
  valueOffset(path: Path): number;
  /** Offset of the key of the last step of a path. */
  keyOffset(path: Path): number;
  /** Offset of one character of the string at a path. */
  characterOffset(path: Path, index: number): number;
}

export function parseConfigDocument(source: string): ConfigDocument {
  const parsed = parseYaml(source, DEEPEST);
  if ("tooDeepAt" in parsed) return brokenAt(parsed.tooDeepAt, [tooDeep(parsed.tooDeepAt)]);
  const { document } = parsed;
  const problems = [...document.errors, ...document.warnings].map((error): Problem => {
    const offset = Math.min(error.pos[0], source.length);
    return {
      code: "config/yaml",
      ...(meantByLine(source, offset) ?? { message: explain(error), offset }),
    };
  });
  problems.push(...duplicateKeys(document, source));
  const value = problems.length === 0 ? toData(document, problems) : undefined;
  return {
    value,
    problems: firstOfEachPlace(problems),
    valueOffset: (path) => find(document, path).value?.range?.[0] ?? 0,
    keyOffset: (path) => {
      const { key, value } = find(document, path);
      return (key ?? value)?.range?.[0] ?? 0;
    },
    characterOffset: (path, index) => {
      const node = find(document, path).value;
      return isScalar(node) ? characterOffset(source, node, index) : (node?.range?.[0] ?? 0);
    },
  };
}

/** Stands for a document of which nothing is known but that it is broken there. */
function brokenAt(offset: number, problems: Problem[]): ConfigDocument {
  const anywhere = () => offset;
  return {
    value: undefined,
    problems,
    valueOffset: anywhere,
    keyOffset: anywhere,
    characterOffset: anywhere,
  };
}

function tooDeep(offset: number): Problem {
  const message = `nested deeper than ${DEEPEST} levels; write it flatter`;
  return { code: "config/too-deep", message, offset };
}

function duplicateKeys(document: Document.Parsed, source: string): Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<string>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        const name = keyName(key);
        const offset = key.range?.[0] ?? 0;
        if (seen.has(name)) {
          const message = `key ${quoteWord(source, offset)} is there twice`;
          problems.push({ code: "config/duplicate-key", message, offset });
        }
        seen.add(name);
      }
    },
  });
  return problems;
}

/** As which property of the data a key ends: 1 and "1" are the same, nothing is "". */
function keyName(key: Scalar): string {
  return String((key as Scalar<string | number | boolean | null>).value ?? "");
}

function toData(document: Document.Parsed, problems: Problem[]): unknown {
  let firstAlias: number | undefined;
  const anchors = new Set<string>(); // so far: Alias.resolve() would go through the whole document each time
  visit(document, {
    Value(_, { anchor }) {
      if (anchor !== undefined) anchors.add(anchor);
    },
    Alias(_, node) {
      firstAlias ??= node.range?.[0];
      if (anchors.has(node.source)) return;
      const message = /^:[0-9]+$/.test(node.source)
        ? `an address that begins with * stands in quotes: "*${node.source}"`
        : `unknown alias *${node.source}; an anchor &${node.source} must stand before it`;
      problems.push({ code: "config/yaml", message, offset: node.range?.[0] });
    },
    Pair(_, pair) {
      if (!isNode(pair.key) || isScalar(pair.key)) return;
      problems.push({
        code: "config/yaml",
        message: "a key must be a word",
        offset: pair.key.range?.[0],
      });
    },
  });
  if (problems.length > 0) return undefined;
  try {
    const value: unknown = document.toJS({ maxAliasCount: MOST_ALIASES });
    if (isWithin(value, DEEPEST)) return value;
    problems.push(tooDeep(firstAlias ?? 0));
  } catch {
    const message = `the aliases stand for too much; write it out, or use fewer than ${MOST_ALIASES}`;
    problems.push({ code: "config/too-many-aliases", message, offset: firstAlias ?? 0 });
  }
  return undefined;
}

function isWithin(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((child) => isWithin(child, depth - 1));
}

function find(document: Document.Parsed, path: Path): { key?: Node; value?: Node } {
  let found: { key?: Node; value?: Node } = resolved(document, document.contents);
  for (const step of path) {
    const next = child(document, found.value, step);
    if (next === undefined) break;
    found = next;
  }
  return found;
}

function child(document: Document.Parsed, parent: Node | undefined, step: string | number) {
  if (isMap(parent)) {
    const pair = pairsOf(parent).get(String(step));
    if (pair === undefined) return undefined;
    const key = pair.key as Node;
    // `routes:` with nothing behind it has a value only in name: the key is the better place to point at.
    return { key, ...resolved(document, pair.value, key) };
  }
  if (isSeq(parent)) return resolved(document, parent.items[Number(step)]);
  return undefined;
}

function resolved(document: Document.Parsed, node: unknown, empty?: Node): { value?: Node } {
  if (isAlias(node)) {
    const target = targetOf(document, node);
    return target === undefined ? {} : { value: target };
  }
  if (!isNode(node)) return empty === undefined ? {} : { value: empty };
  if (empty !== undefined && isScalar(node) && node.range?.[0] === node.range?.[1])
    return { value: empty };
  return { value: node };
}

// Each problem looks up where it stands: one in a thousand must not cost more than one alone.
const pairs = new WeakMap<YAMLMap, Map<string, Pair>>();
const targets = new WeakMap<Alias, Node>();

function pairsOf(map: YAMLMap): Map<string, Pair> {
  let found = pairs.get(map);
  if (found === undefined) {
    const withKeys = map.items.filter(({ key }) => isScalar(key));
    found = new Map(withKeys.map((pair) => [keyName(pair.key as Scalar), pair]));
    pairs.set(map, found);
  }
  return found;
}

function targetOf(document: Document.Parsed, alias: Alias): Node | undefined {
  const target = targets.get(alias) ?? alias.resolve(document);
  if (target !== undefined) targets.set(alias, target);
  return target;
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

// Walks a scalar as it is written, so that a column inside a pattern is a column of the file. Scalars that are folded
// over lines, and block scalars, are pointed at as a whole.
function characterOffset(source: string, node: Scalar, index: number): number {
  const [start, end] = node.range ?? [0, 0];
  const text = source.slice(start, end);
  if (text.includes("\n")) return start;
  if (node.type === "PLAIN") return Math.min(start + index, end);
  if (node.type !== "QUOTE_DOUBLE" && node.type !== "QUOTE_SINGLE") return start;
  let at = 1;
  for (let left = index; left > 0 && at < text.length - 1; left--)
    at += written(text, at, node.type);
  return start + at;
}

/** Characters of the source that stand for the one at `at`. */
function written(text: string, at: number, type: "QUOTE_DOUBLE" | "QUOTE_SINGLE"): number {
  if (type === "QUOTE_SINGLE") return text.startsWith("''", at) ? 2 : 1;
  if (text[at] !== "\\") return 1;
  return { x: 4, u: 6, U: 10 }[text[at + 1] ?? ""] ?? 2;
}

// What breaks YAML most often in a configuration, told from the line at which the parser gave up.
function meantByLine(source: string, at: number): { message: string; offset: number } | undefined {
  // Thousands of errors may stand in one long line: none of them looks for its beginning far away.
  const from = Math.max(0, at - LINE_MAX);
  const newline = source.slice(from, at).lastIndexOf("\n");
  if (newline === -1 && from > 0) return undefined;
  const start = from + newline + 1;
  const line = source.slice(start, start + LINE_MAX).split(/\r?\n/, 1)[0] ?? "";
  const address = /(?<!["'])\[[0-9a-fA-F.]*:[0-9a-fA-F:.]*\]:[0-9]+/.exec(line);
  if (address !== null) {
    const message = `an address in brackets stands in quotes: "${address[0]}"`;
    return { message, offset: start + address.index };
  }
  const bare = /^([ -]*)([A-Za-z]+)[ \t]+([^\s:#][^:#]*)$/.exec(line);
  if (bare === null || !KEYS.has(bare[2] ?? "")) return undefined;
  const message = `a colon is missing: ${bare[2]}: ${(bare[3] ?? "").trim()}`;
  return { message, offset: start + (bare[1] ?? "").length };
}

function explain(error: { code: string; message: string }): string {
  if (error.code === "MULTIPLE_DOCS")
    return "more than one YAML document; keep one, without a second `---`";
  if (error.code === "TAB_AS_INDENT") return "a tab indents; YAML takes only spaces";
  if (error.code === "TAG_RESOLVE_FAILED") return "tags such as !name are not used here";
  return `YAML: ${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`;
}

function quoteWord(source: string, offset: number): string {
  const word =
    /^(?:"[^"\n]*"|'[^'\n]*'|[^\s:,{}[\]]+)/.exec(source.slice(offset, offset + 200))?.[0] ?? "";
  return JSON.stringify(word.replace(/^(["'])(.*)\1$/, "$2"));
}

// One mistake often breaks the parser in several ways at the same place.
function firstOfEachPlace(problems: Problem[]): Problem[] {
  const seen = new Set<number | undefined>();
  return problems.filter(({ offset }) => !seen.has(offset) && seen.add(offset));
}
