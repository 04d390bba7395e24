import test from "ava";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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

test("an address that is none is wrong usage", (t) => {
  const { status, error } = run("serve", "--listen", "8080");
  t.is(status, 2);
  t.regex(error, /^pinion: --listen 8080: /);
});

test("a long list of routes goes through a pipe whole", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-routes-"));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, "pinion.yaml");
  const count = 3000;
  const routes = Array.from(
    { length: count },
    (_, i) => `  - { path: /a-route-of-many/${i}, respond: {} }\n`,
  );
  writeFileSync(file, `routes:\n${routes.join("")}`);
  const { stdout } = spawnSync(
    "sh",
    ["-c", `"$0" "$1" routes "$2" | (sleep 1; cat)`, process.execPath, MAIN, file],
    {
      encoding: "utf8",
    },
  );
  t.is(stdout.match(/a-route-of-many/g)?.length, count);
});

test("the help names the reference of the keys, which is there", (t) => {
  const path = /^The configuration's keys: (\/.*)$/m.exec(run("--help").out)?.[1] ?? "";
  t.true(existsSync(path), path);
});

test("the help names each command, and that of serve its options", (t) => {
  const { status, out } = run("--help");
  t.is(status, 0);
  for (const command of [
    "serve [options] [file]",
    "check [file]",
    "routes [file]",
    "doctor [options] [file]",
  ])
    t.true(out.includes(`\n  ${command} `), command);
  const serve = run("serve", "--help");
  t.is(serve.status, 0);
  t.regex(serve.out, /^Usage: pinion serve \[options\] \[file\]$/m);
  t.regex(serve.out, /^ {2}-l, --listen <address> /m);
});

const DEMO = fileURLToPath(new URL("../../handlers/examples/pinion.yaml", import.meta.url));

test("routes: the pattern, the methods and the answer of each", (t) => {
  const { status, out } = run("routes", DEMO);
  t.is(status, 0);
  const rows = out.split("\n").map((line) => line.split(/ {2,}/));
  for (const row of [
    ["PATTERN", "METHODS", "ANSWER"],
    ["/hello/{name:string}", "GET HEAD POST PUT DELETE OPTIONS PATCH", "./hello.ts"],
    ["/results/{roll:int}", "GET HEAD", "./results.ts"],
    ["/echo", "POST PUT", "./echo.ts"],
    ["/robots.txt", "GET HEAD", "200, 14 bytes"],
    ["/-/ready", "GET HEAD", "health: ready"],
  ])
    t.deepEqual(
      rows.find(([pattern]) => pattern === row[0]),
      row,
    );
});

test("check: what is valid is counted", (t) => {
  const { status, out, error } = run("check", DEMO);
  t.deepEqual([status, out, error], [0, `${DEMO}: valid, 6 routes, 4 handlers\n`, ""]);
});

for (const command of ["check", "routes"]) {
  test(`${command}: what is wrong is said with its place`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "pinion-command-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "broken.yaml");
    writeFileSync(file, "routes:\n  - { path: /, respond: {}, timeot: 1s }\n");
    const { status, out, error } = run(command, file);
    t.deepEqual([status, out], [2, ""]);
    t.true(error.includes(`${file}:2:29: `), error);
    t.regex(error, /timeot/);
  });
}
