// The arguments of `pinion serve`, read without the command-line library: it would stay in the daemon's memory.
import { parseArgs } from "node:util";

export const DEFAULT_FILE = "pinion.yaml";

export interface ServeArguments {
  file: string;
  /** Replaces `listen` of the configuration, if there are any. */
  listen: readonly string[];
}

/** Undefined: another command, a wish for help, or a mistake, all of which the whole command line answers. */
export function parseServe(words: readonly string[]): ServeArguments | undefined {
  if (words[0] !== "serve") return undefined;
  try {
    const { values, positionals } = parseArgs({
      args: words.slice(1),
      options: { listen: { type: "string", short: "l", multiple: true } },
      allowPositionals: true,
    });
    if (positionals.length > 1) return undefined;
    return { file: positionals[0] ?? DEFAULT_FILE, listen: values.listen ?? [] };
  } catch {
    return undefined;
  }
}
