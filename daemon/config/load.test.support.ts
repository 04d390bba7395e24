// What tests of reading a configuration share: a folder with a module in it, and the problems that are found.
import test from "ava";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "./load.js";
import { ConfigError } from "./problem.js";

/** Where the configuration is said to be; it has one module, hello.ts. */
export const folder = mkdtempSync(join(tmpdir(), "pinion-config-"));
writeFileSync(join(folder, "hello.ts"), "export default () => 'hello';\n");
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** Stands for the native router: a pattern begins with a slash, and "!" is refused where it stands. */
export const checkPattern = (pattern: string) => {
  if (!pattern.startsWith("/")) return { column: 0, message: "a pattern begins with /" };
  const column = Buffer.from(pattern).indexOf("!");
  return column === -1 ? null : { column, message: "no ! here" };
};

export const parse = (source: string) =>
  parseConfig(source, join(folder, "pinion.yaml"), checkPattern);

/** The first line of each problem, without the file's name. */
export function problemsOf(source: string): string[] {
  try {
    parse(source);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message
      .split("\n")
      .filter((line) => !line.startsWith("    "))
      .map((line) => line.replaceAll(folder, "FOLDER").replace(/^FOLDER\/pinion\.yaml:?/, ""));
  }
}

/** A route to /a, with these lines; and one that a module answers. */
export const route = (rest: string) => `routes:\n  - path: /a\n    ${rest}\n`;
export const answered = route("handler: ./hello.ts");

export type Refused = readonly [name: string, yaml: string, ...problems: string[]];

/** A test for each: exactly these problems are found, in this order. */
export function testRefused(cases: readonly Refused[]): void {
  for (const [name, yaml, ...problems] of cases) {
    test(`refused: ${name}`, (t) => {
      t.deepEqual(problemsOf(yaml), problems);
    });
  }
}
