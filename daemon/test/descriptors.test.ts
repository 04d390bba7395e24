// Descriptors that run out: who waits to be accepted waits, nobody else notices, no core spins, and it passes.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import test, { type ExecutionContext } from "ava";
import { cpuMs, startDaemon, type Daemon } from "./support/daemon.js";
import { Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const exec = promisify(execFile);

const FILES = {
  "hold.ts": `
    import { closeSync, openSync } from "node:fs";
    const held = [];
    export default (request) => {
      if (request.query.has("release")) return String(held.splice(0).map(closeSync).length);
      try {
        for (;;) held.push(openSync("/dev/null"));
      } catch (error) {
        return error.code + " " + held.length;
      }
    };`,
};
const CONFIG = `
routes:
  - { path: /hold, handler: ./hold.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: native }
limits: { connections: 64 }
timeouts: { head: 60s, keepAlive: 60s }
`;

async function ask(wire: Wire, target: string): Promise<string> {
  wire.send(get(target));
  const { status, body } = await wire.answer();
  return `${status} ${body}`;
}

/** Newcomers wait, unanswered, while the daemon sleeps and serves who is there; then `relieve` lets them in. */
async function checkShortage(
  t: ExecutionContext,
  daemon: Daemon,
  before: Wire,
  relieve: () => Promise<unknown>,
): Promise<void> {
  const waiting = await Promise.all(Array.from({ length: 5 }, () => Wire.connect(daemon.port)));
  for (const wire of waiting) wire.send(get("/native"));
  await sleep(300);
  // A core that spins takes all that it gets; on a busy machine that may be a share of it. Seen: 0.01.
  const [cpu, start] = [await cpuMs(daemon.pid), performance.now()];
  await sleep(2000);
  const share = ((await cpuMs(daemon.pid)) - cpu) / (performance.now() - start);
  t.true(share < 0.15, `CPU: ${share} of a core`);
  t.deepEqual(
    waiting.map(({ unread, hasEnded }) => ({ unread, hasEnded })),
    waiting.map(() => ({ unread: "", hasEnded: false })),
  );
  t.is(await ask(before, "/native"), "200 native");
  await relieve();
  for (const wire of waiting) {
    const { status, body } = await wire.answer();
    t.is(`${status} ${body}`, "200 native");
    wire.close();
  }
}

test("a limit that is lowered below what is open: accepting rests, and goes on when it is raised", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const before = await Wire.connect(daemon.port);
  t.is(await ask(before, "/native"), "200 native");
  const limit = async (most: number): Promise<unknown> =>
    exec("prlimit", ["--pid", String(daemon.pid), `--nofile=${most}:`]);
  for (let round = 0; round < 2; round++) {
    await limit(3); // standard input, output and error are all that a new one could be
    // What io_uring has armed already goes by the limit of then: the first may get in.
    const first = await Wire.connect(daemon.port);
    await checkShortage(t, daemon, before, () => limit(1024));
    first.close();
  }
  before.close();
  t.is(await daemon.stop(), 0);
});

test("handlers that hold all descriptors: accepting rests, and goes on when they let go", async (t) => {
  const daemon = await startDaemon(t, {
    config: CONFIG,
    files: FILES,
    wrapper: ["prlimit", "--nofile=400:400"],
  });
  const before = await Wire.connect(daemon.port);
  t.regex(await ask(before, "/hold"), /^200 EMFILE \d+$/);
  await checkShortage(t, daemon, before, async () => {
    t.regex(await ask(before, "/hold?release"), /^200 [1-9]\d*$/);
  });
  before.close();
  t.is(await daemon.stop(), 0);
});
