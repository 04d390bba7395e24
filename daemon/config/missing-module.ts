// A handler's file, and which one was probably meant if it is not there.
import { type Dirent, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { SHOWN_MAX } from "./problem.js";
import { nearest } from "./suggest.js";

/** The module that is most likely meant by a `handler`, as it would be written. */
export type NearestModule = (handler: string) => string | undefined;

/** Looks for each name once, and for no more names than problems are shown: each look reads folders. */
export function nearestModules(folder: string): NearestModule {
  const found = new Map<string, string | undefined>();
  return (handler) => {
    if (!found.has(handler) && found.size < SHOWN_MAX)
      found.set(handler, nearestModule(handler, folder));
    return found.get(handler);
  };
}

/** What is wrong with a `handler` as a file; undefined: nothing. */
export function checkModule(
  handler: string,
  folder: string,
  nearestTo: NearestModule,
): string | undefined {
  const file = resolve(folder, handler);
  try {
    if (statSync(file).isFile()) return undefined;
    return `${handler} is not a file`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") return `cannot read ${handler}: ${code}`;
  }
  const near = nearestTo(handler);
  const hint = near === undefined ? "" : ` (did you mean "${near}"?)`;
  return `no file ${asWritten(file, folder)} in ${folder}${hint}`;
}

function nearestModule(handler: string, folder: string): string | undefined {
  const near = nearestFile(resolve(folder, handler), folder);
  return near === undefined ? undefined : asWritten(near, folder);
}

const MODULE = /(?<!\.d)\.(ts|mts|js|mjs)$/;
const DEEPEST_LOOK = 4;
const MOST_FILES = 1000;

/** Beside it one of the same name with another ending, or of nearly this name; else the same elsewhere. */
function nearestFile(file: string, folder: string): string | undefined {
  const beside = modulesBelow(dirname(file), 1);
  const stem = (path: string): string => basename(path).replace(MODULE, "");
  const isNamesake = (path: string): boolean => stem(path) === stem(file);
  const twin = beside.find(isNamesake);
  if (twin !== undefined) return twin;
  const near = nearest(
    basename(file),
    beside.map((path) => basename(path)),
  );
  if (near !== undefined) return join(dirname(file), near);
  const all = modulesBelow(folder, DEEPEST_LOOK);
  const named = all.find(isNamesake);
  if (named !== undefined) return named;
  const found = nearest(
    relative(folder, file),
    all.map((path) => relative(folder, path)),
  );
  return found === undefined ? undefined : join(folder, found);
}

/** The nearest levels first; what is not the user's own is left out. */
function modulesBelow(folder: string, levels: number): string[] {
  const files: string[] = [];
  let folders = [folder];
  for (let level = 0; level < levels && files.length < MOST_FILES; level++) {
    const entries = folders.slice(0, MOST_FILES).flatMap((each) => entriesOf(each));
    files.push(...entries.filter((entry) => entry.isFile() && MODULE.test(entry.name)).map(pathOf));
    folders = entries.filter((entry) => entry.isDirectory() && isOwn(entry.name)).map(pathOf);
  }
  return files;
}

function isOwn(name: string): boolean {
  return !name.startsWith(".") && name !== "node_modules";
}

function pathOf(entry: Dirent): string {
  return join(entry.parentPath, entry.name);
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function asWritten(file: string, folder: string): string {
  const path = relative(folder, file);
  return path.startsWith("../") ? path : `./${path}`;
}
