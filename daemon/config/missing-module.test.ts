import test from "ava";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folder, problemsOf, route } from "./load.test.support.js";
import { nearestModules } from "./missing-module.js";

test("folders are searched for the names whose problems are shown, and once for each", (t) => {
  const other = mkdtempSync(join(tmpdir(), "pinion-modules-"));
  t.teardown(() => rmSync(other, { recursive: true, force: true }));
  const hello = join(other, "hello.ts");
  writeFileSync(hello, "");
  const nearestTo = nearestModules(other);
  const names = Array.from({ length: 101 }, (_, n) => `./folder${n}/hello.ts`);
  const first = names.slice(0, 100);
  const found = first.map(() => "./hello.ts");
  t.deepEqual(first.map(nearestTo), found);
  t.is(nearestTo(names[100] ?? ""), undefined);
  rmSync(hello);
  t.deepEqual(first.map(nearestTo), found);
});

test("a module that is not there: the nearest that is", (t) => {
  const below = join(folder, "api/v1");
  mkdirSync(below, { recursive: true });
  writeFileSync(join(below, "users.ts"), "");
  t.teardown(() => rmSync(join(folder, "api"), { recursive: true }));
  const hint = (name: string) =>
    /\(did you mean "(.*)"\?\)/.exec(problemsOf(route(`handler: ${name}`))[0] ?? "")?.[1];
  t.is(hint("./users.ts"), "./api/v1/users.ts");
  t.is(hint("./handlers/users.js"), "./api/v1/users.ts");
  t.is(hint("./api/v1/user.ts"), "./api/v1/users.ts");
  t.is(hint("./api/v2/users.ts"), "./api/v1/users.ts");
  t.is(hint("./hello.js"), "./hello.ts");
  t.is(hint("./api/v1/users"), "./api/v1/users.ts");
  t.is(hint("hello"), "./hello.ts");
  t.is(hint("./nothing-like-it.ts"), undefined);
});
