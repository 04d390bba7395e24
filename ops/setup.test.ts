import test from "ava";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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

// Stand for the machine's: these install nothing, and write down what they are asked for, and as whom.
const APT_GET = `#!/bin/sh\necho "\${AS:-itself}, $DEBIAN_FRONTEND: $*" >>asked\n`;
const APT_GET_FAILS = `${APT_GET}echo "E: no such package"\nexit 100\n`;
const user = (id: number): string => `#!/bin/sh\necho ${id}\n`;
const SUDO = `#!/bin/sh\n[ "$1" = -n ] || exit 1\nshift\nAS=sudo "$@"\n`;
const SUDO_ASKS = "#!/bin/sh\nexit 1\n";

/** What install_packages says, how it ends, and what apt-get was asked for, with these programs in PATH. */
function install(programs: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "pinion-setup-"));
  try {
    const bin = join(folder, "bin");
    mkdirSync(bin);
    for (const tool of ["bash", "mkdir", "env", "tail"]) symlinkSync(which(tool), join(bin, tool));
    for (const [name, text] of Object.entries(programs))
      writeFileSync(join(bin, name), text, { mode: 0o755 });
    const { status, stdout } = spawnSync(
      "bash",
      ["-c", '. "$1" && install_packages g++ cmake', "sh", SETUP],
      { cwd: folder, env: { PATH: bin }, encoding: "utf8", timeout: 60_000 },
    );
    const asked = join(folder, "asked");
    const lines = existsSync(asked) ? readFileSync(asked, "utf8").trimEnd().split("\n") : [];
    return { status, said: stdout.trimEnd().split("\n"), asked: lines };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const INSTALL = "apt-get install -y --no-install-recommends g++ cmake";
const askedAs = (whom: string): string[] =>
  ["update", "install -y --no-install-recommends g++ cmake"].map(
    (command) => `${whom}, noninteractive: -o DPkg::Lock::Timeout=120 ${command}`,
  );

for (const [who, programs, whom] of [
  ["root", { id: user(0) }, "itself"],
  ["root, who needs no sudo,", { id: user(0), sudo: SUDO }, "itself"],
  ["sudo without a password", { id: user(1000), sudo: SUDO }, "sudo"],
] as const) {
  test(`${who} installs`, (t) => {
    t.deepEqual(install({ "apt-get": APT_GET, ...programs }), {
      status: 0,
      said: ["pinion: installing from the distribution: g++ cmake"],
      asked: askedAs(whom),
    });
  });
}

for (const [who, programs, command] of [
  ["has no sudo", {}, `su - -c 'apt-get update && ${INSTALL}'`],
  ["has to type a password", { sudo: SUDO_ASKS }, `sudo apt-get update && sudo ${INSTALL}`],
] as const) {
  test(`who ${who} is told the one command to type, and nothing is installed`, (t) => {
    const { status, said, asked } = install({
      "apt-get": APT_GET,
      id: user(1000),
      ...programs,
    });
    t.is(status, 1);
    t.regex(said[0] ?? "", /^pinion: missing: g\+\+ cmake\. Neither root nor sudo .* type:$/);
    t.deepEqual(said.slice(1), [`    ${command}`]);
    t.deepEqual(asked, []);
  });
}

for (const [who, programs, whom, command] of [
  ["root", { id: user(0) }, "itself", `apt-get update && ${INSTALL}`],
  ["sudo", { id: user(1000), sudo: SUDO }, "sudo", `sudo apt-get update && sudo ${INSTALL}`],
] as const) {
  test(`where apt-get fails as ${who}, the command that failed is told`, (t) => {
    const { status, said, asked } = install({ "apt-get": APT_GET_FAILS, ...programs });
    t.is(status, 1);
    t.deepEqual(said, [
      "pinion: installing from the distribution: g++ cmake",
      "pinion: apt-get failed, see build/apt.log; the command was:",
      `    ${command}`,
    ]);
    // Where the lists cannot be had, nothing is installed from old ones.
    t.deepEqual(asked, askedAs(whom).slice(0, 1));
  });
}

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
