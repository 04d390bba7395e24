// Compiled handlers on disk. A manifest for each set of handler modules names the files that went into it, with their
// hashes, and the folder that has the compiled ones; the folder's name is a hash of the same, so that a worker that is
// still to be started finds what its daemon has checked.
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

/** What a set of handler modules was compiled to. */
export interface Compiled {
  /** By absolute path of the handler module. */
  modules: [path: string, module: { url: string; exports: string[] | null }][];
  /** Files of `folder`. */
  outputs: string[];
  folder: string;
}

/** What went into it. */
export interface Inputs {
  files: [path: string, hash: string][];
  /** Absolute paths that imports of packages lead to: they have to be there. */
  packages: string[];
  /** Absolute paths of settings that would come before those that were read: they have to be missing. */
  missing: string[];
}

interface Manifest extends Compiled {
  inputs: Inputs;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** Unused for so long, an entry goes. */
const STALE_MS = 30 * DAY_MS;
/** Beyond so many entries, those go that were unused for a day: no running daemon lets its own get so old. */
const ENTRIES_MAX = 32;
const OURS = /-[0-9a-f]{20}(\.json|\.mjs)?(\.[0-9]+)?$/;

export function hash(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex").slice(0, 20);
}

export class CompileCache {
  readonly #directory: string;
  readonly #version: string;

  /** `version`: of all that decides on the output but the sources; what another one has written is not used. */
  constructor(directory: string, version: string) {
    this.#directory = writable(directory) ?? temporaryDirectory();
    this.#version = version;
  }

  /** What the files were compiled to; null: they have to be compiled. */
  find(files: readonly string[]): Compiled | null {
    try {
      const text = readFileSync(this.#manifest(files), "utf8");
      const manifest = JSON.parse(text) as Manifest;
      const isFresh =
        manifest.inputs.files.every(([input, was]) => hashOf(input) === was) &&
        manifest.inputs.packages.every((path) => existsSync(path)) &&
        !manifest.inputs.missing.some((path) => existsSync(path)) &&
        manifest.outputs.every((name) => existsSync(join(manifest.folder, name)));
      if (!isFresh) return null;
      touch(manifest.folder);
      touch(this.#manifest(files));
      return manifest;
    } catch {
      return null; // no manifest, not one of ours, or an input that is gone
    }
  }

  /** Where the outputs of such inputs lie; they need not be there yet. */
  folder(files: readonly string[], inputs: Inputs): string {
    const lines = inputs.files.map(([path, was]) => `${path}\n${was}`).sort();
    const all = [this.#version, ...files, ...lines, ...[...inputs.packages].sort()];
    return join(this.#directory, `handlers-${hash(all.join("\n"))}`);
  }

  /** `outputs`: texts by name. */
  store(
    files: readonly string[],
    inputs: Inputs,
    compiled: Omit<Compiled, "outputs">,
    outputs: ReadonlyMap<string, string>,
  ): void {
    const { folder } = compiled;
    const isThere =
      existsSync(folder) && [...outputs.keys()].every((name) => existsSync(join(folder, name)));
    // Those that are there are the same: they may be in use, and stay.
    if (isThere) touch(folder);
    else this.#write(folder, outputs);
    const path = this.#manifest(files);
    const manifest: Manifest = { ...compiled, outputs: [...outputs.keys()], inputs };
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(manifest), { mode: 0o600 });
    renameSync(`${path}.${process.pid}`, path);
    this.#sweep(folder);
  }

  // Renamed into place: another daemon may read the same cache.
  #write(folder: string, outputs: ReadonlyMap<string, string>): void {
    const temporary = `${folder}.${process.pid}`;
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary, { mode: 0o700 });
    for (const [name, text] of outputs) writeFileSync(join(temporary, name), text, { mode: 0o600 });
    rmSync(folder, { recursive: true, force: true });
    try {
      renameSync(temporary, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error; // else another daemon was faster, with the same
      rmSync(temporary, { recursive: true, force: true });
    }
  }

  #manifest(files: readonly string[]): string {
    return join(this.#directory, `manifest-${hash([this.#version, ...files].join("\n"))}.json`);
  }

  #sweep(current: string): void {
    const entries = readdirSync(this.#directory)
      .filter((name) => OURS.test(name))
      .map((name) => join(this.#directory, name))
      .map((path) => ({ path, age: Date.now() - usedAt(path) }))
      .sort((left, right) => left.age - right.age);
    for (const [index, { path, age }] of entries.entries()) {
      if (path === current || age < (index < 2 * ENTRIES_MAX ? STALE_MS : DAY_MS)) continue;
      rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Says that the folder is in use: a daemon's workers read it again whenever one is replaced. */
export function keepCompiled(folder: string): void {
  touch(folder);
}

function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Not there, or another user's: then it is not ours to keep.
  }
}

function usedAt(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return Date.now(); // another daemon was faster
  }
}

/** Of a file's contents. */
export function hashOf(path: string): string {
  return hash(readFileSync(path));
}

function writable(directory: string): string | null {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return directory;
  } catch {
    return null;
  }
}

// Code is imported from here: nobody else may be able to write to it.
function temporaryDirectory(): string {
  const { uid } = userInfo();
  const directory = join(tmpdir(), `pinion-${uid}`);
  try {
    mkdirSync(directory, { mode: 0o700, recursive: true });
    const found = lstatSync(directory);
    if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return directory;
  } catch {
    // Somebody else's, then.
  }
  return mkdtempSync(join(tmpdir(), "pinion-"));
}
