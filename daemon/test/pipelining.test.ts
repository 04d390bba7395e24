// Pipelined requests whose handlers finish from the last to the first: the answers leave from the first to the last.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const COUNT = 12;
// Each kind of answer there is, so that each one also waits behind each other one.
const FILES = {
  "reverse.ts": `import { reply } from "pinion";
    const waiting = (globalThis.waiting ??= new Map());
    const finished = (globalThis.finished ??= []);
    const answers = [
      (id) => "text " + id,
      (id) => ({ json: id }),
      (id) => "large " + id + " " + "l".repeat(20_000),
      async function* (id) { yield "stream "; await new Promise((done) => setTimeout(done, 5)); yield String(id); },
      (id) => reply(201, new TextEncoder().encode("bytes " + id)),
      (id) => { throw new Error("on purpose " + id); },
    ];
    export default async (request) => {
      const { id } = request.params;
      await new Promise((done) => {
        waiting.set(id, done);
        if (waiting.size === ${COUNT}) release();
      });
      finished.push(id);
      return answers[id % answers.length](id);
    };
    // One by one, the event loop and a turn between each two.
    async function release() {
      for (let id = ${COUNT} - 1; id >= 0; id--) {
        await new Promise((done) => setTimeout(done, id === 0 ? 200 : 5));
        waiting.get(id)();
      }
      waiting.clear();
    }`,
  "finished.ts": `export default () => (globalThis.finished ?? []).splice(0);`,
};
const CONFIG = `
routes:
  - { path: "/reverse/{id:int}", handler: ./reverse.ts }
  - { path: /finished, handler: ./finished.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
limits: { slots: 64 }
log: { level: warn }
`;
const BODIES = [/^text 0$/, /^{"json":1}$/, /^large 2 l{20000}$/, /^stream 3$/, /^bytes 4$/];

test.serial("handlers that finish in reverse order: answers of every kind in order", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const ids = Array.from({ length: COUNT }, (_, id) => id);
  const wire = await Wire.connect(daemon.port);
  const other = await Wire.connect(daemon.port);
  for (let round = 0; round < 3; round++) {
    // A native answer waits among them, and one of the next batch behind them.
    wire.send(
      ids.map((id) => get(`/reverse/${id}`) + (id % 4 === 3 ? get("/native") : "")).join(""),
    );
    // All but the first have finished, and nothing has left.
    let finished: number[] = [];
    while (finished.length < COUNT - 1) {
      const before = wire.unread;
      other.send(get("/finished"));
      finished.push(...(JSON.parse((await other.answer()).body) as number[]));
      if (finished.length < COUNT) t.is(before, "");
    }
    for (const id of ids) {
      const answer = await wire.answer();
      t.true(answer.complete);
      const expected = BODIES[id % 6];
      if (expected === undefined) t.is(answer.status, 500);
      else t.regex(answer.body.replace(String(id), String(id % 6)), expected);
      if (id % 4 === 3) t.is((await wire.answer()).body, "native");
    }
    t.is(wire.unread, "");
    other.send(get("/finished"));
    finished = [...finished, ...(JSON.parse((await other.answer()).body) as number[])];
    t.deepEqual(finished, [...ids].reverse());
  }
  wire.close();
  other.close();
});
