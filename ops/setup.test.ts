import test from "ava";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SETUP = join(import.meta.dirname, "../../ops/setup.sh");
const TOOLS = ["bash", "dirname", "readlink"];
const NODE = `#!/bin/sh\nexec ${process.execPath} "$@"\n`;
const TOO_OLD = "#!/bin/sh\nexit 1\n";

const which = (tool: string): string =>
  spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim();

/** What setup_node says to whoever may not install, on a machine with nothing but `node` and, maybe, its headers. */
function setUp(node: string, headers: boolean): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), "pinion-setup-"));
  try {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    for (const tool of TOOLS) symlinkSync(which(tool), join(bin, tool));
    writeFileSync(join(bin, "node"), node, { mode: 0o755 });
    if (headers) {
      mkdirSync(join(folder, "include/node"), { recursive: true });
      writeFileSync(join(folder, "include/node/uv.h"), "");
    }
    // Without apt-get in PATH nothing is installed, whoever runs this.
    const { status, stdout } = spawnSync("bash", ["-c", '. "$1" && setup_node', "sh", SETUP], {
      cwd: folder,
      env: { PATH: bin },
      encoding: "utf8",
      timeout: 60_000,
    });
    return { status, said: stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const BUILD = "npm g++ cmake ninja-build liburing-dev";
const missing = (packages: string) =>
  `pinion: missing: ${packages} (named as Debian and Ubuntu do).`;

test("one command names npm and all that ops/run needs, libuv's headers too", (t) => {
  const { status, said } = setUp(NODE, false);
  t.is(status, 1);
  // The distribution's own headers do as well.
  const headers = existsSync("/usr/include/uv.h") ? "" : " libuv1-dev";
  t.true(said.startsWith(missing(BUILD + headers)), said);
});

test("a Node with its headers needs no package for them", (t) => {
  const { status, said } = setUp(NODE, true);
  t.is(status, 1);
  t.true(said.startsWith(missing(BUILD)), said);
});

test("nor does one that is fetched in place of one that is too old", (t) => {
  const { status, said } = setUp(TOO_OLD, false);
  t.is(status, 1);
  t.true(said.includes(`\n${missing(BUILD)}`), said);
});

test("what the tests run is installed: the README's commands need curl", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-setup-"));
  try {
    for (const tool of TOOLS) symlinkSync(which(tool), join(folder, tool));
    const asked = (): string[] =>
      spawnSync("bash", ["-c", '. "$1" && missing_for_test', "sh", SETUP], {
        env: { PATH: folder },
        encoding: "utf8",
      }).stdout.split("\n");
    t.true(asked().includes("curl"));
    writeFileSync(join(folder, "curl"), TOO_OLD, { mode: 0o755 });
    t.false(asked().includes("curl"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** What is shown of what ninja says, a look each second. */
const shown = (says: string): string[] =>
  spawnSync("bash", ["-c", `. "$1" && { ${says}; } | show_progress build/x 1`, "sh", SETUP], {
    encoding: "utf8",
    timeout: 60_000,
  }).stdout.split("\n");

test("a build says how far it is, also while nothing is finished", (t) => {
  const lines = shown("echo '[12/60] Building a'; sleep 3.5; echo 'a.cpp: warning: of something'");
  t.true(
    lines.filter((line) => /^pinion: build\/x: 12 of 60 steps after \d+ s$/.test(line)).length >= 2,
  );
  t.true(lines.includes("a.cpp: warning: of something"));
});

test("a build of which nothing is to be done says nothing", (t) => {
  t.deepEqual(
    shown("echo \"ninja: Entering directory \\`x'\"; sleep 2; echo 'ninja: no work to do.'"),
    [""],
  );
});
