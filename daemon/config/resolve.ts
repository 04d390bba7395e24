// Fills in defaults and reads units, led by the schema.
import type { ConfigFile } from "./types.js";
import { schema } from "./schema.js";
import type { Path } from "./document.js";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.js";

/** What resolving needs to know of a schema node. */
export interface SchemaNode {
  type?: string | readonly string[];
  unit?: "size" | "duration";
  least?: number;
  most?: number;
  enum?: readonly string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  default?: unknown;
  description?: string;
  properties?: Record<string, SchemaNode>;
  required?: readonly string[];
  additionalProperties?: boolean | SchemaNode;
  items?: SchemaNode;
}

export const root: SchemaNode = schema;

type Report = (path: Path, message: string) => void;

/** The configuration with defaults, from data that the schema accepts. Sizes out of bounds go to `report`. */
export function resolveDefaults(value: unknown, report: Report): ConfigFile {
  return resolveNode(root, value ?? {}, [], report) as ConfigFile;
}

function resolveNode(node: SchemaNode, value: unknown, path: Path, report: Report): unknown {
  if (value === undefined || node.unit !== undefined) return resolveUnit(node, value, path, report);
  if (Array.isArray(value)) {
    const items = node.items ?? {};
    return value.map((item, index) => resolveNode(items, item, [...path, index], report));
  }
  if (typeof value !== "object" || value === null || node.properties === undefined) return value;
  const given = value as Record<string, unknown>;
  const result: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(node.properties)) {
    const set = Object.hasOwn(given, key) ? given[key] : undefined;
    const resolved = resolveNode(child, set ?? child.default, [...path, key], report);
    if (resolved !== undefined) result[key] = resolved;
  }
  return result;
}

function resolveUnit(
  node: SchemaNode,
  value: unknown,
  path: Path,
  report: Report,
): number | undefined {
  if (value === undefined) return undefined;
  const [parse, format] =
    node.unit === "size"
      ? [parseSize, formatSize]
      : [(text: unknown) => parseDuration(String(text)), formatDuration];
  const parsed = parse(value as string);
  const { least = 0, most = Number.MAX_SAFE_INTEGER } = node;
  if (parsed !== undefined && parsed >= least && parsed <= most) return parsed;
  report(
    path,
    `must be ${format(least)} to ${format(most)}, not ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return node.default === undefined ? undefined : parse(node.default as string);
}
