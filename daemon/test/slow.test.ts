// Slow and vanishing clients: backpressure to the socket in both directions, constant memory, abort signals.
import { readFile } from "node:fs/promises";
import test, { type ExecutionContext } from "ava";
import { startDaemon, type Daemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
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
      let waited = 0;
      for await (const part of request) {
        bytes += part.length;
        if (!request.query.has("slow") || bytes < waited + 64 * 1024) continue;
        waited = bytes;
        await new Promise((done) => setTimeout(done, 1));
      }
      return { bytes };
    };`,
  "endless.ts": `const chunk = "e".repeat(20_000);
    let ended = 0;
    const parts = async function* () { try { for (;;) yield chunk; } finally { ended++; } };
    export default (request) => (request.query.has("count") ? { ended } : parts());`,
  "abort.ts": `let aborted = 0, begun = 0;
    export default async (request) => {
      if (request.query.has("count")) return { aborted, begun };
      begun++;
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
  - { path: /endless, handler: ./endless.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "${"n".repeat(1000)}" }
timeouts: { head: 1s, body: 2s, write: 2s, keepAlive: 3s, handler: 20s }
`;
/** For those who only go on: however long the machine stops. */
const PATIENT = CONFIG.replace(/timeouts: .*/, "timeouts: { body: 10m, write: 10m, handler: 10m }");

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

/** In MiB: heaps, what they hold outside of them, and the arena. The rest of what is resident is mostly Node's own code. */
async function anonymousMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Memory at its highest while `moving`, looked at every 20 ms. */
async function highest(pid: number, moving: Promise<void>): Promise<number> {
  let over = false;
  const end = (): void => void (over = true);
  moving.then(end, end);
  let peak = 0;
  while (!over) {
    peak = Math.max(peak, await anonymousMib(pid));
    await sleep(20);
  }
  await moving;
  return peak;
}

// V8 lets the parts' bytes pile up before it collects them: some 50 MiB by scavenges (Node 20, 22), 90 MiB and more by
// marking (Node 24), and the allocator keeps them. node:http takes as much. So it is no bound that says whether memory is
// constant, but moving four times as much.
const PACE_MIB = 64;

/** Moves `mib`, and then four times as much, or more than 4 GiB: the peak of memory may be PACE_MIB higher at most. */
async function isConstant(
  t: ExecutionContext,
  daemon: Daemon,
  move: (mib: number) => Promise<void>,
  mib: number,
): Promise<void> {
  if (LARGE) t.timeout(LARGE_MS);
  const few = await highest(daemon.pid, move(mib));
  const many = await highest(daemon.pid, move(LARGE ? LARGE_MIB : 4 * mib));
  const peaks = `anonymous memory in MiB: ${few.toFixed(1)}, then ${many.toFixed(1)}`;
  t.log(peaks);
  t.true(many < few + PACE_MIB, peaks);
}

test.serial("a large download to a slow reader runs in constant memory", async (t) => {
  const daemon = await startDaemon(t, { config: PATIENT, files: FILES });
  await isConstant(t, daemon, (mib) => download(t, daemon.port, mib), 64);
});

// From one pause to the next. Of more than 4 GiB the pauses take some ten seconds in all.
const PAUSE_EACH = (LARGE ? 8 : 1) * MIB;
const PAUSE_MS = 20;

/** Reads with pauses from the first byte to the last. */
async function download(t: ExecutionContext, port: number, mib: number): Promise<void> {
  const wire = await Wire.connect(port);
  let received = 0;
  let pauses = 0;
  wire.socket.removeAllListeners("data");
  wire.socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received < (pauses + 1) * PAUSE_EACH) return;
    pauses++;
    wire.socket.pause();
    setTimeout(() => wire.socket.resume(), PAUSE_MS);
  });
  wire.send(get(`/download/${mib}`));
  while (received < mib * MIB) {
    const seen = received;
    await sleep(50);
    if (received === seen && wire.socket.destroyed) break;
  }
  t.true(received >= mib * MIB);
  t.true(pauses >= (mib * MIB) / PAUSE_EACH - 1);
  wire.close();
}

/** Sends in pieces of a MiB, as fast as it is taken. */
async function upload(t: ExecutionContext, port: number, target: string, mib: number) {
  const wire = await Wire.connect(port);
  const bytes = mib * MIB;
  wire.send(`POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: ${bytes}\r\n\r\n`);
  const chunk = Buffer.alloc(MIB, 117);
  for (let sent = 0; sent < mib; sent++) {
    if (!wire.socket.write(chunk)) await drained(wire);
  }
  t.deepEqual(JSON.parse((await wire.answer()).body), { bytes });
  wire.close();
}

test.serial("a large upload to a slow handler runs in constant memory", async (t) => {
  const daemon = await startDaemon(t, { config: PATIENT, files: FILES });
  await isConstant(t, daemon, (mib) => upload(t, daemon.port, "/upload?slow", mib), 64);
});

test.serial("a large upload to a quick handler runs in constant memory", async (t) => {
  const daemon = await startDaemon(t, { config: PATIENT, files: FILES });
  await isConstant(t, daemon, (mib) => upload(t, daemon.port, "/upload", mib), 256);
});

test.serial(
  "a reader that never reads, with many requests pipelined, is bounded and closed at the write deadline",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const wire = await Wire.connect(daemon.port);
    wire.socket.pause();
    const burst = get("/native").repeat(100);
    const before = await anonymousMib(daemon.pid);
    for (let i = 0; i < 400 && !wire.socket.destroyed; i++) {
      wire.send(burst);
      await sleep(1);
    }
    t.true((await anonymousMib(daemon.pid)) < before + 32);
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

test.serial(
  "a stream that never ends, for readers that never read, ends at the write deadline",
  async (t) => {
    const daemon = await startDaemon(t, {
      config: `${CONFIG}\nlimits: { slots: 16, arena: 16MiB }\n`, // with slots for all of them
      files: FILES,
    });
    const before = await shardStatus(daemon);
    const count = async (): Promise<number> => {
      const { body } = await fetchRaw(daemon.port, get("/endless?count"));
      return (JSON.parse(body) as { ended: number }).ended;
    };
    const memory = await anonymousMib(daemon.pid);
    const deaf = await Promise.all(
      [get("/endless"), get("/endless").replace("1.1", "1.0")].map(async (request) => {
        const wire = await Wire.connect(daemon.port);
        wire.socket.pause();
        wire.send(request);
        return wire;
      }),
    );
    // One that reads all the while is none of these.
    const reader = await Wire.connect(daemon.port);
    let received = 0;
    reader.socket.removeAllListeners("data");
    reader.socket.on("data", (chunk: Buffer) => (received += chunk.length));
    reader.send(get("/endless"));
    for (let i = 0; i < 1000 && (await count()) < deaf.length; i++) await sleep(50);
    t.is(await count(), deaf.length);
    for (const from = received; received < from + MIB && !reader.hasEnded;) await sleep(5);
    t.false(reader.hasEnded);
    t.true((await anonymousMib(daemon.pid)) < memory + PACE_MIB);
    // What had been sent may still be read; the answer is not whole.
    for (const wire of deaf) {
      wire.socket.resume();
      const text = await wire.closed();
      t.true(text.startsWith("HTTP/1.1 200 "));
      t.false(text.endsWith("\r\n0\r\n\r\n"), "a clean end of the chunks");
      wire.close();
    }
    reader.close();
    await settlesTo(t, daemon, before);
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

test.serial("timeouts.keepAlive closes who has been answered and is idle", async (t) => {
  const daemon = await startDaemon(t, {
    config: CONFIG.replace("head: 1s", "head: 10m").replace("keepAlive: 3s", "keepAlive: 300ms"),
    files: FILES,
  });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/native"));
  const { status, fields } = await wire.answer();
  t.deepEqual([status, fields.has("connection")], [200, false]);
  t.is(await wire.closed(), "");
  t.is(wire.error, undefined);
  wire.close();
});

test.serial("timeouts.head closes nobody who has been answered and is idle", async (t) => {
  const daemon = await startDaemon(t, {
    config: CONFIG.replace("keepAlive: 3s", "keepAlive: 10m"),
    files: FILES,
  });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/native"));
  t.is((await wire.answer()).status, 200);
  // Whoever says nothing at all has come later and is closed.
  const silent = await Wire.connect(daemon.port);
  t.is(await silent.closed(), "");
  await sleep(500);
  t.false(wire.hasEnded);
  wire.send(get("/native"));
  t.is((await wire.answer()).status, 200);
  wire.close();
});

test.serial("an upload may take longer than a handler, as long as it goes on", async (t) => {
  const daemon = await startDaemon(t, {
    config: CONFIG.replace("handler: 20s", "handler: 5s").replace("body: 2s", "body: 10m"),
    files: FILES,
  });
  const wire = await Wire.connect(daemon.port);
  const parts = 100;
  wire.send(`POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: ${parts * 1000}\r\n\r\n`);
  for (let i = 0; i < parts; i++) {
    wire.send("p".repeat(1000));
    await sleep(80);
  }
  t.deepEqual(JSON.parse((await wire.answer()).body), { bytes: parts * 1000 });
  wire.close();
});

test.serial("a client that goes away fires the handler's signal once", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${CONFIG}limits: { arena: 1MiB, slots: 16 }\n`, // one of them to count in
    files: FILES,
  });
  const count = async (what: "begun" | "aborted"): Promise<number> => {
    const { body } = await fetchRaw(daemon.port, get("/abort?count"));
    return (JSON.parse(body) as { aborted: number; begun: number })[what];
  };
  for (const [index, how] of (["reset", "close"] as const).entries()) {
    const wire = await Wire.connect(daemon.port);
    wire.send(get("/abort"));
    while ((await count("begun")) === index) await sleep(20);
    wire[how]();
  }
  for (let i = 0; i < 200 && (await count("aborted")) < 2; i++) await sleep(20);
  await sleep(100);
  t.is(await count("aborted"), 2);
});
