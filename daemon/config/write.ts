// `write`: what handlers may write to.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { CheckContext } from "./checks.js";
import type { Path } from "./document.js";
import type { Problem } from "./problem.js";
import type { ConfigFile, WriteConfig } from "./types.js";

/** Items that the schema refused are undefined. The kernel is told of files and folders, not of names: they have to be there. */
export function parseWrite(
  write: ConfigFile["write"],
  { document, folder }: Pick<CheckContext, "document" | "folder">,
): { writable: WriteConfig[] | "any"; problems: Problem[] } {
  if (write === "any") return { writable: "any", problems: [] };
  const problems: Problem[] = [];
  const writable: WriteConfig[] = [];
  for (const [index, text] of [write].flat().entries() as Iterable<[number, string | undefined]>) {
    if (text === undefined) continue;
    const path = resolve(folder, text);
    const at: Path = Array.isArray(write) ? ["write", index] : ["write"];
    const why = whyNot(path, text);
    if (why !== undefined)
      problems.push({
        code: "config/missing-folder",
        message: why,
        offset: document.valueOffset(at),
      });
    writable.push({ path, text });
  }
  return { writable, problems };
}

function whyNot(path: string, text: string): string | undefined {
  try {
    statSync(path);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (text.startsWith("~")) return `~ is no folder here: write ${text} as a whole path`;
    if (code === "ENOENT" || code === "ENOTDIR")
      return `${path} is not there; create it first (\`mkdir -p\`), or name the folder that it is going to be in`;
    return `${path} cannot be used: ${code}`;
  }
}
