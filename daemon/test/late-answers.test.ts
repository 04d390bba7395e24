// Handlers that answer after their time, or never.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const LATE = {
  "hello.ts": `export default () => "hello";`,
  "late.ts": `
    const answers = {
      text: () => "late text", large: () => "l".repeat(300_000), json: () => ({ late: true }),
      stream: async function* () { yield "late "; yield "stream"; },
    };
    export default async (request) => {
      globalThis.begun = (globalThis.begun ?? 0) + 1;
      await new Promise((done) => setTimeout(done, 1000));
      globalThis.late = (globalThis.late ?? 0) + 1;
      return answers[request.params.kind]();
    };`,
  "count.ts": `export default () => ({ begun: globalThis.begun ?? 0, late: globalThis.late ?? 0 });`,
  "never.ts": `export default (request) => new Promise(() => { request.signal.addEventListener("abort", () => { globalThis.reason = request.signal.reason.code; }); });`,
  "reason.ts": `export default () => globalThis.reason ?? "none";`,
  "gate.ts": `import { existsSync } from "node:fs";
    export default async () => {
      while (!existsSync("go")) await new Promise((done) => setTimeout(done, 5));
      return "through the gate";
    };`,
  "block.ts": `export default () => { const end = Date.now() + 900; while (Date.now() < end); return "too late"; };`,
};
const LATE_CONFIG = `
routes:
  - { path: "/late/{kind}", handler: ./late.ts, timeout: 300ms }
  - { path: /never, handler: ./never.ts }
  - { path: /gate, handler: ./gate.ts }
  - { path: /block, handler: ./block.ts, timeout: 300ms }
  - { path: /hello, handler: ./hello.ts, timeout: 20s }
  - { path: /count, handler: ./count.ts, timeout: 20s }
  - { path: /reason, handler: ./reason.ts, timeout: 20s }
timeouts: { handler: 400ms }
limits: { slots: 64, queue: 64 }
`;

test("what is answered after the 504 is dropped, and the connection goes on", async (t) => {
  const daemon = await startDaemon(t, { config: LATE_CONFIG, files: LATE });
  const before = await shardStatus(daemon);
  const kinds = ["text", "large", "json", "stream", "block"];
  const wires = await Promise.all(kinds.map(() => Wire.connect(daemon.port)));
  const counted = async (what: "begun" | "late"): Promise<number> => {
    const { body } = await fetchRaw(daemon.port, get("/count"));
    return (JSON.parse(body) as Record<typeof what, number>)[what];
  };
  for (const [i, wire] of wires.entries()) {
    const last = i === kinds.length - 1;
    // Behind the one that blocks, the others would be given up before they have begun.
    for (let n = 0; last && n < 100 && (await counted("begun")) < i; n++) await sleep(1);
    wire.send(get(last ? "/block" : `/late/${kinds[i]}`) + get("/hello"));
  }
  for (const [i, wire] of wires.entries()) {
    const answer = await wire.answer();
    t.is(answer.status, 504, kinds[i]);
    // The next one on the connection gets its own answer.
    const next = await wire.answer();
    t.is(next.body, "hello", kinds[i]);
  }
  for (let i = 0; i < 300 && (await counted("late")) < 4; i++) await sleep(20);
  t.is(await counted("late"), 4);
  for (const wire of wires) {
    t.is(wire.unread, "");
    wire.send(get("/hello"));
    t.is((await wire.answer()).body, "hello");
    wire.close();
  }
  await settlesTo(t, daemon, before, "after late answers");
});

test("a handler that never answers gets its signal, and its client a 504", async (t) => {
  const daemon = await startDaemon(t, { config: LATE_CONFIG, files: LATE });
  t.is((await fetchRaw(daemon.port, get("/never"))).status, 504);
  let reason = "none";
  for (let i = 0; i < 300 && reason === "none"; i++) {
    await sleep(10);
    reason = (await fetchRaw(daemon.port, get("/reason"))).body;
  }
  t.is(reason, "PINION_TIMED_OUT");
});

test("handlers that never answer do not use up the slots", async (t) => {
  const daemon = await startDaemon(t, {
    config: LATE_CONFIG.replace("slots: 64, queue: 64", "slots: 8, queue: 8"),
    files: LATE,
  });
  for (let round = 0; round < 3; round++) {
    const stuck = Array.from({ length: 6 }, () => fetchRaw(daemon.port, get("/never")));
    for (const answer of await Promise.all(stuck)) t.is(answer.status, 504);
  }
  t.is((await fetchRaw(daemon.port, get("/reason"))).status, 200);
  t.is((await shardStatus(daemon)).started, 0);
});

test("beyond limits.abandoned a request keeps its slot until its handler is done", async (t) => {
  const daemon = await startDaemon(t, {
    config: LATE_CONFIG.replace("slots: 64", "abandoned: 5KiB, slots: 64"), // of two: 2 KiB each, and the request
    files: LATE,
  });
  const before = await shardStatus(daemon);
  const stuck = await Promise.all([1, 2, 3, 4, 5].map(() => fetchRaw(daemon.port, get("/gate"))));
  for (const answer of stuck) t.is(answer.status, 504);
  let status = before;
  for (let i = 0; i < 300 && status.slotsFree !== before.slotsFree - 3; i++) {
    await sleep(10);
    status = await shardStatus(daemon);
  }
  t.is(status.slotsFree, before.slotsFree - 3);
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  await writeFile(join(daemon.folder, "go"), "");
  await settlesTo(t, daemon, before, "when they are done");
});
