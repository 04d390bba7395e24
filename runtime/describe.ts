// What was thrown, as text for a log.

import { isReply } from "./reply.js";

const CAUSES_MAX = 8;

/** With its stack and its causes. Nothing that the error does throws here, and its causes may go round in a circle. */
export function describe(error: unknown, depth = 0): string {
  try {
    if (isThrownReply(error)) return "reply() was thrown: return it, or throw an HttpError";
    if (!(error instanceof Error)) return `not an Error was thrown: ${String(error)}`;
    const cause =
      error.cause === undefined || depth === CAUSES_MAX
        ? ""
        : `\n[cause] ${describe(error.cause, depth + 1)}`;
    return `${error.stack ?? `${error.name}: ${error.message}`}${cause}`;
  } catch {
    return "what was thrown cannot be described: throw an Error";
  }
}

function isThrownReply(value: unknown): boolean {
  return typeof value === "object" && value !== null && isReply(value);
}
