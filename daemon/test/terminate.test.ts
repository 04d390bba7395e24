// worker.terminate() of a worker that sleeps, that waits in the midst of requests, and that works through a load: it ends
// that worker alone.
import test, { type ExecutionContext } from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { terminate, TERMINATES } from "./support/terminate.js";
import { Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  "id.ts": `import { threadId } from "node:worker_threads"; export default () => String(threadId);`,
  "late-id.ts": `import { threadId } from "node:worker_threads";
    export default async () => { await new Promise((done) => setTimeout(done, 3)); return String(threadId); };`,
  "never.ts": `export default () => { globalThis.begun = (globalThis.begun ?? 0) + 1; return new Promise(() => {}); };`,
  "begun.ts": `export default () => String(globalThis.begun ?? 0);`,
};
const CONFIG = `
routes:
  - { path: /id, handler: ./id.ts }
  - { path: /late-id, handler: ./late-id.ts }
  - { path: /never, handler: ./never.ts }
  - { path: /begun, handler: ./begun.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
limits: { slots: 64 }
timeouts: { handler: 10m, keepAlive: 10m }
`;
const start = (t: ExecutionContext): Promise<Daemon> =>
  startDaemon(t, { config: CONFIG, files: FILES, env: TERMINATES });

async function ask(wire: Wire, target: string): Promise<string> {
  wire.send(get(target));
  const { status, body } = await wire.answer();
  return status === 200 ? body : String(status);
}

/** Until the worker has run no turn for a while: it waits in its event loop. */
async function asleep(daemon: Daemon): Promise<void> {
  for (let turns = -1; ;) {
    const { workerTurns, awayMs } = await shardStatus(daemon);
    if (workerTurns === turns && awayMs === 0) return;
    turns = workerTurns;
    await sleep(300);
  }
}

/** Deaths that the daemon has spoken of. */
const deaths = (daemon: Daemon): number => daemon.output().split("worker ended").length - 1;

async function ends(daemon: Daemon): Promise<void> {
  const before = deaths(daemon);
  terminate(daemon);
  for (let i = 0; i < 4000 && deaths(daemon) === before; i++) await sleep(5);
  if (deaths(daemon) === before) throw new Error(`no worker has ended:\n${daemon.output()}`);
}

async function isTheSame(t: ExecutionContext, daemon: Daemon): Promise<void> {
  t.notThrows(() => process.kill(daemon.pid, 0));
  t.is(await daemon.stop(), 0, daemon.output());
}

test.serial("a worker that sleeps is terminated alone, again and again", async (t) => {
  const daemon = await start(t);
  const kept = await Wire.connect(daemon.port);
  const silent = await Wire.connect(daemon.port);
  let last = await ask(kept, "/id");
  const before = await shardStatus(daemon);
  for (let round = 0; round < 3; round++) {
    await asleep(daemon);
    await ends(daemon);
    t.is(await ask(kept, "/native"), "native");
    // It waits for the next worker.
    const next = await ask(kept, "/id");
    t.regex(next, /^\d+$/);
    t.not(next, last);
    last = next;
  }
  t.is(await ask(silent, "/id"), last);
  await settlesTo(t, daemon, before);
  for (const wire of [kept, silent]) wire.close();
  await isTheSame(t, daemon);
});

test.serial("a worker that sleeps amid requests: these get 502, and nobody else", async (t) => {
  const daemon = await start(t);
  const kept = await Wire.connect(daemon.port);
  const first = await ask(kept, "/id");
  const before = await shardStatus(daemon);
  const wires = await Promise.all(Array.from({ length: 5 }, () => Wire.connect(daemon.port)));
  for (const wire of wires) wire.send(get("/native") + get("/never") + get("/id"));
  for (const wire of wires) t.is((await wire.answer()).body, "native");
  while ((await ask(kept, "/begun")) !== "5") await sleep(5);
  await asleep(daemon);
  await ends(daemon);
  for (const wire of wires) {
    t.is((await wire.answer()).status, 502);
    // It was answered before, and waited for its turn.
    t.is((await wire.answer()).body, first);
    t.not(await ask(wire, "/id"), first);
    wire.close();
  }
  await settlesTo(t, daemon, before);
  kept.close();
  await isTheSame(t, daemon);
});

test.serial("a worker under load is terminated alone, between its handlers", async (t) => {
  const daemon = await start(t);
  const kept = await Wire.connect(daemon.port);
  await ask(kept, "/id");
  const before = await shardStatus(daemon);
  let running = true;
  let natives = 0;
  const answers = new Map<string, number>();
  const clients = Array.from({ length: 6 }, async (_, client) => {
    const wire = await Wire.connect(daemon.port);
    while (running) {
      const body = await ask(wire, client % 2 === 0 ? "/id" : "/late-id");
      answers.set(body, (answers.get(body) ?? 0) + 1);
    }
    wire.close();
  });
  const native = (async () => {
    const wire = await Wire.connect(daemon.port);
    for (; running; natives++) t.is(await ask(wire, "/native"), "native");
    wire.close();
  })();
  const ids = (): string[] => [...answers.keys()].filter((body) => body !== "502");
  const DEATHS = 4;
  for (let death = 0; death < DEATHS; death++) {
    // The newest worker serves them by now.
    const from = natives;
    while (ids().length <= death || (answers.get(ids().at(-1) ?? "") ?? 0) < 100) await sleep(5);
    await ends(daemon);
    while (natives < from + 50) await sleep(5);
  }
  while (ids().length <= DEATHS) await sleep(5);
  running = false;
  await Promise.all([...clients, native]);
  t.true(
    ids().every((id) => /^\d+$/.test(id)),
    ids().join(", "),
  );
  // What had been started is lost: at most one of each client and death.
  t.true((answers.get("502") ?? 0) <= 6 * DEATHS);
  await settlesTo(t, daemon, before);
  kept.close();
  await isTheSame(t, daemon);
});
