// A worker that is ended in the midst of a long native call goes on writing until that call returns: into memory that is
// still its own, and nobody else's. Meanwhile another worker serves.
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  "hello.ts": `export default () => "hello";`,
  // Its answer is as long as asked and says in every byte whose it is.
  "fill.ts": `export default async (request) => {
      const { letter, length } = request.params;
      if (length % 2 === 1) await new Promise((done) => setTimeout(done, 20));
      return letter.repeat(length);
    };`,
  "echo.ts": `export default async (request) => request.bytes();`,
  // Waits in open(2) until somebody opens the other end.
  "open.ts": `
    import { readFileSync } from "node:fs";
    export default (request) => readFileSync(request.params.fifo);`,
  "native.ts": `
    import { pbkdf2Sync, randomFillSync } from "node:crypto";
    import { brotliCompressSync } from "node:zlib";
    const noise = randomFillSync(new Uint8Array(6 * 1024 * 1024));
    const calls = {
      // Some seconds each.
      pbkdf2: () => pbkdf2Sync("password", "salt", 4_000_000, 64, "sha512").toString("hex"),
      compress: () => brotliCompressSync(noise).length,
      // Many shorter ones: it ends between two of them.
      fill: () => { const bytes = new Uint8Array(64 * 1024 * 1024); for (let i = 0; i < 200; i++) randomFillSync(bytes); return bytes[0]; },
    };
    export default async (request) => {
      const body = request.method === "POST" ? await request.bytes() : new Uint8Array();
      return { found: String(calls[request.params.call]()), bytes: body.length };
    };`,
};
const CONFIG = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: "/fill/{letter}/{length:int}", handler: ./fill.ts }
  - { path: /echo, methods: [POST], handler: ./echo.ts }
  - { path: "/native/{call}", methods: [GET, POST], handler: ./native.ts }
  - { path: "/open/{fifo:string}", handler: ./open.ts }
  - path: /still
    respond: { status: 200, type: text/plain, body: "native" }
timeouts: { spin: 1s }
limits: { slots: 64, queue: 64 }
`;

/** Answers of other workers hold nothing but their own bytes. */
async function othersAreServed(t: ExecutionContext, daemon: Daemon, rounds: number): Promise<void> {
  await Promise.all(
    ["a", "b", "c", "d"].map(async (letter, client) => {
      const wire = await Wire.connect(daemon.port);
      for (let round = 0; round < rounds; round++) {
        const length = [10, 3001, 9000, 70_001, 200_000][(client + round) % 5] ?? 0;
        const body = letter.repeat(5000 + client);
        wire.send(get(`/fill/${letter}/${length}`) + get("/still"));
        wire.send(
          `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        const filled = await wire.answer();
        t.is(filled.status, 200);
        t.true(filled.body === letter.repeat(length), `${letter}: ${length} bytes of its own`);
        t.is((await wire.answer()).body, "native");
        t.true((await wire.answer()).body === body, `${letter}: its own body comes back`);
      }
      wire.close();
    }),
  );
}

const QUARANTINED = 4;

for (const call of ["pbkdf2", "compress", "fill"]) {
  test.serial(`a worker ended in the midst of ${call}`, async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    await othersAreServed(t, daemon, 2);
    const before = await shardStatus(daemon);
    const body = "x".repeat(3000);
    const stuck = await Wire.connect(daemon.port);
    stuck.send(
      `POST /native/${call} HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    t.is((await stuck.answer()).status, 502);
    await othersAreServed(t, daemon, 3);
    // The connection of the request that was lost goes on, too.
    stuck.send(get("/hello"));
    t.is((await stuck.answer()).body, "hello");
    stuck.close();
    let { lanes } = await shardStatus(daemon);
    for (let i = 0; i < 600 && lanes.includes(QUARANTINED); i++) {
      await othersAreServed(t, daemon, 1);
      await sleep(50);
      ({ lanes } = await shardStatus(daemon));
    }
    t.false(lanes.includes(QUARANTINED), "the thread has ended, its lane is free");
    await settlesTo(t, daemon, before, `after ${call}`);
    await othersAreServed(t, daemon, 1);
    t.is(await daemon.stop(), 0);
  });
}

/**
 * Opens the other ends for whoever waits in open(2), fifo(7), again and again until `isOver`: completions of what a worker
 * has asked of the ring interrupt its open(2), and for that moment nobody waits.
 */
async function release(fifos: string[], isOver: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300 && !(await isOver()); i++) {
    for (const fifo of fifos) {
      try {
        const handle = await open(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
        await handle.close();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
      }
    }
    await sleep(50);
  }
}

test.serial(
  "with as many workers stuck as there are lanes, the next waits for the first to end",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const before = await shardStatus(daemon);
    const fifos = before.lanes.map((_, lane) => join(daemon.folder, `fifo${lane}`));
    execFileSync("mkfifo", fifos);
    for (const [index, fifo] of fifos.slice(1).entries()) {
      t.is((await fetchRaw(daemon.port, get(`/open/${basename(fifo)}`))).status, 502);
      // While a thread is still in its call its lane and slot are kept from everybody.
      const meanwhile = await shardStatus(daemon);
      t.is(meanwhile.lanes.filter((state) => state === QUARANTINED).length, index + 1);
      t.is(meanwhile.slotsFree, before.slotsFree - index - 1);
      t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
    }
    const last = await Wire.connect(daemon.port);
    last.send(get(`/open/${basename(fifos[0] ?? "")}`));
    await daemon.said(/it cannot be replaced: no lane is free/);
    const waiting = await Wire.connect(daemon.port);
    waiting.send(get("/hello"));
    // Native routes go on whatever happens.
    t.is((await fetchRaw(daemon.port, get("/still"))).body, "native");
    await sleep(1000);
    t.is(waiting.unread, "");
    t.is(last.unread, "");
    await release(fifos.slice(1, 2), () => last.unread !== "");
    t.is((await last.answer()).status, 502);
    t.is((await waiting.answer()).body, "hello");
    for (const wire of [last, waiting]) wire.close();
    await release(fifos, async () => !(await shardStatus(daemon)).lanes.includes(QUARANTINED));
    await settlesTo(t, daemon, before, "after all lanes were stuck");
    t.is(await daemon.stop(), 0);
  },
);

test.serial("a native call that never returns does not keep the daemon from ending", async (t) => {
  const daemon = await startDaemon(t, {
    config: CONFIG.replace("spin: 1s", "spin: 10m, drain: 100ms"),
    files: FILES,
  });
  const fifo = join(daemon.folder, "fifo");
  execFileSync("mkfifo", [fifo]);
  const stuck = await Wire.connect(daemon.port);
  stuck.send(get(`/open/${basename(fifo)}`));
  while ((await shardStatus(daemon)).started === 0) await sleep(10);
  const ended = daemon.stop();
  t.is(await Promise.race([ended, sleep(20_000).then(() => "is still there")]), 0);
  stuck.close();
});
