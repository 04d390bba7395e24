// The stand-in's priority, where the process may raise it: above a worker that is overdue, and never above one that
// starts, which has to load beside it.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startDaemon, type Daemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  // Holds its thread until the file "end" is there, then ends its worker.
  "hold.ts": `import { existsSync, writeFileSync } from "node:fs";
    export default () => { writeFileSync("begun", ""); while (!existsSync("end")); process.exit(7); };`,
  // The next worker loads for as long as the file "load" is there.
  "hello.ts": `import { existsSync } from "node:fs";
    while (existsSync("load")) await new Promise((done) => setTimeout(done, 5));
    export default () => "hello";`,
};
const CONFIG = `
routes:
  - { path: /hold, handler: ./hold.ts }
  - { path: /hello, handler: ./hello.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;
// sched(7)
const SCHED_OTHER = 0;
const SCHED_FIFO = 1;

/** Policy and nice value of the stand-in's thread: fields 41 and 19 of proc_pid_stat(5). */
function standIn({ pid }: Daemon): { policy: number; nice: number } {
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    if (!stat.includes("(pinion-standin)")) continue;
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from field 3 on
    return { policy: Number(fields[41 - 3]), nice: Number(fields[19 - 3]) };
  }
  throw new Error("there is no stand-in");
}

function mayRaise(): boolean {
  try {
    execFileSync("chrt", ["-f", "1", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("while no worker lives the stand-in has the normal priority, also under a flood", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const path = (name: string): string => join(daemon.folder, name);
  let answered = 0;
  let running = true;
  const flood = Promise.all(
    Array.from({ length: 8 }, async () => {
      const wire = await Wire.connect(daemon.port);
      while (running) {
        wire.send(get("/native").repeat(8));
        for (let i = 0; i < 8; i++, answered++) t.is((await wire.answer()).body, "native");
      }
      wire.close();
    }),
  );
  flood.catch(() => {}); // awaited at the end
  const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
    for (let i = 0; i < 20_000; i++, await sleep(1)) if (await holds()) return;
    throw new Error(`it does not come about:\n${daemon.output()}`);
  };
  const goesOn = (): Promise<void> => {
    const from = answered;
    return until(() => answered >= from + 100);
  };

  const raises = mayRaise();
  const held = fetchRaw(daemon.port, get("/hold"));
  await until(() => existsSync(path("begun")));
  await writeFile(path("load"), "");
  if (raises) {
    // The worker is overdue: the priority is raised, within its budget.
    const seen = new Set<number>();
    for (let i = 0; i < 5000 && !seen.has(SCHED_FIFO); i++, await sleep(1))
      seen.add(standIn(daemon).policy);
    t.true(seen.has(SCHED_FIFO));
  } else t.log("this process may not raise priorities");

  await writeFile(path("end"), "");
  t.is((await held).status, 502);
  await until(async () => (await fetchRaw(daemon.port, get("/-/ready"))).status === 503);
  await goesOn();
  for (let i = 0; i < 50; i++) {
    await goesOn();
    t.deepEqual(standIn(daemon), { policy: SCHED_OTHER, nice: 0 });
  }
  // Under the same flood the next worker comes up.
  t.is((await fetchRaw(daemon.port, get("/-/ready"))).body, "no live worker\n");
  await rm(path("load"));
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  running = false;
  await flood;
  t.is(await daemon.stop(), 0);
});
