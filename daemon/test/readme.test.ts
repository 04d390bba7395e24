// What the README shows works: its files, its commands, their output. Blocks are marked after the language: `file=NAME`
// is written, `run` is run, `serve` is started and stays, `output` is what the command before it has to print, `config`
// is a configuration without a mistake, `refused` is what a mistake prints, `project` is run in a project of its own if
// PINION_TEST_INSTALL=1 allows npm to install.
import test, { type ExecutionContext } from "ava";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, ROOT, type Daemon } from "./support/daemon.js";

interface Block {
  mark: string;
  text: string;
}

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const blocks: Block[] = [...README.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)].map(
  ([, mark = "", text = ""]) => ({ mark, text }),
);

const MAIN = join(ROOT, "dist/daemon/main.js");

const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/\s+# .*$/, "").trim())
    .filter((line) => line !== "");

/** What no test here runs, and what does. */
const ELSEWHERE: Record<string, string> = {
  "./ops/run": "the step run of ops/test, on a free port",
  "./ops/run my.yaml": "the step run of ops/test, with the demo's configuration",
  "./ops/test": "runs this test",
  "npm run bench -- all": "the step bench of ops/test, whose work is `check`",
  "npm run bench -- hello": "the step bench of ops/test, whose work is `check`",
  "npm run attack": "bench/attack/main.test.ts",
  "pinion --help": "daemon/command-line.test.ts",
  "npx tsc": "the test of a project, below",
};

test("every command of the README is run, here or elsewhere", (t) => {
  const fences = [...README.matchAll(/^```sh(.*)\n([\s\S]*?)^```$/gm)];
  const run = new Set<string>();
  const shown = new Set<string>();
  for (const [, mark = "", text = ""] of fences) {
    for (const line of linesOf(text)) (mark === "" ? shown : run).add(line);
  }
  const prose = README.replaceAll(/^```[\s\S]*?^```$/gm, "");
  for (const [, code = ""] of prose.matchAll(/`((?:\.\/ops\/|np[mx] |pinion )[^`]+)`/g))
    shown.add(code);
  t.deepEqual(
    [...shown].filter((command) => !run.has(command)).sort(),
    Object.keys(ELSEWHERE).sort(),
  );
});

test("the README's commands do what it says", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-readme-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const pinion = join(folder, "pinion");
  writeFileSync(pinion, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  execFileSync("chmod", ["+x", pinion]);
  const env = { ...process.env, PATH: `${folder}:${process.env["PATH"]}` };

  let daemon: Daemon | undefined;
  let printed = "";
  for (const { mark, text } of blocks) {
    if (mark.startsWith("file=")) {
      // The port may be taken on the machine that runs the tests.
      writeFileSync(join(folder, mark.slice(5)), text.replace("127.0.0.1:8080", "127.0.0.1:0"));
    } else if (mark === "serve") {
      daemon = await launch(t, folder, {});
    } else if (mark === "run") {
      const command = text.replaceAll("http://127.0.0.1:8080", daemon?.url ?? "http://not.served");
      printed = execFileSync("sh", ["-ec", command], { cwd: folder, env, encoding: "utf8" });
      t.not(printed, "", command);
    } else if (!["project", "config", "refused"].includes(mark)) {
      t.is(mark, "output");
      t.is(printed, text);
    }
  }
  t.is(await daemon?.stop(), 0);
  // Its tsconfig.json, with what `npm install` would have put there.
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(ROOT, join(folder, "node_modules/pinion"));
  symlinkSync(join(ROOT, "node_modules/@types"), join(folder, "node_modules/@types"));
  const typescript = join(ROOT, "node_modules/typescript/bin/tsc");
  t.notThrows(() =>
    execFileSync(process.execPath, [typescript], { cwd: folder, encoding: "utf8" }),
  );
  t.true(blocks.length >= 8);
});

/** What `pinion check` says of a configuration, in a folder with whatever those of the README name. */
function checked(t: ExecutionContext, config: string): { status: number | null; said: string } {
  const folder = mkdtempSync(join(tmpdir(), "pinion-readme-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["data", "uploads"]) mkdirSync(join(folder, name));
  for (const name of ["hello.ts", "files.ts"])
    writeFileSync(join(folder, name), `export default () => "";\n`);
  writeFileSync(join(folder, "results.ts"), `export const factory = () => () => "";\n`);
  writeFileSync(join(folder, "results.csv"), "");
  writeFileSync(join(folder, "pinion.yaml"), config);
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "check"], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, said: stdout + stderr };
}

const textsOf = (wanted: string): string[] =>
  blocks.filter(({ mark }) => mark === wanted).map(({ text }) => text);

test("the README's configurations have no mistake", (t) => {
  t.deepEqual(
    textsOf("config").map((config) => checked(t, config)),
    ["0 routes, 0 handlers", "3 routes, 2 handlers"].map((counts) => ({
      status: 0,
      said: `pinion.yaml: valid, ${counts}\n`,
    })),
  );
});

test("a mistake in the README's configuration is shown as the README shows it", (t) => {
  const [config = ""] = textsOf("file=pinion.yaml");
  const { status, said } = checked(t, config.replace("handler:", "handlr:"));
  t.is(status, 2);
  t.deepEqual([said], textsOf("refused"));
});

test("every block of the README that is no command has a mark", (t) => {
  const unmarked = [...README.matchAll(/^```(\w+)$/gm)].map(([, language]) => language);
  t.deepEqual(
    unmarked.filter((language) => language !== "sh"),
    [],
  );
});

/** Files of the README in a new project, and beside it the checkout. */
function newProject(t: ExecutionContext): string {
  const parent = mkdtempSync(join(tmpdir(), "pinion-project-"));
  t.teardown(() => rmSync(parent, { recursive: true, force: true }));
  symlinkSync(ROOT, join(parent, "pinion"));
  const folder = join(parent, "app");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  for (const { mark, text } of blocks) {
    if (mark.startsWith("file="))
      writeFileSync(join(folder, mark.slice(5)), text.replace("127.0.0.1:8080", "127.0.0.1:0"));
  }
  return folder;
}

/** What `npx pinion serve` answers. A group of its own: npx does not hand every signal on. */
async function helloOf(t: ExecutionContext, command: string, folder: string): Promise<string> {
  const server = spawn("sh", ["-c", command], {
    cwd: folder,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(server, "exit");
  const timer = setTimeout(() => server.kill("SIGKILL"), 60_000);
  t.teardown(() => clearTimeout(timer));
  let output = "";
  for (const stream of [server.stdout, server.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  let url: string | undefined;
  while (url === undefined && server.exitCode === null && server.signalCode === null) {
    await new Promise((done) => setTimeout(done, 50));
    url = /serving (http:\/\/\S+)/.exec(output)?.[1];
  }
  try {
    if (url === undefined) throw new Error(`it does not serve:\n${output}`);
    return await (await fetch(`${url}/hello/world`)).text();
  } finally {
    if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, "SIGTERM");
    await ended;
  }
}

if (process.env["PINION_TEST_INSTALL"] === "1") {
  test("installed into a project of its own it serves, and the project's types are right", async (t) => {
    t.timeout(10 * 60 * 1000);
    const folder = newProject(t);
    const commands = linesOf(blocks.find(({ mark }) => mark === "project")?.text ?? "");
    t.is(commands.length, 4);
    for (const command of commands.slice(0, 3)) {
      const printed = execFileSync("sh", ["-ec", command], { cwd: folder, encoding: "utf8" });
      t.log(`${command}: ${printed.trim()}`);
      if (command.endsWith("check")) t.regex(printed, /^pinion\.yaml: valid, 1 route, 1 handler$/m);
    }
    t.is(await helloOf(t, commands[3] ?? "", folder), "Hello, world!\n");
    t.notThrows(() => execFileSync("npx", ["tsc"], { cwd: folder, encoding: "utf8" }));
    // What it would find wrong.
    writeFileSync(join(folder, "hello.ts"), "export default 5 satisfies string;\n");
    t.throws(() => execFileSync("npx", ["tsc"], { cwd: folder, stdio: "ignore" }));
  });
}
