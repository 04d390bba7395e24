import test from "ava";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

function run(...words: string[]): { status: number | null; out: string; error: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...words], {
    encoding: "utf8",
  });
  return { status, out: stdout, error: stderr };
}

test("the version has the usual flags", (t) => {
  for (const flag of ["-v", "-V", "--version"]) {
    const { status, out } = run(flag);
    t.is(status, 0);
    t.regex(out, /^\d+\.\d+\.\d+\S*\n$/);
  }
});

test("a port by another name: where it goes here", (t) => {
  for (const words of [["--port", "80"], ["-p", "80"], ["--host=::1"]]) {
    const { status, error } = run("serve", ...words);
    t.is(status, 2);
    t.regex(error, /unknown option[^]*--listen :8080/);
  }
  t.notRegex(run("serve", "--nope").error, /:8080/);
});

test("the help names the reference of the keys, which is there", (t) => {
  const path = /^The configuration's keys: (\/.*)$/m.exec(run("--help").out)?.[1] ?? "";
  t.true(existsSync(path), path);
});
