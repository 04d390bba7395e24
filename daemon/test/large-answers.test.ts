// Large answers, which are sent from where they lie as far as the socket takes them: whoever reads them, and however
// slowly, gets them byte for byte or sees that they broke off.
import test, { type ExecutionContext } from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const LETTERS = `
  export const letters = (length) => {
    let text = "";
    for (let line = 0; text.length < length; line++) text += "line " + line + " of " + length + ";";
    return text.slice(0, length);
  };`;
// More than the sockets of both sides hold.
const HUGE = 40_000_000;
const FILES = {
  "letters.ts": LETTERS,
  "large.ts": `import { reply } from "pinion";
    import { createReadStream, openSync, unlinkSync, writeFileSync } from "node:fs";
    import { tmpdir } from "node:os";
    import { join } from "node:path";
    import { letters } from "./letters.ts";
    const bodies = new Map();
    function bytes(length) {
      if (!bodies.has(length)) bodies.set(length, Buffer.from(letters(length)));
      return bodies.get(length);
    }
    function* pieces(body) {
      for (let at = 0; at < body.length; at += 100_000) yield body.subarray(at, at + 100_000);
    }
    const ways = {
      buffer: (body) => body,
      // Its memory is somebody else's once it has been answered.
      own: (body) => new Uint8Array(body).buffer,
      pieces: (body) => reply(200, pieces(body), {}, body.length),
      async later(body) {
        await new Promise((done) => setTimeout(done, 1));
        return reply(200, pieces(body), {}, body.length);
      },
      file(body) {
        const file = join(tmpdir(), "pinion-large-" + crypto.randomUUID());
        writeFileSync(file, body);
        const fd = openSync(file);
        unlinkSync(file);
        return reply(200, createReadStream("", { fd }), {}, body.length);
      },
      chunked: (body) => pieces(body),
    };
    const huge = Buffer.alloc(${HUGE});
    ways.huge = () => huge;
    export default (request) => ways[request.params.way](bytes(request.params.length));`,
  "exit.ts": `export default () => process.exit(7);`,
};
const CONFIG = `
routes:
  - { path: "/large/{way}/{length:int}", handler: ./large.ts, methods: [GET, HEAD] }
  - { path: /exit, handler: ./exit.ts }
  - path: /still
    respond: { status: 200, type: text/plain, body: "native" }
timeouts: { write: 1m }
`;
const WAYS = ["buffer", "own", "pieces", "later", "file", "chunked"];
const LENGTHS = [31_000, 33_000, 65_537, 1 << 20, 3_333_333];

const get = (target: string, method = "GET"): string =>
  `${method} ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

function letters(length: number): string {
  let text = "";
  for (let line = 0; text.length < length; line++) text += `line ${line} of ${length};`;
  return text.slice(0, length);
}

const start = (t: ExecutionContext, limits = ""): Promise<Daemon> =>
  startDaemon(t, { config: `${CONFIG}${limits}`, files: FILES });

for (const way of WAYS) {
  test.serial(`whole and in order, to quick and slow readers: ${way}`, async (t) => {
    const daemon = await start(t);
    const before = await shardStatus(daemon);
    const clients = Array.from({ length: 4 }, async (_, client) => {
      const wire = await Wire.connect(daemon.port);
      for (let round = 0; round < 8; round++) {
        const length = LENGTHS[(round * 3 + client) % LENGTHS.length] ?? 0;
        if (client % 2 === 1) wire.socket.pause();
        wire.send(get(`/large/${way}/${length}`));
        if (client % 2 === 1) await sleep(30);
        wire.socket.resume();
        const answer = await wire.answer();
        if (answer.body !== letters(length)) return `${client}: ${length} bytes are not its own`;
      }
      wire.close();
      return "";
    });
    t.deepEqual(await Promise.all(clients), ["", "", "", ""]);
    await settlesTo(t, daemon, before, way);
    t.is(await daemon.stop(), 0);
  });
}

test.serial("pipelined, with others between", async (t) => {
  const daemon = await start(t);
  const wire = await Wire.connect(daemon.port);
  for (let round = 0; round < 6; round++) {
    const lengths = LENGTHS.map((_, i) => LENGTHS[(i + round) % LENGTHS.length] ?? 0);
    const ways = lengths.map((_, i) => WAYS[(i + round) % WAYS.length] ?? "");
    wire.send(
      lengths.map((length, i) => get(`/large/${ways[i]}/${length}`) + get("/still")).join(""),
    );
    for (const length of lengths) {
      t.true((await wire.answer()).body === letters(length), `${round}: ${length}`);
      t.is((await wire.answer()).body, "native");
    }
    wire.send(get(`/large/buffer/${1 << 20}`, "HEAD") + get("/still"));
    t.is((await wire.answer("HEAD")).fields.get("content-length"), String(1 << 20));
    t.is((await wire.answer()).body, "native");
  }
  wire.close();
  t.is(await daemon.stop(), 0);
});

test.serial("clients that go, and a worker that ends, in their midst", async (t) => {
  const daemon = await start(t, "limits: { slots: 32 }\n");
  await fetchRaw(daemon.port, get("/large/buffer/33000"));
  const before = await shardStatus(daemon);
  const open = async (): Promise<Wire> => {
    const wire = await Wire.connect(daemon.port);
    wire.send(get("/still"));
    await wire.answer();
    wire.socket.pause();
    wire.send(get("/large/huge/0"));
    return wire;
  };
  const gone = await Promise.all(Array.from({ length: 10 }, open));
  while ((await shardStatus(daemon)).started < 10) await sleep(10);
  for (const wire of gone) wire.reset();
  await settlesTo(t, daemon, before, "after clients that went");
  const cut = await Promise.all(Array.from({ length: 3 }, open));
  while ((await shardStatus(daemon)).started < 3) await sleep(10);
  await fetchRaw(daemon.port, get("/exit"));
  for (const wire of cut) {
    wire.socket.resume();
    t.false((await wire.answer()).complete);
    wire.close();
  }
  t.true((await fetchRaw(daemon.port, get("/large/buffer/33000"))).body === letters(33_000));
  t.is(await daemon.stop(), 0);
});
