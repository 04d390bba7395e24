// A worker that breaks the rules of shared memory (SECURITY.md): it loses its lane and is replaced, and the others notice
// nothing. A handler gets hold of the mapping through what the runtime calls, as no handler should.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  // The word that the runtime stores last of an answer is the response ring's count; the first, the request ring's.
  "break.ts": `
    import { existsSync, writeFileSync } from "node:fs";
    const { store } = Atomics;
    let spoil;
    Atomics.store = (words, index, value) => store(words, index, spoil === undefined ? value : spoil(words, index, value));
    const ways = {
      // A count that cannot be; the thread sleeps on.
      count: (words, index, value) => value + 1_000_000,
      // An entry for a slot that does not exist, on whatever ring this is: its entries lie behind the lane's words.
      slot: (words, index, value) => { for (let i = index - 32; i < index + 4096; i++) words[i] |= 0x7fff0000; return value; },
      // And then JavaScript holds the thread.
      spin: (words, index, value) => {
        store(words, index, value + 1_000_000);
        writeFileSync("begun", "");
        for (;;);
      },
    };
    export default (request) => {
      spoil = ways[request.params.way];
      return "broken";
    };`,
  "id.ts": `import { threadId } from "node:worker_threads";
    export default () => String(threadId);`,
  "never.ts": `export default () => new Promise(() => {});`,
};
const CONFIG = `
routes:
  - { path: "/break/{way}", handler: ./break.ts }
  - { path: /id, handler: ./id.ts }
  - { path: /never, handler: ./never.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
timeouts: { handler: 10m }
limits: { slots: 64, queue: 64 }
`;

for (const way of ["count", "slot", "spin"]) {
  test.serial(`a worker that breaks its lane is replaced: ${way}`, async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const kept = await Wire.connect(daemon.port);
    kept.send(get("/id"));
    const first = (await kept.answer()).body;
    const before = await shardStatus(daemon);
    const never = fetchRaw(daemon.port, get("/never"));
    for (let status = before; status.started === 0; await sleep(5))
      status = await shardStatus(daemon);

    const breaking = fetchRaw(daemon.port, get(`/break/${way}`));
    // What its worker had begun is lost, at once; the connections stay.
    t.is((await breaking).status, 502);
    t.is((await never).status, 502);
    kept.send(get("/native") + get("/id"));
    t.is((await kept.answer()).body, "native");
    const second = await kept.answer();
    t.is(second.status, 200);
    t.not(second.body, first);
    const [line] = await daemon.said(/.*worker broke the rules of shared memory.*/);
    t.like(JSON.parse(line), { level: "error", shard: 0, lane: 0, restartMs: 0 });

    // And again: the next one waits, and its requests for it.
    t.is((await fetchRaw(daemon.port, get(`/break/${way}`))).status, 502);
    const third = await fetchRaw(daemon.port, get("/id"));
    t.is(third.status, 200);
    t.false([first, second.body].includes(third.body));
    await daemon.said(/broke the rules[^\n]*"restartMs":100/);
    // The threads have ended, and their lanes, slots and segments are back.
    for (let i = 0; i < 600; i++) {
      const { lanes } = await shardStatus(daemon);
      if (lanes.filter((state) => state !== 0).length === 1) break;
      await sleep(20);
    }
    kept.close();
    const { lanes, brokenLanes } = await shardStatus(daemon);
    t.is(lanes.filter((state) => state !== 0).length, 1);
    t.truthy(brokenLanes);
    await settlesTo(t, daemon, { ...before, connections: 0 }, `after ${way}`);
    t.is(await daemon.stop(), 0);
  });
}

test.serial("a lane that breaks during a drain keeps it from nothing", async (t) => {
  const daemon = await startDaemon(t, {
    config: CONFIG.replace("timeouts: {", "timeouts: { drain: 10m,"),
    files: FILES,
  });
  const [never, breaks, waits] = [
    await Wire.connect(daemon.port),
    await Wire.connect(daemon.port),
    await Wire.connect(daemon.port),
  ];
  never.send(get("/never"));
  // Heads that are under way when the drain begins.
  breaks.send("GET /break/count HTTP/1.1\r\nHost: ");
  waits.send("GET /id HTTP/1.1\r\nHost: ");
  for (let { started, connections } = await shardStatus(daemon); started < 1 || connections < 3;)
    ({ started, connections } = await shardStatus(daemon));
  daemon.signal("SIGTERM");
  await daemon.said(/SIGTERM: draining/);
  breaks.send("test\r\n\r\n");
  t.is((await breaks.answer()).status, 502);
  t.is((await never.answer()).status, 502);
  waits.send("test\r\n\r\n");
  t.is((await waits.answer()).status, 200);
  t.is(await daemon.exited, 0);
  for (const wire of [never, breaks, waits]) wire.close();
});
