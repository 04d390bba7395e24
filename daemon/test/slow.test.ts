// Slow and vanishing clients: backpressure to the socket in both directions, constant memory, abort signals.
import { readFile } from "node:fs/promises";
import test, { type ExecutionContext } from "ava";
import { SMALL, startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// PINION_TEST_LARGE=1 moves more than 4 GiB: what is counted in 32 bits would show.
const LARGE = process.env["PINION_TEST_LARGE"] === "1";
const MIB = 1024 * 1024;
const LARGE_MIB = 4199;
const LARGE_MS = 15 * 60 * 1000;

const FILES = {
  "download.ts": `
    const chunk = new Uint8Array(64 * 1024).fill(120);
    export default async function* (request) {
      for (let sent = 0; sent < request.params.mib * 16; sent++) yield chunk;
    }`,
  "upload.ts": `export default async (request) => {
      let bytes = 0;
      for await (const part of request) {
        bytes += part.length;
        if (request.query.has("slow")) await new Promise((done) => setTimeout(done, 1));
      }
      return { bytes };
    };`,
  "abort.ts": `let aborted = 0;
    export default async (request) => {
      if (request.query.has("count")) return { aborted };
      request.signal.addEventListener("abort", () => aborted++);
      await new Promise((done) => setTimeout(done, 3000));
      return "late";
    };`,
};
const CONFIG = `
routes:
  - { path: "/download/{mib:int}", handler: ./download.ts }
  - { path: /upload, methods: [POST], handler: ./upload.ts, body: 8GiB }
  - { path: /abort, handler: ./abort.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "${"n".repeat(1000)}" }
timeouts: { head: 1s, body: 2s, write: 2s, keepAlive: 3s, handler: 20s }
`;

/** Resolves when the kernel has taken what was written, or the connection has ended. */
async function drained(wire: Wire): Promise<void> {
  await new Promise<void>((done) => {
    const over = (): void => {
      wire.socket.off("drain", over).off("close", over);
      done();
    };
    wire.socket.on("drain", over).on("close", over);
    if (wire.socket.destroyed) over();
  });
}

async function residentKib(pid: number): Promise<number> {
  return (await memory(pid)).resident;
}

/** In KiB. Anonymous are heaps and the arena; the rest of what is resident is mostly Node's own code. */
async function memory(pid: number) {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return { resident: kib("VmRSS"), anonymous: kib("RssAnon") };
}

type Memory = Awaited<ReturnType<typeof memory>>;

const most = (left: Memory, right: Memory): Memory => ({
  resident: Math.max(left.resident, right.resident),
  anonymous: Math.max(left.anonymous, right.anonymous),
});

// What starting up has touched of Node's code is dropped half a second after it.
const STARTED_MS = 1000;

/** Memory may grow by `mib`, however much was moved. */
function isConstant(t: ExecutionContext, before: Memory, peak: Memory, mib: number): void {
  const shown = (of: Memory): string =>
    `${of.resident >> 10} MiB (${of.anonymous >> 10} anonymous)`;
  const grown = `resident memory: ${shown(before)} before, ${shown(peak)} at most`;
  t.log(grown);
  t.true(peak.resident < before.resident + mib * 1024, grown);
}

test.serial("a large download to a slow reader runs in constant memory", async (t) => {
  if (LARGE) t.timeout(LARGE_MS);
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const mib = LARGE ? LARGE_MIB : 256;
  await fetchRaw(daemon.port, get("/download/8"));
  await sleep(STARTED_MS);
  const before = await memory(daemon.pid);
  const wire = await Wire.connect(daemon.port);
  let received = 0;
  wire.socket.removeAllListeners("data");
  wire.socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
  });
  wire.send(get(`/download/${mib}`));
  let peak = before;
  for (let i = 0; i < 20; i++) {
    wire.socket.pause();
    await sleep(20);
    peak = most(peak, await memory(daemon.pid));
    wire.socket.resume();
    await sleep(5);
  }
  while (received < mib * MIB) {
    const seen = received;
    await sleep(50);
    peak = most(peak, await memory(daemon.pid));
    if (received === seen && wire.socket.destroyed) break;
  }
  t.true(received >= mib * MIB);
  isConstant(t, before, peak, 64);
  wire.close();
});

/** Sends an upload in pieces of a MiB, as fast as it is taken; the server's memory at its highest. */
async function upload(t: ExecutionContext, target: string, mib: number, limitMib: number) {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  await sleep(STARTED_MS);
  const before = await memory(daemon.pid);
  const wire = await Wire.connect(daemon.port);
  let peak = before;
  const bytes = mib * MIB;
  wire.send(`POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: ${bytes}\r\n\r\n`);
  const chunk = Buffer.alloc(MIB, 117);
  for (let sent = 0; sent < mib; sent++) {
    if (!wire.socket.write(chunk)) await drained(wire);
    if (sent % 8 === 0) peak = most(peak, await memory(daemon.pid));
  }
  t.deepEqual(JSON.parse((await wire.answer()).body), { bytes });
  isConstant(t, before, most(peak, await memory(daemon.pid)), limitMib);
  wire.close();
}

test.serial("a large upload to a slow handler runs in constant memory", async (t) => {
  if (LARGE) t.timeout(LARGE_MS);
  // In a small arena each part is a segment, and the handler waits a millisecond for each.
  await upload(t, "/upload?slow", SMALL ? 16 : LARGE ? LARGE_MIB : 128, 80);
});

// V8 collects the parts' bytes, which are outside its heap, after some 32 MiB, and the allocator keeps a third more.
test.serial("a large upload to a quick handler runs in constant memory", async (t) => {
  if (LARGE) t.timeout(LARGE_MS);
  await upload(t, "/upload", SMALL ? 16 : LARGE ? LARGE_MIB : 256, 96);
});

test.serial(
  "a reader that never reads, with many requests pipelined, is bounded and closed at the write deadline",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const wire = await Wire.connect(daemon.port);
    wire.socket.pause();
    const burst = get("/native").repeat(100);
    const before = await residentKib(daemon.pid);
    for (let i = 0; i < 400 && !wire.socket.destroyed; i++) {
      wire.send(burst);
      await sleep(1);
    }
    t.true((await residentKib(daemon.pid)) < before + 32 * 1024);
    t.is((await fetchRaw(daemon.port, get("/native"))).status, 200);
    // The server closes although the client has never read.
    await t.notThrowsAsync(async () => {
      for (let i = 0; i < 400 && !wire.socket.destroyed && wire.error === undefined; i++) {
        await sleep(50);
        wire.send("x");
      }
      t.true(wire.socket.destroyed || wire.error !== undefined);
    });
  },
);

test.serial("heads and bodies that trickle meet a deadline", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const silent = await Wire.connect(daemon.port);
  const head = await Wire.connect(daemon.port);
  head.send("GET /native HTTP/1.1\r\nHost: te");
  const body = await Wire.connect(daemon.port);
  body.send("POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nfew");
  t.is((await head.answer()).status, 408);
  t.is(await head.closed(), "");
  t.is((await body.answer()).status, 408);
  t.is(await silent.closed(), "");
});

test.serial("an upload may take longer than a handler, as long as it goes on", async (t) => {
  const daemon = await startDaemon(t, {
    config: CONFIG.replace("handler: 20s", "handler: 2s"),
    files: FILES,
  });
  const wire = await Wire.connect(daemon.port);
  const parts = 100;
  wire.send(`POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: ${parts * 1000}\r\n\r\n`);
  for (let i = 0; i < parts; i++) {
    wire.send("p".repeat(1000));
    await sleep(30);
  }
  t.deepEqual(JSON.parse((await wire.answer()).body), { bytes: parts * 1000 });
  wire.close();
});

test.serial("a client that goes away fires the handler's signal once", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  for (const how of ["reset", "close"] as const) {
    const wire = await Wire.connect(daemon.port);
    wire.send(get("/abort"));
    await sleep(100);
    wire[how]();
  }
  const count = async (): Promise<number> => {
    const { body } = await fetchRaw(daemon.port, get("/abort?count"));
    return (JSON.parse(body) as { aborted: number }).aborted;
  };
  for (let i = 0; i < 200 && (await count()) === 0; i++) await sleep(20);
  await sleep(100);
  t.is(await count(), 2);
});
