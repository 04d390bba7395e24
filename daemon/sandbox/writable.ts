// What may be written to at all, beside what the configuration names.
import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import type { Config } from "../config/types.js";

export interface Writable {
  /** Files and folders, which are there, as the kernel knows them: without symbolic links. */
  write: string[];
  /** Folders whose files may be removed. */
  remove: string[];
}

/** Harmless, or a terminal's; /dev/shm is shared memory, to be had like temporary files. */
const DEVICES = ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm"];

/** Folders that systemd makes for a service to write to (systemd.exec(5)). Not its cache: compiled handlers lie there. */
const OF_SYSTEMD = ["STATE_DIRECTORY", "LOGS_DIRECTORY", "RUNTIME_DIRECTORY"];

export function writablePaths(
  { write, listen }: Pick<Config, "listen"> & { write: Exclude<Config["write"], "any"> },
  environment: NodeJS.ProcessEnv,
): Writable {
  const given = [
    ...write.map(({ path }) => path),
    tmpdir(),
    ...OF_SYSTEMD.flatMap((name) => environment[name]?.split(":") ?? []),
    ...DEVICES.map((name) => `/dev/${name}`),
  ];
  const sockets = listen.flatMap(({ address }) => (address.kind === "unix" ? address.path : []));
  return {
    write: unique(given.flatMap(realPath)),
    remove: unique(sockets.map(dirname).filter(hasOnlySockets).flatMap(realPath)),
  };
}

// Not there: then it is not written to either. What the configuration names has been looked for before.
function realPath(path: string): string[] {
  if (!isAbsolute(path)) return [];
  try {
    return [realpathSync(path)];
  } catch {
    return [];
  }
}

// The kernel allows or forbids to remove whatever is in a folder, and below it. So a server removes its socket at the end if
// that lets handlers remove nothing but sockets; one that stays is replaced by the next start.
function hasOnlySockets(folder: string): boolean {
  try {
    return readdirSync(folder).every((name) => lstatSync(join(folder, name)).isSocket());
  } catch {
    return false;
  }
}

function unique(paths: string[]): string[] {
  return [...new Set(paths)];
}
