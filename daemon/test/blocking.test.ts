// While JavaScript holds the core, the shard's native routes go on being answered; and what blocks delays nothing else
// afterwards. However long that takes: a native answer during the block has to come before the block ends.
import test, { type ExecutionContext } from "ava";
import { cpuMs, startDaemon, type Daemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const BLOCK_MS = 1500;
const FILES = {
  "block.ts": `
    const spin = (ms) => { const end = Date.now() + ms; while (Date.now() < end); };
    export default async (request) => {
      const ms = ${BLOCK_MS};
      switch (request.params.where) {
        case "handler": spin(ms); break;
        case "timer": await new Promise((done) => setTimeout(() => { spin(ms); done(undefined); }, 5)); break;
        case "continuation": await null; spin(ms); break;
        case "immediate": await new Promise((done) => setImmediate(() => { spin(ms); done(undefined); })); break;
        case "poll": {
          const { readFile } = await import("node:fs");
          await new Promise((done) => readFile(new URL(import.meta.url), () => { spin(ms); done(undefined); }));
          break;
        }
        case "collection": {
          const { setFlagsFromString } = await import("node:v8");
          setFlagsFromString("--expose-gc");
          const { runInNewContext } = await import("node:vm");
          const gc = runInNewContext("gc");
          const keep = [];
          for (let i = 0; i < 400_000; i++) keep.push({ i, next: keep[i - 1] });
          const end = Date.now() + ms;
          while (Date.now() < end) gc();
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

async function nativeAnswersDuring(
  t: ExecutionContext,
  daemon: Daemon,
  where: string,
): Promise<void> {
  const blocked = await Wire.connect(daemon.port);
  const kept = await Wire.connect(daemon.port);
  kept.send(get("/native"));
  await kept.answer();
  blocked.send(get(`/block/${where}`));
  let done = false;
  const answer = blocked.answer().then((result) => {
    done = true;
    return result;
  });
  // Until the block has begun.
  await new Promise((resolve) => setTimeout(resolve, 100));
  let during = 0;
  while (!done) {
    kept.send(get("/native"));
    t.is((await kept.answer()).body, "native");
    // A new connection is accepted meanwhile, too.
    if (during % 10 === 0) t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
    if (!done) during++;
  }
  t.is((await answer).body, `blocked in ${where}`);
  // At one answer a time-slice there would be hundreds; a server that stands still has none.
  t.true(during > 20, `${during} native answers while JavaScript was blocked in ${where}`);
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  blocked.close();
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
    const blocked = fetchRaw(daemon.port, get("/block/handler"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const waiting = await Promise.all(
      Array.from({ length: 50 }, () => fetchRaw(daemon.port, get("/hello"))),
    );
    t.true(waiting.every((answer) => answer.body === "hello"));
    t.is((await blocked).body, "blocked in handler");
  },
);

test.serial("an idle daemon uses no CPU, with idle connections and after load", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const idle = await Promise.all(Array.from({ length: 50 }, () => Wire.connect(daemon.port)));
  for (let i = 0; i < 200; i++) await fetchRaw(daemon.port, get("/hello"));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const before = await cpuMs(daemon.pid);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const used = (await cpuMs(daemon.pid)) - before;
  // One percent of a core would be 30 ms; the clock of /proc ticks every 10.
  t.true(used <= 20, `${used} ms of CPU in 3 s`);
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
