import test from "ava";
import { resolveDefaults, root, type SchemaNode } from "./resolve.js";
import { PATTERNS } from "./validate.js";

function* nodes(node: SchemaNode, path: string): Generator<[path: string, node: SchemaNode]> {
  yield [path, node];
  for (const [key, child] of Object.entries(node.properties ?? {}))
    yield* nodes(child, `${path}.${key}`);
  if (node.items !== undefined) yield* nodes(node.items, `${path}[]`);
}

test("every key is described", (t) => {
  for (const [path, node] of nodes(root, "")) {
    if (path !== "" && !path.endsWith("[]")) t.truthy(node.description, path);
  }
});

test("every pattern has words for messages", (t) => {
  for (const [path, { pattern, unit }] of nodes(root, "")) {
    if (pattern !== undefined && unit === undefined && pattern !== "^auto$")
      t.truthy(PATTERNS[pattern], path);
  }
});

test("the defaults keep their own bounds", (t) => {
  resolveDefaults({}, (path, message) => t.fail(`${path.join(".")} ${message}`));
  t.pass();
});
