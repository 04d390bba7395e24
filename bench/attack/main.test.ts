// The whole of it, small: real daemons, real attackers. What it measures is not asserted, the machine may be slow.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { OverloadTrial } from "./overload.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

/** What no slow machine explains: the server has ended, holds what is over, or its arena is not as configured. */
const BROKEN = /^(leak|the server|arena)\b/;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

function run(...words: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
  return new Promise((done) => {
    child.once("close", (code) => {
      clearTimeout(timer);
      done({ code, stdout, stderr });
    });
  });
}

test("attacks a daemon of its own and a peer, and prints a row for each", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pinion-attack-test-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "figures.json");
  const small = ["--seconds", "2", "--connections", "20", "--rate", "50", "--json", file];
  const { code, stdout, stderr } = await run(
    ...["--io", "epoll", "--beside", "node", "--only", "reset-storm", ...small],
  );
  t.true(code === 0 || code === 1, stderr);
  const trials = JSON.parse(await readFile(file, "utf8")) as OverloadTrial[];
  t.deepEqual(
    trials.map((each) => `${each.server}, ${each.attack}`),
    ["pinion epoll, reset-storm", "node:http, reset-storm"],
  );
  for (const { server, attack, good, memory, tried, verdict } of trials) {
    const what = `${server}, ${attack}: ${tried}`;
    t.regex(stdout, new RegExp(`^${server} +${attack} +\\d.* (pass|FAIL)$`, "m"));
    t.true(stdout.includes(what));
    t.is(stdout.includes(`${attack} FAIL`), false);
    for (const phase of ["before", "during", "after"]) {
      for (const route of ["native", "javascript"]) {
        t.true((good.phases[phase]?.[route]?.rate ?? 0) > 0, `${what}: ${route} ${phase}`);
      }
    }
    t.true(memory.peakBytes > 0 && memory.beforeBytes > 0);
    t.is(verdict.pass, verdict.failures.length === 0);
    t.deepEqual(
      verdict.failures.filter((each) => BROKEN.test(each)),
      [],
      what,
    );
    const opened = Number(/([\d,]+) opened/.exec(tried)?.[1]?.replaceAll(",", ""));
    t.true(opened > 40, what);
  }
});

test("overloads a daemon and learns what reached its handlers", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "pinion-attack-test-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "figures.json");
  const { code, stderr } = await run(
    ...["--io", "epoll", "--only", "overload", "--seconds", "2", "--rate", "50", "--json", file],
  );
  t.true(code === 0 || code === 1, stderr);
  const [trial] = JSON.parse(await readFile(file, "utf8")) as OverloadTrial[];
  t.deepEqual(
    trial?.verdict.failures.filter((each) => BROKEN.test(each)),
    [],
  );
  const load = trial?.overload;
  t.truthy(load);
  if (load === undefined) return;
  t.true(load.capacity > 0 && load.capacity < 1000, `a millisecond each: ${load.capacity}/s`);
  t.true(load.during.offered > load.half.offered);
  t.true(load.half.accepted.count > 0);
  t.true(load.overs.reset > 0 && load.overs.closed > 0);
});
