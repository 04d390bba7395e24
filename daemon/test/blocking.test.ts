// While JavaScript holds the core, the shard's native routes go on being answered; and what blocks delays nothing else
// afterwards. However long that takes: a block has begun when a file is there, and ends when another one is.
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { startDaemon, type Daemon } from "./support/daemon.js";
import { isQuiet } from "./support/quiet.js";
import { shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  "block.ts": `
    import { existsSync, readFile, writeFileSync } from "node:fs";
    const begin = () => writeFileSync("begun", "");
    const spin = (done) => {
      begin();
      do {
        for (const end = performance.now() + 5; performance.now() < end;);
      } while (!existsSync("over"));
      done?.();
    };
    export default async (request) => {
      switch (request.params.where) {
        case "handler": spin(); break;
        case "timer": await new Promise((done) => setTimeout(spin, 5, done)); break;
        case "continuation": await null; spin(); break;
        case "immediate": await new Promise((done) => setImmediate(spin, done)); break;
        case "poll": await new Promise((done) => readFile("block.ts", () => spin(done))); break;
        case "collection": {
          const { setFlagsFromString } = await import("node:v8");
          setFlagsFromString("--expose-gc");
          const { runInNewContext } = await import("node:vm");
          const gc = runInNewContext("gc");
          const keep = [];
          for (let i = 0; i < 400_000; i++) keep.push({ i, next: keep[i - 1] });
          for (begin(); !existsSync("over");) gc();
          globalThis.kept = keep.length;
          break;
        }
      }
      return "blocked in " + request.params.where;
    };`,
  "hello.ts": `export default () => "hello";`,
};
const CONFIG = `
routes:
  - { path: "/block/{where:string}", handler: ./block.ts }
  - { path: /hello, handler: ./hello.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;

/** A request whose handler blocks from now on, until `over`. */
async function block(
  daemon: Daemon,
  where: string,
): Promise<{ wire: Wire; over: () => Promise<void> }> {
  const [begun, over] = [join(daemon.folder, "begun"), join(daemon.folder, "over")];
  await Promise.all([rm(begun, { force: true }), rm(over, { force: true })]);
  const wire = await Wire.connect(daemon.port);
  wire.send(get(`/block/${where}`));
  while (!existsSync(begun)) await sleep(5);
  return { wire, over: () => writeFile(over, "") };
}

async function nativeAnswersDuring(
  t: ExecutionContext,
  daemon: Daemon,
  where: string,
): Promise<void> {
  const kept = await Wire.connect(daemon.port);
  const { wire, over } = await block(daemon, where);
  for (let i = 0; i < 100; i++) {
    kept.send(get("/native"));
    t.is((await kept.answer()).body, "native");
    // A new connection is accepted meanwhile, too.
    if (i % 10 === 0) t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
  }
  t.is(wire.unread, "");
  await over();
  t.is((await wire.answer()).body, `blocked in ${where}`);
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  wire.close();
  kept.close();
}

for (const where of ["handler", "timer", "continuation", "immediate", "poll", "collection"]) {
  test.serial(`native routes are answered while JavaScript is blocked in a ${where}`, async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    await nativeAnswersDuring(t, daemon, where);
  });
}

test.serial(
  "requests for handlers wait for the one that blocks, and are all answered after it",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const { wire, over } = await block(daemon, "handler");
    const waiting = Array.from({ length: 50 }, () => fetchRaw(daemon.port, get("/hello")));
    while ((await shardStatus(daemon)).connections < 51) await sleep(5);
    await over();
    for (const answer of await Promise.all(waiting)) t.is(answer.body, "hello");
    t.is((await wire.answer()).body, "blocked in handler");
    wire.close();
  },
);

test.serial("an idle daemon uses no CPU, with idle connections and after load", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const idle = await Promise.all(Array.from({ length: 50 }, () => Wire.connect(daemon.port)));
  for (let i = 0; i < 200; i++) await fetchRaw(daemon.port, get("/hello"));
  await isQuiet(t, daemon, "after load");
  for (const wire of idle) wire.close();
});

test.serial("timers keep their time beside requests and after a handler has blocked", async (t) => {
  const daemon = await startDaemon(t, {
    config: `
routes:
  - { path: "/timer/{ms:int}", handler: ./timer.ts }
  - { path: /spin, handler: ./spin.ts }
  - { path: /hello, handler: ./hello.ts }
`,
    files: {
      ...FILES,
      "timer.ts": `export default async (request) => {
        const start = performance.now();
        await new Promise((done) => setTimeout(done, request.params.ms));
        return { waited: performance.now() - start };
      };`,
      "spin.ts": `export default () => { const end = Date.now() + 300; while (Date.now() < end); return "spun"; };`,
    },
  });
  const lateness = async (): Promise<number> => {
    const answer = await fetchRaw(daemon.port, get("/timer/50"));
    return (JSON.parse(answer.body) as { waited: number }).waited - 50;
  };
  const idle: number[] = [];
  for (let i = 0; i < 10; i++) idle.push(await lateness());
  // Beside a request every few milliseconds on another connection.
  const wire = await Wire.connect(daemon.port);
  let running = true;
  const load = (async () => {
    while (running) {
      wire.send(get("/hello"));
      await wire.answer();
      await new Promise((resolve) => setTimeout(resolve, 4));
    }
  })();
  const beside: number[] = [];
  for (let i = 0; i < 10; i++) beside.push(await lateness());
  t.is((await fetchRaw(daemon.port, get("/spin"))).body, "spun");
  const after: number[] = [];
  for (let i = 0; i < 10; i++) after.push(await lateness());
  running = false;
  await load;
  wire.close();
  const median = (values: number[]): number =>
    [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
  // Not late by more than a few of the shard's ticks compared with the same timer on the idle shard.
  t.true(
    median(beside) < median(idle) + 20,
    `beside requests ${median(beside)}, idle ${median(idle)}`,
  );
  t.true(median(after) < median(idle) + 20, `after a block ${median(after)}, idle ${median(idle)}`);
});
