// What the README shows works: its files, its commands, their output. Blocks are marked after the language: `file=NAME` is
// written, `run` is run, `serve` is started and stays, `output` is what the command before it has to print.
import test from "ava";
import { execFileSync } from "node:child_process";
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

test("the README's commands do what it says", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-readme-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const pinion = join(folder, "pinion");
  writeFileSync(
    pinion,
    `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/dist/daemon/main.js" "$@"\n`,
  );
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
    } else {
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
