// A worker's end is that worker's alone: started requests get 502, queued ones are served by the next, native routes never
// stop.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const FILES = {
  "end.ts": `
    export default async (request) => {
      switch (request.params.how) {
        case "exit": process.exit(7);
        case "throw": setTimeout(() => { throw new Error("thrown in a timer"); }, 1); break;
        case "reject": void Promise.reject(new Error("nobody catches it")); break;
        case "heap": {
          const hoard = [];
          for (;;) hoard.push(new Array(100_000).fill(hoard.length));
        }
        case "late": setTimeout(() => process.exit(7), 200); break;
      }
      await new Promise(() => {});
    };`,
  "hello.ts": `export default () => "hello";`,
  "spin.ts": `export default () => { for (;;); };`,
  "slow.ts": `export default async () => { await new Promise((done) => setTimeout(done, 50)); return "slow"; };`,
};
const CONFIG = `
routes:
  - { path: "/end/{how:string}", handler: ./end.ts }
  - { path: /hello, handler: ./hello.ts }
  - { path: /slow, handler: ./slow.ts }
  - { path: /spin, handler: ./spin.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
timeouts: { spin: 2s }
`;

for (const how of ["exit", "throw", "reject", "heap"]) {
  test.serial(`a worker that ends by ${how} is replaced`, async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const kept = await Wire.connect(daemon.port);
    kept.send(get("/hello"));
    t.is((await kept.answer()).body, "hello");
    const ended = await fetchRaw(daemon.port, get(`/end/${how}`));
    t.is(ended.status, 502);
    // The connection outlived the worker, and its next request waits for the new one.
    kept.send(get("/native") + get("/hello"));
    t.is((await kept.answer()).body, "native");
    t.is((await kept.answer()).body, "hello");
    kept.close();
    t.is(await daemon.stop(), 0);
  });
}

test.serial(
  "native routes and queued requests do not notice a worker's death under load",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    let running = true;
    const statuses = new Map<number, number>();
    let native = 0;
    const clients = Array.from({ length: 8 }, async () => {
      const wire = await Wire.connect(daemon.port);
      while (running) {
        wire.send(get("/hello"));
        const answer = await wire.answer();
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      }
      wire.close();
    });
    const natives = Array.from({ length: 2 }, async () => {
      const wire = await Wire.connect(daemon.port);
      while (running) {
        wire.send(get("/native"));
        t.is((await wire.answer()).status, 200);
        native++;
      }
      wire.close();
    });
    // Between the deaths, until both have been answered again and again.
    const goesOn = async (): Promise<void> => {
      const [answers, natives] = [statuses.get(200) ?? 0, native];
      while ((statuses.get(200) ?? 0) < answers + 100 || native < natives + 100) {
        await new Promise((done) => setTimeout(done, 20));
      }
    };
    for (let i = 0; i < 3; i++) {
      await goesOn();
      t.is((await fetchRaw(daemon.port, get("/end/exit"))).status, 502);
    }
    await goesOn();
    running = false;
    await Promise.all([...clients, ...natives]);
    // Only what had been started is lost: at most one for each client and death.
    const others = [...statuses].filter(([status]) => status !== 200 && status !== 502);
    t.deepEqual(others, []);
  },
);

test.serial(
  "a worker that spins for ever is replaced, its queue is served by the next",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const spinning = fetchRaw(daemon.port, get("/spin"));
    await new Promise((done) => setTimeout(done, 100));
    const queued = Array.from({ length: 10 }, () => fetchRaw(daemon.port, get("/hello")));
    t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
    t.is((await spinning).status, 502);
    for (const answer of await Promise.all(queued)) t.is(answer.body, "hello");
  },
);

test.serial(
  "a crash loop is said by health, status and log, until a worker has lived",
  async (t) => {
    const daemon = await startDaemon(t, { config: `shards: 2\n${CONFIG}`, files: FILES });
    const looping = "503 workers end again and again";
    // Each on a connection of its own: they come to all shards.
    const ready = async (times = 12): Promise<string[]> => {
      const said = new Set<string>();
      for (let i = 0; i < times; i++) {
        const { status, body } = await fetchRaw(daemon.port, get("/-/ready"));
        said.add(`${status} ${body.trim()}`);
      }
      return [...said];
    };
    t.deepEqual(await ready(), ["200 ready"]);
    // On one connection: one shard's workers.
    const kept = await Wire.connect(daemon.port);
    for (let deaths = 0; deaths < 5; deaths++) {
      t.false((await ready()).includes(looping));
      kept.send(get("/end/exit"));
      t.is((await kept.answer()).status, 502);
    }
    await daemon.said(/"message":"workers of this shard end again and again[^\n]*"deaths":5/);
    t.deepEqual(await ready(), [looping]);
    // The next worker lives and serves; how long is not known yet.
    kept.send(get("/hello"));
    t.is((await kept.answer()).body, "hello");
    t.deepEqual(await ready(), [looping]);
    t.is((await fetchRaw(daemon.port, get("/-/live"))).status, 200);
    t.regex(daemon.output(), /worker is live/);
    await shardStatus(daemon);
    await daemon.said(/"message":"status"[^\n]*"crashLoop":true/);
    while ((await ready()).includes(looping)) await new Promise((done) => setTimeout(done, 500));
    t.deepEqual(await ready(), ["200 ready"]);
    t.regex(daemon.output(), /no crash loop any more/);
    kept.close();
    t.is(await daemon.stop(), 0);
  },
);
