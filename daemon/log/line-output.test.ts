import test from "ava";
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LineOutput } from "./line-output.js";

test("a slow reader gets whole lines, and the count of those that it has lost", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-log-"));
  t.teardown(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const from = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const to = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const output = new LineOutput(to, (count) => `lost ${count}\n`);
  const buffer = Buffer.alloc(1 << 20);
  let text = "";
  const readAll = (): void => {
    for (;;) {
      try {
        const count = readSync(from, buffer);
        if (count === 0) return;
        text += buffer.toString("latin1", 0, count);
      } catch {
        return; // EAGAIN
      }
    }
  };
  const lines = Array.from({ length: 100 }, (_, i) => `${String(i).padEnd(4999, "x")}\n`);
  for (const line of lines) output.write(line);
  readAll();
  // The rest comes by itself.
  for (let i = 0; i < 500 && !text.includes("lost"); i++) {
    await sleep(20);
    readAll();
  }
  t.regex(text, /\nlost \d+\n$/);
  output.write("last\n");
  readAll();
  const seen = text.split("\n").slice(0, -1);
  const kept = seen.filter((line) => line.length === 4999).length;
  t.true(kept >= 5 && kept < 100, String(kept));
  t.deepEqual(seen.slice(kept), [`lost ${100 - kept}`, "last"]);
  closeSync(from);
  t.notThrows(() => {
    output.write("to nobody\n");
    output.write("nor this\n");
  });
  closeSync(to);
});
