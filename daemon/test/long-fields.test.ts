// Answers whose fields are longer than a segment, in arenas so small that no piece of memory may be as long as they.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { Wire } from "./support/wire.js";

const get = (target: string, method = "GET"): string =>
  `${method} ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const FILES = {
  "hello.ts": `export default () => "hello";`,
  "long.ts": `import { reply } from "pinion";
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
async function* parts(count) { for (let i = 0; i < count; i++) { await pause(1); yield "p".repeat(1000); } }
const bodies = { text: () => "t".repeat(5000), bytes: () => Buffer.alloc(300, "b"), none: () => null, json: () => ({ a: 1 }),
  stream: () => parts(3), large: () => "l".repeat(40_000) };
export default async ({ params, query }) => {
  await pause(Math.random() * 5);
  const fields = { "X-Long": "v".repeat(params.bytes), "X-Behind": "behind" };
  const trailers = query.has("trailers") ? { "X-Trailer": "w".repeat(Number(query.get("trailers"))) } : undefined;
  return reply(200, bodies[params.body](), fields, { trailers });
};`,
};
const LENGTHS: Record<string, number> = {
  text: 5000,
  bytes: 300,
  none: 0,
  json: 7,
  stream: 3000,
  large: 40_000,
};
const CONFIG = `
routes:
  - { path: "/long/{body}/{bytes:int}", handler: ./long.ts }
  - { path: /hello, handler: ./hello.ts }
`;

test("answers with 6 to 32 KiB of fields, many at a time in an arena of 1 MiB, all arrive", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${CONFIG}limits: { arena: 1MiB, slots: 128, connection: 64KiB, connections: 200 }\n`,
    files: FILES,
  });
  const before = await shardStatus(daemon);
  const bodies = Object.keys(LENGTHS);
  await Promise.all(
    Array.from({ length: 40 }, async (_, client) => {
      const wire = await Wire.connect(daemon.port);
      for (let i = 0; i < 25; i++) {
        const body = bodies[(client + i) % bodies.length] ?? "";
        // With the most that there may be, an answer is longer than the longest run of credits here.
        const bytes = i % 8 === 7 ? 32_600 : 6000 + ((client * 997 + i * 1409) % 9000);
        const method = i % 9 === 4 ? "HEAD" : "GET";
        const trailers = body === "stream" ? "?trailers=4000" : "";
        wire.send(get(`/long/${body}/${bytes}${trailers}`, method));
        const answer = await wire.answer(method);
        const what = `${method} ${body} ${bytes}`;
        if (answer.status !== 200) t.fail(`${what}: ${answer.raw.slice(0, 200)}`);
        if (answer.fields.get("x-long") !== "v".repeat(bytes)) t.fail(what);
        if (answer.fields.get("x-behind") !== "behind") t.fail(what);
        if (method === "GET" && answer.body.length !== LENGTHS[body]) t.fail(what);
        if (method === "GET" && trailers !== "" && !answer.raw.includes("w".repeat(4000)))
          t.fail(what);
      }
      wire.close();
    }),
  );
  await settlesTo(t, daemon, before, "after long fields");
  t.false(daemon.output().includes("worker ended"));
});

test("in the smallest arena an answer may have a sixteenth of it, and more is a 500", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${CONFIG}limits: { arena: 64KiB, slots: 2, connection: 20KiB, connections: 50 }\n`,
    files: FILES,
  });
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const wire = await Wire.connect(daemon.port);
      for (let i = 0; i < 20; i++) {
        wire.send(get("/long/text/4000"));
        const answer = await wire.answer();
        if (answer.fields.get("x-long")?.length !== 4000) t.fail(answer.raw.slice(0, 200));
      }
      wire.send(get("/long/text/4100"));
      t.is((await wire.answer()).status, 500);
      wire.send(get("/hello"));
      t.is((await wire.answer()).body, "hello");
      wire.close();
    }),
  );
  await daemon.said(/the answer's fields have more than 4096 bytes/);
});
