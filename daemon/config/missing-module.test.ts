import test from "ava";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nearestModules } from "./missing-module.js";

test("folders are searched for the names whose problems are shown, and once for each", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-modules-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const hello = join(folder, "hello.ts");
  writeFileSync(hello, "");
  const nearestTo = nearestModules(folder);
  const names = Array.from({ length: 101 }, (_, n) => `./folder${n}/hello.ts`);
  const first = names.slice(0, 100);
  const found = first.map(() => "./hello.ts");
  t.deepEqual(first.map(nearestTo), found);
  t.is(nearestTo(names[100] ?? ""), undefined);
  rmSync(hello);
  t.deepEqual(first.map(nearestTo), found);
});
