// The end: what a signal does to requests, to connections, and to the daemon.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { shardStatus } from "./support/status.js";
import { brokenOff, Wire } from "./support/wire.js";

const get = (target: string, more = ""): string =>
  `GET ${target} HTTP/1.1\r\nHost: test\r\n${more}\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  "hello.ts": `export default () => "hello";`,
  "slow.ts": `export default async (request) => {
      await new Promise((done) => setTimeout(done, request.params.ms));
      return "slow";
    };`,
  "echo.ts": `export default async (request) => await request.text();`,
  // Answers once a file called "go" is there; says by another that it has begun.
  "gate.ts": `import { existsSync, writeFileSync } from "node:fs";
    export default async () => {
      writeFileSync("begun", "");
      while (!existsSync("go")) await new Promise((done) => setTimeout(done, 10));
      return "through the gate";
    };`,
  "endless.ts": `export default async function* () {
      for (;;) { yield "e".repeat(5000); await new Promise((done) => setTimeout(done, 10)); }
    }`,
  "never.ts": `import { writeFileSync } from "node:fs";
    export default async () => { writeFileSync("begun", ""); await new Promise(() => {}); };`,
  "spin.ts": `import { writeFileSync } from "node:fs";
    export default () => { writeFileSync("begun", ""); for (;;); };`,
};
const ROUTES = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: "/slow/{ms:int}", handler: ./slow.ts }
  - { path: /echo, methods: [POST], handler: ./echo.ts }
  - { path: /gate, handler: ./gate.ts }
  - { path: /never, handler: ./never.ts }
  - { path: /spin, handler: ./spin.ts }
  - { path: /endless, handler: ./endless.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;

async function appears(path: string): Promise<void> {
  for (let i = 0; i < 1500 && !existsSync(path); i++) await sleep(20);
  if (!existsSync(path)) throw new Error(`${path} has not appeared`);
}

interface Tally {
  answered: number;
  failed: string[];
  /** Requests that met the close of an idle connection on their way, after a stop of this process. */
  crossed: number;
  /** The longest that this process has stood still, in milliseconds. */
  stoodStill: number;
}

// An idle client has a second, from the beginning of the drain, to send what is on its way.
const STOP_MS = 700;

/** Requests one after the other on a kept connection, a new one after `Connection: close`, until nobody listens. */
async function client(
  port: number,
  requests: readonly [string, string][],
  tally: Tally,
): Promise<void> {
  for (let next = 0; ;) {
    let wire: Wire;
    try {
      wire = await Wire.connect(port);
    } catch {
      return;
    }
    for (let kept = true; kept; next++) {
      const [request, body] = requests[next % requests.length] ?? ["", ""];
      // Closed while idle: nothing had been sent.
      if (wire.hasEnded) break;
      wire.send(request);
      try {
        const answer = await wire.answer();
        if (answer.status !== 200 || answer.body !== body) tally.failed.push(answer.raw);
        else tally.answered++;
        kept = answer.fields.get("connection") !== "close";
      } catch (error) {
        const crossed = wire.unread === "" && wire.error === undefined;
        if (crossed && tally.stoodStill > STOP_MS) tally.crossed++;
        else tally.failed.push(String(error));
        break;
      }
    }
    wire.close();
  }
}

for (const shards of [1, 2]) {
  test.serial(
    `SIGTERM under load, ${shards} shards: every request is answered, the exit code is 0`,
    async (t) => {
      const daemon = await startDaemon(t, { config: `shards: ${shards}\n${ROUTES}`, files: FILES });
      const text = "e".repeat(10_000);
      const requests: [string, string][] = [
        [get("/hello"), "hello"],
        [get("/native"), "native"],
        [get("/slow/20"), "slow"],
        [
          `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
          text,
        ],
      ];
      const tally: Tally = { answered: 0, failed: [], crossed: 0, stoodStill: 0 };
      let seen = performance.now();
      const watch = setInterval(() => {
        tally.stoodStill = Math.max(tally.stoodStill, performance.now() - seen);
        seen = performance.now();
      }, 20);
      const clients = Array.from({ length: 12 }, (_, i) =>
        client(daemon.port, [...requests.slice(i % 4), ...requests.slice(0, i % 4)], tally),
      );
      while (tally.answered < 500 && tally.failed.length === 0) await sleep(10);
      daemon.signal("SIGTERM");
      await Promise.all(clients);
      clearInterval(watch);
      if (tally.crossed > 0) t.log(`${tally.crossed} crossed, ${tally.stoodStill} ms`);
      t.deepEqual(tally.failed, []);
      t.is(await daemon.exited, 0, daemon.output());
    },
  );
}

test.serial("SIGINT drains, too, and closes idle connections", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}\ntimeouts: { drain: 10m }\n`,
    files: FILES,
  });
  const idle = await Wire.connect(daemon.port);
  idle.send(get("/hello"));
  t.is((await idle.answer()).status, 200);
  const silent = await Wire.connect(daemon.port);
  daemon.signal("SIGINT");
  t.is(await idle.closed(), "");
  t.is(idle.error, undefined);
  t.is(await silent.closed(), "");
  t.is(await daemon.exited, 0);
});

test.serial("a request in flight at SIGTERM is answered, then its connection closes", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}\ntimeouts: { drain: 10m }\n`,
    files: FILES,
  });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/gate"));
  await appears(join(daemon.folder, "begun"));
  daemon.signal("SIGTERM");
  // Nobody listens any more.
  for (let refused = false; !refused; await sleep(10)) {
    refused = await Wire.connect(daemon.port).then(
      (late) => (late.close(), false),
      () => true,
    );
  }
  await writeFile(join(daemon.folder, "go"), "");
  const answer = await wire.answer();
  t.is(answer.body, "through the gate");
  t.is(answer.fields.get("connection"), "close");
  t.is(await wire.closed(), "");
  t.is(wire.error, undefined);
  wire.close();
  t.is(await daemon.exited, 0);
});

test.serial("a second SIGTERM ends a drain at once", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}\ntimeouts: { drain: 10m }\n`,
    files: FILES,
  });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/never"));
  await appears(join(daemon.folder, "begun"));
  daemon.signal("SIGTERM");
  await daemon.said(/drain/);
  daemon.signal("SIGTERM");
  t.true(["SIGTERM", 143].includes(await daemon.exited));
  wire.close();
});

/** When the daemon logged a message, in milliseconds. */
function loggedAt(output: string, message: string): number {
  const line = output.split("\n").find((each) => each.includes(message)) ?? "";
  return Date.parse((JSON.parse(line) as { time: string }).time);
}

const DRAIN_MS = 2000;
// The daemon waits for a second for threads that do not end, in native calls; others end within milliseconds.
const SOON_MS = 900;
// A machine that stands still delays the end; a deadline that is not kept leaves it to the handler's ten minutes.
const LATEST_MS = 20_000;

for (const [what, path] of [
  ["never answers", "/never"],
  ["does not come back", "/spin"],
] as const) {
  test.serial(`the drain's deadline holds although a handler ${what}`, async (t) => {
    const daemon = await startDaemon(t, {
      config: `${ROUTES}\ntimeouts: { drain: ${DRAIN_MS}ms, handler: 10m, keepAlive: 10m, spin: 10m }\nlog: { format: json }\n`,
      files: FILES,
    });
    const wire = await Wire.connect(daemon.port);
    wire.send(get(path));
    await appears(join(daemon.folder, "begun"));
    t.is(await daemon.stop(), 0, daemon.output());
    await wire.closed();
    const [begun, over, stopped] = ["draining;", "timeouts.drain is over", "stopped"].map(
      (message) => loggedAt(daemon.output(), message),
    ) as [number, number, number];
    // Not before its time, whose last tenth is for the end; and then the worker is ended at once, where a native call would
    // have been waited for.
    t.true(over - begun >= DRAIN_MS * 0.9 - 1, daemon.output());
    t.true(stopped - over < SOON_MS, daemon.output());
    t.true(stopped - begun < DRAIN_MS + LATEST_MS, daemon.output());
  });
}

test.serial(
  "the drain's deadline holds although a stream never ends, and no client takes it for whole",
  async (t) => {
    const daemon = await startDaemon(t, {
      // With room for both of them: of two slots handlers have one, and a stream that never ends may hold all that a
      // tiny arena lends.
      config: `${ROUTES}\nlimits: { slots: 16, arena: 16MiB }\ntimeouts: { drain: 2s, handler: 10m, write: 10m }\n`,
      files: FILES,
    });
    const chunked = await Wire.connect(daemon.port);
    chunked.send(get("/endless"));
    // Where the close delimits, a close alone would be a clean end.
    const delimited = brokenOff(daemon.port, "GET /endless HTTP/1.0\r\nHost: test\r\n\r\n");
    const comes = async (): Promise<void> => {
      for (const from = chunked.unread.length; chunked.unread.length < from + 20_000;) {
        if (chunked.hasEnded) throw new Error("the stream has ended");
        await sleep(5);
      }
    };
    await comes();
    while ((await shardStatus(daemon)).started < 2) await sleep(5);
    daemon.signal("SIGTERM");
    await daemon.said(/SIGTERM: draining/);
    await comes();
    const text = await chunked.closed();
    t.false(text.endsWith("\r\n0\r\n\r\n"), "a clean end of the chunks");
    t.true(await delimited, "ended without a reset");
    t.is(await daemon.exited, 0, daemon.output());
    t.regex(daemon.output(), /timeouts\.drain is over.*"connections":2/);
    chunked.close();
  },
);

test.serial(
  "connections that wait to be accepted at SIGTERM are served or refused, never left hanging",
  async (t) => {
    const daemon = await startDaemon(t, {
      config: `${ROUTES}\ntimeouts: { drain: 10m }\n`,
      files: FILES,
    });
    const waiting = Array.from({ length: 50 }, () =>
      connect({ port: daemon.port, host: "127.0.0.1" }),
    );
    const ends = waiting.map(
      (socket) =>
        new Promise<void>((done) => {
          socket.on("error", () => {});
          socket.once("close", () => done());
          socket.resume();
          socket.once("connect", () => socket.write(get("/hello", "Connection: close\r\n")));
        }),
    );
    daemon.signal("SIGTERM");
    await Promise.all(ends);
    t.is(await daemon.exited, 0);
  },
);
