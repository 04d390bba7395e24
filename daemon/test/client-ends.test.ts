// Clients that reset or half-close their connection while the server is busy with something else than their handler: they
// wait for a slot, for memory, for a worker, or for the end of a drain, or their time is over.
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";
import type { ShardStatus } from "../../runtime/addon.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const COUNTS = `const counts = (globalThis.counts ??= { started: 0, aborted: 0, cleaned: 0 });
    const counted = (request) => {
      counts.started++;
      request.signal.addEventListener("abort", () => { counts.aborted++; });
    };`;
const FILES = {
  // A worker does not live as long as there is a file "loading".
  "counts.ts": `import { existsSync } from "node:fs"; ${COUNTS}
    while (existsSync("loading")) await new Promise((done) => setTimeout(done, 5));
    export default () => counts;`,
  "started.ts": `${COUNTS} export default (request) => { counted(request); return "started"; };`,
  // Answers once there is a file "go".
  "gate.ts": `import { existsSync } from "node:fs"; ${COUNTS}
    export default async (request) => {
      counted(request);
      while (!existsSync("go")) await new Promise((done) => setTimeout(done, 5));
      return "through the gate";
    };`,
  // Reads nothing of its body until then.
  "held.ts": `import { existsSync } from "node:fs"; ${COUNTS}
    export default async (request) => {
      counted(request);
      while (!existsSync("go")) await new Promise((done) => setTimeout(done, 5));
      let bytes = 0;
      for await (const part of request) bytes += part.length;
      return String(bytes);
    };`,
  "never.ts": `${COUNTS} export default (request) => { counted(request); return new Promise(() => {}); };`,
  "endless.ts": `${COUNTS}
    export default async function* (request) {
      counted(request);
      try {
        for (;;) { yield "e".repeat(1000); await new Promise((done) => setTimeout(done, 2)); }
      } finally { counts.cleaned++; }
    }`,
  "exit.ts": `export default () => process.exit(7);`,
};
const ROUTES = `
routes:
  - { path: /counts, handler: ./counts.ts }
  - { path: /started, handler: ./started.ts }
  - { path: /gate, handler: ./gate.ts }
  - { path: /held, methods: [POST], handler: ./held.ts }
  - { path: /late, handler: ./never.ts, timeout: 1s }
  - { path: /endless, handler: ./endless.ts }
  - { path: /exit, handler: ./exit.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;
const LONG = "handler: 10m, head: 10m, body: 10m, keepAlive: 10m, write: 10m, drain: 30s";
const START = { config: `${ROUTES}timeouts: { ${LONG} }\n`, files: FILES };

interface Counts {
  started: number;
  aborted: number;
  cleaned: number;
}
const counts = async (daemon: Daemon): Promise<Counts> =>
  JSON.parse((await fetchRaw(daemon.port, get("/counts"))).body) as Counts;

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await holds()) return;
    await sleep(10);
  }
  throw new Error(`it did not come to this: ${what}`);
}
const shows = (daemon: Daemon, what: string, holds: (status: ShardStatus) => boolean) =>
  until(what, async () => holds(await shardStatus(daemon)));

/** So many connections that have sent this. */
async function send(
  t: ExecutionContext,
  to: number | string,
  text: string,
  count = 5,
): Promise<Wire[]> {
  const wires = await Promise.all(Array.from({ length: count }, () => Wire.connect(to)));
  t.teardown(() => wires.forEach((wire) => wire.close()));
  for (const wire of wires) wire.send(text);
  return wires;
}

async function native(t: ExecutionContext, daemon: Daemon): Promise<void> {
  t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
}

async function answered(t: ExecutionContext, wires: Wire[], body: string): Promise<void> {
  for (const wire of wires) {
    const answer = await wire.answer();
    t.deepEqual([answer.status, answer.body], [200, body]);
    t.is(await wire.closed(), "");
    t.is(wire.error, undefined);
    wire.close();
  }
}

test.serial("while their requests wait for a slot", async (t) => {
  const daemon = await startDaemon(t, {
    ...START,
    config: `${START.config}limits: { slots: 2, arena: 16MiB, queue: 100 }\n`,
  });
  const before = await shardStatus(daemon);
  const holders = await send(t, daemon.port, get("/gate"), 1);
  await shows(daemon, "the slot is held", ({ started }) => started === 1);
  const gone = await send(t, daemon.port, get("/started"));
  const ending = await send(t, daemon.port, get("/started"));
  await shows(daemon, "all are there", ({ connections }) => connections >= 11);
  for (const wire of gone) wire.reset();
  for (const wire of ending) wire.end();
  await native(t, daemon);
  await writeFile(join(daemon.folder, "go"), "");
  t.is((await holders[0]?.answer())?.body, "through the gate");
  holders[0]?.close();
  await answered(t, ending, "started");
  await settlesTo(t, daemon, before);
  // Nobody has called a handler for those who had gone.
  t.deepEqual(await counts(daemon), { started: 6, aborted: 0, cleaned: 0 });
  t.is(await daemon.stop(), 0);
});

test.serial("while they wait for memory", async (t) => {
  const daemon = await startDaemon(t, {
    ...START,
    config: `${START.config}limits: { arena: 1MiB, slots: 64, connection: 256KiB }\n`,
  });
  const before = await shardStatus(daemon);
  // More bytes than there is memory.
  const body = "u".repeat(500_000);
  const upload = `POST /held HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const few = ({ segmentsFree, segmentsTotal }: ShardStatus): boolean =>
    segmentsFree < segmentsTotal / 2;
  const ending = await send(t, daemon.port, upload, 15);
  const gone = await send(t, daemon.port, upload, 15);
  await shows(daemon, "memory is short", few);
  for (const wire of ending) wire.end();
  for (const wire of gone) wire.reset();
  await native(t, daemon);
  await writeFile(join(daemon.folder, "go"), "");
  await answered(t, ending, String(body.length));
  await settlesTo(t, daemon, before);
  const { started, aborted } = await counts(daemon);
  t.true(started >= 15 && aborted <= started, `${aborted} signals for ${started} requests`);
  t.is(await daemon.stop(), 0);
});

test.serial("while no worker lives", async (t) => {
  // A slot for each: whoever waits for one is seen to have gone only when there is one.
  const daemon = await startDaemon(t, {
    ...START,
    config: `${START.config}limits: { slots: 64, arena: 16MiB }\n`,
  });
  const before = await shardStatus(daemon);
  await writeFile(join(daemon.folder, "loading"), "");
  t.is((await fetchRaw(daemon.port, get("/exit"))).status, 502);
  const gone = await send(t, daemon.port, get("/started"));
  const ending = await send(t, daemon.port, get("/started"));
  await shows(daemon, "all are there", ({ connections }) => connections >= 10);
  for (const wire of gone) wire.reset();
  for (const wire of ending) wire.end();
  await native(t, daemon);
  await shows(daemon, "the reset ones are gone", ({ connections }) => connections <= 5);
  for (const wire of ending) t.is(wire.unread, "");
  await rm(join(daemon.folder, "loading"));
  await answered(t, ending, "started");
  await settlesTo(t, daemon, before);
  t.is((await counts(daemon)).started, 5);
  t.is(await daemon.stop(), 0);
});

test.serial("after a 504", async (t) => {
  const daemon = await startDaemon(t, START);
  const before = await shardStatus(daemon);
  const gone = await send(t, daemon.port, get("/late"), 3);
  const ending = await send(t, daemon.port, get("/late"), 3);
  for (const wire of [...gone, ...ending]) t.is((await wire.answer()).status, 504);
  for (const wire of gone) wire.reset();
  for (const wire of ending) {
    wire.end();
    t.is(await wire.closed(), "");
    t.is(wire.error, undefined);
  }
  for (const wire of ending) wire.close();
  await settlesTo(t, daemon, before);
  // The signal that their time was over, and no second one.
  const { started, aborted } = await counts(daemon);
  t.true(started > 0);
  t.is(aborted, started);
  t.is(await daemon.stop(), 0);
});

test.serial("a half-close in an endless stream, which goes on; then a reset", async (t) => {
  const daemon = await startDaemon(t, {
    ...START,
    config: `${START.config}limits: { slots: 16, arena: 16MiB }\n`,
  });
  const before = await shardStatus(daemon);
  const wires = await send(t, daemon.port, get("/endless"));
  for (const wire of wires) wire.end();
  await until("every signal has fired", async () => (await counts(daemon)).aborted === 5);
  for (const wire of wires) {
    const from = wire.unread.length;
    await until("the stream goes on", async () => wire.unread.length > from + 20_000);
    t.false(wire.hasEnded);
  }
  t.deepEqual(await counts(daemon), { started: 5, aborted: 5, cleaned: 0 });
  for (const wire of wires) wire.close();
  await until("every stream is over", async () => (await counts(daemon)).cleaned === 5);
  await settlesTo(t, daemon, before);
  t.deepEqual(await counts(daemon), { started: 5, aborted: 5, cleaned: 5 });
  t.is(await daemon.stop(), 0);
});

test.serial("in the PROXY protocol's header", async (t) => {
  const daemon = await startDaemon(t, {
    ...START,
    ownListen: true,
    config: `listen: { address: 127.0.0.1:0, proxyProtocol: true }\n${START.config}`,
  });
  const before = await shardStatus(daemon);
  for (const begun of ["PROXY TCP4 192.0.2.1 192.0", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]) {
    const gone = await send(t, daemon.port, begun);
    const ending = await send(t, daemon.port, begun);
    await shows(daemon, "all are there", ({ connections }) => connections >= 10);
    for (const wire of gone) wire.reset();
    for (const wire of ending) {
      wire.end();
      t.is(await wire.closed(), "");
      wire.close();
    }
    const [other] = await send(t, daemon.port, `PROXY UNKNOWN\r\n${get("/native")}`, 1);
    t.is((await other?.answer())?.body, "native");
    other?.close();
    await settlesTo(t, daemon, before);
  }
  t.is(await daemon.stop(), 0);
});

for (const listen of ["127.0.0.1:0", "unix:./app.sock"]) {
  test.serial(`while the daemon drains, on ${listen}`, async (t) => {
    const daemon = await startDaemon(t, {
      ...START,
      ownListen: true,
      config: `listen: "${listen}"\n${START.config}limits: { slots: 64 }\n`,
    });
    const to = listen.startsWith("unix:") ? join(daemon.folder, "app.sock") : daemon.port;
    const gone = await send(t, to, get("/gate"));
    const ending = await send(t, to, get("/gate"));
    const staying = await send(t, to, get("/gate"));
    await shows(daemon, "all are started", ({ started }) => started === 15);
    daemon.signal("SIGTERM");
    await daemon.said(/SIGTERM: draining/);
    // A Unix socket knows no reset.
    for (const wire of gone)
      if (typeof to === "number") wire.reset();
      else wire.close();
    for (const wire of ending) wire.end();
    if (typeof to === "number") {
      await shows(daemon, "the reset ones are gone", ({ connections }) => connections <= 10);
    }
    await writeFile(join(daemon.folder, "go"), "");
    await answered(t, [...ending, ...staying], "through the gate");
    t.is(await daemon.exited, 0, daemon.output());
    t.notRegex(daemon.output(), /timeouts\.drain is over/);
  });
}
