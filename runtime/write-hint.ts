// What to do about an error that comes of the kernel's refusing to write where the configuration does not allow it.
import { accessSync, constants, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { WriteLimits } from "./messages.js";

const CAUSES_MAX = 8;
/** Landlock's refusals: EXDEV is one of moves between folders. */
const REFUSED = /\b(EACCES|EXDEV|[Pp]ermission denied|Invalid cross-device link)\b/;
/** SQLite says neither the error nor the path. */
const REFUSED_BY_SQLITE = /unable to open database|readonly database|SQLITE_(CANTOPEN|READONLY)/;
/** Reading and executing are not restricted. */
const READS = /^(scandir|opendir|l?stat|access|readlink|spawn.*)$/;
/** Their first path is read, or is not looked at. */
const WRITES_SECOND = /^(copyfile|symlink)$/;

/** One line with a line break before it; "" if the error is about something else, or nothing is restricted. */
export function writeHint(error: unknown, limits: WriteLimits | null): string {
  if (limits === null) return "";
  try {
    for (let at = error, depth = 0; at instanceof Error && depth < CAUSES_MAX; depth++) {
      const line = hintFor(at, limits);
      if (line !== "") return `\nhint: ${line}`;
      at = at.cause;
    }
  } catch {
    // An error whose own getters throw, or a folder that went away: no hint, then.
  }
  return "";
}

function hintFor(error: Error, limits: WriteLimits): string {
  const { code, path, dest, syscall } = error as NodeJS.ErrnoException & { dest?: string };
  if (REFUSED_BY_SQLITE.test(`${String(code)} ${error.message}`))
    return advice("if the database lies elsewhere, name its folder, as in", ["./data"], limits);
  if (!REFUSED.test(`${String(code)} ${error.message}`)) return "";
  if (path === undefined)
    return advice("if it was to write elsewhere, name the folder, as in", ["./data"], limits);
  if (syscall !== undefined && READS.test(syscall)) return "";
  const outside = [WRITES_SECOND.test(syscall ?? "") ? undefined : path, dest]
    .filter((each) => each !== undefined)
    .map((each) => real(resolve(each)))
    .filter((each) => !limits.paths.some((allowed) => isWithin(each, allowed)));
  if (outside.length === 0 || (syscall === "open" && isSecret(path))) return "";
  const folders = outside.map((each) =>
    asWritten(syscall === "mkdir" ? each : dirname(each), dirname(limits.file)),
  );
  return advice(`for ${outside.join(" and ")} set`, folders, limits);
}

function advice(what: string, folders: string[], { file, write, paths }: WriteLimits): string {
  const all = [...new Set([...write, ...folders])].map((text) =>
    /^[\w./@-]+$/.test(text) ? text : JSON.stringify(text),
  );
  const allowed = paths.filter((path) => !path.startsWith("/dev/")).join(", ");
  // Handlers and the configuration may lie there.
  const whole = folders.includes(".")
    ? "; a folder of its own, such as ./data, would be safer"
    : "";
  return `handlers may write to ${allowed} only; ${what} \`write: [${all.join(", ")}]\` in ${file} (folders that are there), and restart${whole}`;
}

function asWritten(folder: string, base: string): string {
  const path = relative(real(base), folder);
  if (path === "") return ".";
  return path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path) ? folder : `./${path}`;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** Of what is there of it. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(real(above), basename(path));
  }
}

/** There, and not to be read by this user either: then it is its own permissions that refuse it. */
function isSecret(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}
