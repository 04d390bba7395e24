import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { parse } from "yaml";
import { prepare, runToEnd, SMALL } from "./daemon.js";

test("a daemon that does not end is killed, and what it said is shown", async (t) => {
  const folder = await prepare(t, { config: "routes: []\n" });
  const wrapper = ["sh", "-c", "echo hung as $$; exec sleep 600"];
  const error = await t.throwsAsync(runToEnd(t, folder, { wrapper }, 5000));
  const [, pid = ""] =
    /^the daemon did not end within 5000 ms:\nhung as (\d+)$/m.exec(error.message) ?? [];
  t.not(pid, "", error.message);
  const lives = () => {
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  };
  for (let n = 0; n < 500 && lives(); n++) await new Promise((done) => setTimeout(done, 20));
  t.false(lives());
});

test("a limit that a configuration names is kept, and at the smallest sizes all others are small", async (t) => {
  for (const [named, arena] of [
    [{ arena: "1MiB" }, "1MiB"],
    [{ connection: "256KiB" }, 512 * 1024],
  ] as const) {
    const limits = JSON.stringify(named);
    const folder = await prepare(t, { config: `routes: []\nlimits: ${limits}\n` });
    const text = await readFile(join(folder, "pinion.yaml"), "utf8");
    const all = { connection: "20KiB", slots: 2, queue: 10_000, arena, ...named };
    t.deepEqual((parse(text) as { limits: object }).limits, SMALL ? all : named);
  }
});
