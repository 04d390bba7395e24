// The daemon's log: a few lines an hour, to standard error, JSON or text.
//
// Not pino: measured, it costs 9 MB of resident memory and 21 ms at start, which is more than a shard's own share, and
// none of its speed is needed here. Access-log lines do not pass through this file.
import { isatty } from "node:tty";
import { inspect } from "node:util";
import { LineOutput } from "./line-output.js";

export type Level = "error" | "warn" | "info" | "debug";
export type Fields = Record<string, unknown>;

export interface Log {
  write(level: Level, message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  debug(message: string, fields?: Fields): void;
}

export interface LogOptions {
  level: Level;
  format: "auto" | "json" | "text";
}

const LEVELS: readonly Level[] = ["error", "warn", "info", "debug"];
const STANDARD_ERROR = 2;
const CAUSES_MAX = 8;

export function createLog(
  { level, format }: LogOptions,
  write?: (line: string) => void,
  isTerminal = isatty(STANDARD_ERROR),
): Log {
  const least = LEVELS.indexOf(level);
  const render = format === "json" || (format === "auto" && !isTerminal) ? renderJson : renderText;
  const output = new LineOutput(STANDARD_ERROR, (count) =>
    render(new Date(), "error", "lines of this log were lost: its reader is too slow", { count }),
  );
  const put = write ?? ((line: string) => output.write(line));
  const log = (of: Level, message: string, fields: Fields = {}) => {
    if (LEVELS.indexOf(of) <= least) put(render(new Date(), of, message, fields));
  };
  return {
    write: log,
    error: (message, fields) => log("error", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    info: (message, fields) => log("info", message, fields),
    debug: (message, fields) => log("debug", message, fields),
  };
}

/** An error as a log line's fields. */
export function errorFields(error: unknown): Fields {
  if (!(error instanceof Error)) return { error: String(error) };
  const { code } = error as NodeJS.ErrnoException;
  return { error: error.message, ...(code === undefined ? {} : { code }), stack: stackOf(error) };
}

function stackOf(error: Error, depth = 0): string {
  const { cause } = error;
  const own = error.stack ?? error.message;
  if (cause === undefined || depth === CAUSES_MAX) return own;
  const below = cause instanceof Error ? stackOf(cause, depth + 1) : inspect(cause);
  return `${own}\n[cause] ${below}`;
}

function renderJson(time: Date, level: Level, message: string, fields: Fields): string {
  return `${JSON.stringify({ time: time.toISOString(), level, message, ...fields })}\n`;
}

function renderText(time: Date, level: Level, message: string, fields: Fields): string {
  const { stack, ...rest } = fields;
  const tail = Object.entries(rest).map(
    ([key, value]) =>
      ` ${key}=${typeof value === "string" ? JSON.stringify(value) : String(value)}`,
  );
  const below = typeof stack === "string" ? `\n${stack.replace(/^/gm, "    ")}` : "";
  return `${time.toISOString()} ${level.padEnd(5)} ${message}${tail.join("")}${below}\n`;
}
