// What is wrong with a configuration, where, and how it is shown.

export interface Problem {
  /** Stable name of the rule, e.g. `config/unknown-key`. */
  code: string;
  message: string;
  /** Offset in the source where it begins; undefined: the file as a whole. */
  offset?: number | undefined;
}

export class ConfigError extends Error {
  override name = "ConfigError";
  readonly code = "PINION_CONFIG";

  constructor(
    readonly problems: readonly Problem[],
    readonly file: string,
    readonly source: string,
  ) {
    super(formatProblems(problems, file, source));
  }
}

export const SHOWN_MAX = 100;
const MESSAGE_MAX = 1000;
const CONTEXT_COLUMNS = 100;

/** The first hundred problems, and how many more there are. */
function formatProblems(problems: readonly Problem[], file: string, source: string): string {
  const shown = problems.slice(0, SHOWN_MAX);
  const left = problems.length - shown.length;
  const lines = shown.map((problem) => formatProblem(problem, file, source));
  if (left > 0) {
    const message = `${left} more ${left === 1 ? "problem is" : "problems are"} not shown; repair these first`;
    lines.push(formatProblem({ code: "config/more-problems", message }, file, source));
  }
  return lines.join("\n");
}

/** `file:line:column: message [code]`, then the line with a caret below. */
export function formatProblem(problem: Problem, file: string, source: string): string {
  const { message } = problem;
  const said = message.length <= MESSAGE_MAX ? message : `${message.slice(0, MESSAGE_MAX - 1)}…`;
  const tail = `${printable(said)} [${problem.code}]`;
  if (problem.offset === undefined) return `${printable(file)}: ${tail}`;
  const { line, column, text } = locate(source, problem.offset);
  const head = `${printable(file)}:${line}:${column}: ${tail}`;
  if (text.trim() === "") return head;
  const from = column <= CONTEXT_COLUMNS - 20 ? 0 : column - (CONTEXT_COLUMNS - 20);
  const shown = printable(text.slice(from, from + CONTEXT_COLUMNS));
  const before = printable(text.slice(from, column - 1)).replace(/[^\t]/gu, " ");
  return `${head}\n    ${shown}\n    ${before}^`;
}

/** Line and column, both from 1, of an offset, and the line's text. */
export function locate(
  source: string,
  offset: number,
): { line: number; column: number; text: string } {
  const start = source.lastIndexOf("\n", offset - 1) + 1;
  const end = source.indexOf("\n", start);
  let line = 1;
  for (let at = source.indexOf("\n"); at !== -1 && at < start; at = source.indexOf("\n", at + 1))
    line++;
  const text = source.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
  return { line, column: offset - start + 1, text };
}

// A configuration may come from someone else: what is shown must not steer the terminal.
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\t]|[\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

export function byPosition(left: Problem, right: Problem): number {
  return (left.offset ?? -1) - (right.offset ?? -1);
}
