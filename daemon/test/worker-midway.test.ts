// A worker that ends in the midst of what it does: of a streamed answer, of an upload, behind 100-continue, and while it
// loads. Nobody takes half an answer for a whole one, and what has not been started is served by the next one that lives.
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startDaemon, type Daemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string, version = "1.1"): string =>
  `GET ${target} HTTP/${version}\r\nHost: test\r\n\r\n`;
const post = (target: string, more: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: test\r\n${more}\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const PART = 20_000;
const PARTS = 3;
const UPLOAD = 100_000;

const ENDS = `
    export const ends = {
      exit() { process.exit(7); },
      throw() { setTimeout(() => { throw new Error("thrown where nobody catches it"); }, 0); },
      reject() { void Promise.reject(new Error("nobody catches it")); },
      heap() { const hoard = []; for (;;) hoard.push(new Array(100_000).fill(hoard.length)); },
      spin() { for (;;); },
    };
    export const never = () => new Promise(() => {});`;
const FILES = {
  "ends.ts": ENDS,
  "end.ts": `import { ends, never } from "./ends.ts";
    export default (request) => { setTimeout(() => ends[request.params.how](), 0); return never(); };`,
  "stream.ts": `import { reply } from "pinion"; import { never } from "./ends.ts";
    async function* parts() { for (let i = 0; i < ${PARTS}; i++) yield "s".repeat(${PART}); await never(); }
    export default (request) => request.query.has("length") ? reply(200, parts(), {}, 1_000_000) : parts();`,
  // Reads one part of the body; with ?whole all of it.
  "upload.ts": `import { never } from "./ends.ts";
    export default async (request) => {
      if (request.query.has("whole")) return { bytes: (await request.bytes()).length };
      for await (const part of request) await never();
    };`,
  "never.ts": `export { never as default } from "./ends.ts";`,
  // While there is a file "hold" it is being loaded; "end" says how that ends before.
  "id.ts": `import { existsSync, readFileSync, rmSync } from "node:fs";
    import { threadId } from "node:worker_threads";
    import { ends } from "./ends.ts";
    while (existsSync("hold")) {
      await new Promise((done) => setTimeout(done, 5));
      if (!existsSync("end")) continue;
      const how = readFileSync("end", "utf8");
      rmSync("end");
      if (how === "fail") throw new Error("it cannot be loaded");
      ends[how]();
    }
    export default () => String(threadId);`,
};
const CONFIG = `
routes:
  - { path: "/end/{how:string}", handler: ./end.ts }
  - { path: /stream, handler: ./stream.ts }
  - { path: /upload, methods: [POST], handler: ./upload.ts }
  - { path: /never, methods: [GET, POST], handler: ./never.ts }
  - { path: /id, handler: ./id.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
timeouts: { spin: 500ms, handler: 10m, body: 10m, keepAlive: 10m }
limits: { heap: 64MiB, slots: 64, queue: 64 }
`;

/** Until the whole of what the handler gives has come. */
async function begins(wire: Wire): Promise<void> {
  const count = (): number => wire.unread.split("s").length - 1;
  for (let i = 0; i < 4000 && count() < PART * PARTS; i++) await sleep(5);
  if (count() < PART * PARTS) throw new Error(`only ${count()} bytes of the stream have come`);
}

async function untilStarted(daemon: Daemon, requests: number): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    const { started, queued } = await shardStatus(daemon);
    if (started >= requests && queued === 0) return;
    await sleep(5);
  }
  throw new Error(`not ${requests} requests are started:\n${daemon.output()}`);
}

for (const how of ["exit", "throw", "reject", "heap", "spin"]) {
  test.serial(`a worker that ends by ${how} in the midst of answers and bodies`, async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const before = await shardStatus(daemon);
    const open = async (...bytes: string[]): Promise<Wire> => {
      const wire = await Wire.connect(daemon.port);
      for (const each of bytes) wire.send(each);
      return wire;
    };
    // With a request behind it that must not be answered, by any worker.
    const chunked = await open(get("/stream"), get("/id"));
    const counted = await open(get("/stream?length"));
    const delimited = await open(get("/stream", "1.0"));
    const streams = [chunked, counted, delimited];
    await Promise.all(streams.map(begins));
    const half = "u".repeat(UPLOAD / 2);
    const upload = await open(post("/upload", `Content-Length: ${UPLOAD}\r\n`), half);
    const whole = await open(post("/upload?whole", `Content-Length: ${UPLOAD}\r\n`), half);
    const expect = `Content-Length: ${UPLOAD}\r\nExpect: 100-continue\r\n`;
    const unasked = await open(post("/never", expect));
    const asked = await open(post("/upload", expect));
    t.is((await asked.answer()).status, 100);
    await untilStarted(daemon, 7);

    t.is((await fetchRaw(daemon.port, get(`/end/${how}`))).status, 502);
    for (const wire of streams) {
      const text = await wire.closed();
      t.is(wire.error, "ECONNRESET", `${text.slice(0, 200)} … ${text.slice(-20)}`);
      t.true(text.startsWith("HTTP/1.1 200 "));
      t.false(text.endsWith("0\r\n\r\n"), "a clean end of the chunks");
      t.is(text.split("HTTP/1.1 ").length, 2, "one answer");
    }
    // What the client still sends of a body is the body: it never becomes a request.
    const rest = "GET /native HTTP/1.1\r\nHost: test\r\n\r\n".repeat(2000).slice(0, UPLOAD / 2);
    const ends: [Wire, string][] = [
      [upload, rest],
      [whole, rest],
      [unasked, rest + half],
      [asked, rest + half],
    ];
    for (const [wire, body] of ends) {
      const answer = await wire.answer();
      t.is(answer.status, 502);
      if (answer.fields.get("connection") === "close") continue;
      wire.send(body + get("/id"));
      const next = await wire.answer();
      t.is(next.status, 200);
      t.regex(next.body, /^\d+$/);
    }
    for (const wire of [...streams, upload, whole, unasked, asked]) wire.close();
    t.is((await fetchRaw(daemon.port, get("/id"))).status, 200);
    await settlesTo(t, daemon, before, `after ${how}`);
    t.is(await daemon.stop(), 0);
  });
}

test.serial(
  "what waits while workers end as they load is served by the first that lives",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const before = await shardStatus(daemon);
    const id = (await fetchRaw(daemon.port, get("/id"))).body;
    const write = async (name: string, text: string): Promise<void> => {
      await writeFile(join(daemon.folder, "written"), text);
      await rename(join(daemon.folder, "written"), join(daemon.folder, name));
    };
    await write("hold", "");
    t.is((await fetchRaw(daemon.port, get("/end/exit"))).status, 502);

    const plain = await Wire.connect(daemon.port);
    plain.send(get("/id"));
    const upload = await Wire.connect(daemon.port);
    upload.send(post("/upload?whole", `Content-Length: ${UPLOAD}\r\n`));
    const expect = await Wire.connect(daemon.port);
    expect.send(post("/upload?whole", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    const hows = ["exit", "throw", "reject", "heap", "fail"];
    for (const [index, how] of hows.entries()) {
      // Some of it during the life of each.
      upload.send("u".repeat(UPLOAD / hows.length));
      await write("end", how);
      await daemon.said(new RegExp(`(worker ended[^]*){${index + 2}}`));
      t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
      for (const wire of [plain, upload, expect]) t.is(wire.unread, "", how);
    }
    await rm(join(daemon.folder, "hold"));
    const answer = await plain.answer();
    t.is(answer.status, 200);
    t.not(answer.body, id);
    t.deepEqual(JSON.parse((await upload.answer()).body), { bytes: UPLOAD });
    t.is((await expect.answer()).status, 100);
    expect.send("hello");
    t.deepEqual(JSON.parse((await expect.answer()).body), { bytes: 5 });
    for (const wire of [plain, upload, expect]) wire.close();
    await settlesTo(t, daemon, before);
    t.is(await daemon.stop(), 0);
  },
);
