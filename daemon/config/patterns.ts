// Which routes take each other's requests.
import type { Problem } from "./problem.js";

export interface Claim {
  pattern: string;
  /** Undefined: not known yet. */
  methods: readonly string[] | undefined;
  /** How messages call it, e.g. `routes[2]`. */
  name: string;
  offset: number | undefined;
}

/** Problems for each claim that takes a pattern and method that an earlier one has. */
export function findClashes(claims: readonly Claim[]): Problem[] {
  const problems: Problem[] = [];
  // By shape and method, which claim has it first: an index into `claims`.
  const firstByShape = new Map<string, Map<string, number>>();
  for (const [index, claim] of claims.entries()) {
    const shape = shapeOf(claim.pattern);
    const first = firstByShape.get(shape) ?? new Map<string, number>();
    firstByShape.set(shape, first);
    const { methods = [] } = claim;
    const other = claims[Math.min(...methods.flatMap((method) => first.get(method) ?? []))];
    if (other !== undefined) {
      const both = methods.filter((method) => other.methods?.includes(method) === true);
      const message = `${both.join(", ")} ${claim.pattern} is already answered by ${other.name} (${other.pattern}); remove one, or give them different methods`;
      problems.push({ code: "config/duplicate-route", message, offset: claim.offset });
    }
    for (const method of methods) if (!first.has(method)) first.set(method, index);
  }
  return problems;
}

// Parameters of one kind match the same whatever they are called; literals are compared decoded, as the router does.
function shapeOf(pattern: string): string {
  return pattern
    .split("/")
    .map((segment) => {
      const parameter = /^\{[^:}]*(?::([a-z]+))?\}$/.exec(segment);
      return parameter === null ? decode(segment) : `{${parameter[1] ?? "string"}}`;
    })
    .join("/");
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
