// What was thrown, as text for a log.

const CAUSES_MAX = 8;

/** With its stack and its causes. Nothing that the error does throws here, and its causes may go round in a circle. */
export function describe(error: unknown, depth = 0): string {
  try {
    if (!(error instanceof Error)) return `not an Error was thrown: ${whatIsNoError(error)}`;
    const cause =
      error.cause === undefined || depth === CAUSES_MAX
        ? ""
        : `\n[cause] ${describe(error.cause, depth + 1)}`;
    return `${error.stack ?? `${error.name}: ${error.message}`}${cause}`;
  } catch {
    return "what was thrown cannot be described: throw an Error";
  }
}

function whatIsNoError(value: unknown): string {
  if (typeof value === "object" && value !== null && Symbol.for("pinion.Reply") in value)
    return "the answer of reply(); return it instead";
  return String(value);
}
