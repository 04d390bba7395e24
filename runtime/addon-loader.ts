// Finds and loads the native addon.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Addon } from "./addon.js";

/** The folder of Pinion's own package.json, from dist/ and from the sources alike. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json above ${import.meta.url}`);
    folder = parent;
  }
  return folder;
}

let loaded: Addon | undefined;

/** Loads the addon: PINION_ADDON, else the one built here, else the prebuilt package of this platform. */
export function loadAddon(): Addon {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const built = process.env["PINION_ADDON"] ?? join(packageRoot(), "build/release/pinion.node");
  const prebuilt = `@pinion/${process.platform}-${process.arch}`;
  if (existsSync(built)) {
    loaded = require(built) as Addon;
    return loaded;
  }
  try {
    loaded = require(prebuilt) as Addon;
    return loaded;
  } catch (error) {
    throw new Error(
      `the native addon is neither at ${built} nor installed as ${prebuilt}: run \`npm run build\``,
      { cause: error },
    );
  }
}
