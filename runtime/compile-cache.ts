// Compiled handlers on disk. A manifest for each source file names the files that went into it, with their hashes, and the
// output; an output's name contains its hash, so that a worker that is still starting never finds another one's.
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
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { basename, extname, join } from "node:path";

export interface Manifest {
  /** Absolute paths of the files that were compiled. */
  inputs: string[];
  /** Absolute paths that imports of packages were resolved to. */
  externals: string[];
}

interface StoredManifest {
  inputs: [path: string, hash: string][];
  externals: string[];
  output: string;
}

const STALE_MS = 24 * 60 * 60 * 1000;

function hash(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex").slice(0, 20);
}

export class CompileCache {
  readonly #wanted: string;
  readonly #version: string;
  #directory: string | undefined;

  /** `version`: of the compiler; another one's outputs are not used. */
  constructor(directory: string, version: string) {
    this.#wanted = directory;
    this.#version = version;
  }

  /** Path of the compiled file, or null: it has to be compiled. */
  find(file: string): string | null {
    const directory = this.#open();
    try {
      const manifest = JSON.parse(
        readFileSync(join(directory, this.#manifest(file)), "utf8"),
      ) as StoredManifest;
      const output = join(directory, manifest.output);
      const fresh =
        existsSync(output) &&
        manifest.inputs.every(([input, was]) => hash(readFileSync(input)) === was) &&
        manifest.externals.every((external) => existsSync(external));
      return fresh ? output : null;
    } catch {
      return null; // no manifest, not one of ours, or an input that is gone
    }
  }

  store(file: string, code: Uint8Array, manifest: Manifest): string {
    const directory = this.#open();
    const stem = `${this.#stem(file)}-${hash(code)}`;
    const output = join(directory, `${stem}.mjs`);
    const stored: StoredManifest = {
      inputs: manifest.inputs.map((input) => [input, hash(readFileSync(input))]),
      externals: manifest.externals,
      output: `${stem}.mjs`,
    };
    this.#write(output, code);
    this.#write(join(directory, this.#manifest(file)), JSON.stringify(stored));
    this.#sweep(directory, this.#stem(file), stored.output);
    return output;
  }

  #stem(file: string): string {
    return `${basename(file, extname(file))}-${hash(`${this.#version}\n${file}`)}`;
  }

  #manifest(file: string): string {
    return `${this.#stem(file)}.json`;
  }

  // Renamed into place: another daemon may read the same cache.
  #write(path: string, data: string | Uint8Array): void {
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, data, { mode: 0o600 });
    renameSync(temporary, path);
  }

  // Outputs of earlier versions of the file; recent ones may belong to workers that are still to be started.
  #sweep(directory: string, stem: string, current: string): void {
    for (const name of readdirSync(directory)) {
      if (!name.startsWith(stem) || !name.endsWith(".mjs") || name === current) continue;
      const path = join(directory, name);
      try {
        if (Date.now() - statSync(path).mtimeMs > STALE_MS) rmSync(path, { force: true });
      } catch {
        // Another daemon was faster.
      }
    }
  }

  #open(): string {
    this.#directory ??= writable(this.#wanted) ?? temporaryDirectory();
    return this.#directory;
  }
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
