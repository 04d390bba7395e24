// Reads a configuration file: every mistake is found and shown at once, and before anything is opened.
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { checkConfig, parseListen, type CheckPattern } from "./checks.js";
import { parseConfigDocument, type ConfigDocument } from "./document.js";
import { byPosition, ConfigError, type Problem } from "./problem.js";
import { resolveDefaults } from "./resolve.js";
import type { Config } from "./types.js";
import { nameOf, validateShape } from "./validate.js";
import { parseWrite } from "./write.js";

const LARGEST_FILE_BYTES = 1024 * 1024;

export interface LoadedConfig {
  config: Config;
  /** For messages about what is found out later, such as a module that does not compile. */
  document: ConfigDocument;
  source: string;
  /** As it was named. */
  name: string;
}

/** Throws a ConfigError with every problem that was found. */
export function loadConfig(name: string, checkPattern: CheckPattern): LoadedConfig {
  return parseConfig(readSource(name), name, checkPattern);
}

export function parseConfig(
  source: string,
  name: string,
  checkPattern: CheckPattern,
): LoadedConfig {
  const file = resolve(name);
  const folder = dirname(file);
  const document = parseConfigDocument(source);
  const shape =
    document.problems.length > 0
      ? { value: {}, problems: document.problems }
      : validateShape(document, folder);
  const problems: Problem[] = [...shape.problems];
  const resolved = resolveDefaults(shape.value, (path, message) =>
    problems.push({
      code: "config/out-of-range",
      message: `${nameOf(path)} ${message}`,
      offset: document.valueOffset(path),
    }),
  );
  if (document.problems.length === 0)
    problems.push(...checkConfig(resolved, { document, folder, checkPattern }));
  if (problems.length > 0) throw new ConfigError(problems.sort(byPosition), name, source);
  const { listeners } = parseListen(resolved.listen, { document, folder });
  const shards = resolved.shards === "auto" ? "auto" : Number(resolved.shards);
  const { writable } = parseWrite(resolved.write, { document, folder });
  const cache = resolved.cache === undefined ? {} : { cache: resolve(folder, resolved.cache) };
  return {
    config: { ...resolved, file, folder, listen: listeners, shards, write: writable, ...cache },
    document,
    source,
    name,
  };
}

function readSource(name: string): string {
  const fail = (message: string): never => {
    throw new ConfigError([{ code: "config/file", message }], name, "");
  };
  let bytes: Buffer;
  try {
    const descriptor = openSync(name, "r");
    try {
      const status = fstatSync(descriptor);
      if (status.isDirectory()) fail("is a folder; name a YAML file in it");
      if (status.size > LARGEST_FILE_BYTES) fail("is larger than 1 MiB; a configuration is not");
      bytes = readFileSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      fail("no such file; name a configuration, or make one (see pinion --help)");
    return fail(
      code === "EACCES" ? "may not be read by this user; check its permissions" : message,
    );
  }
  if (bytes.length > LARGEST_FILE_BYTES) fail("is larger than 1 MiB; a configuration is not");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return fail("is not UTF-8 text");
  }
}
