// Many connections, tiny memory: the bounds hold, and what is within them is served.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const HELLO = { "hello.ts": `export default () => "hello";` };

/** Opens connections from several loopback addresses, so that source ports do not run out. */
async function openMany(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  const batch = 500;
  for (let start = 0; start < count; start += batch) {
    const opened = Array.from({ length: Math.min(batch, count - start) }, (_, i) => {
      const localAddress = `127.0.0.${2 + ((start + i) % 8)}`;
      return new Promise<Socket>((done, failed) => {
        const socket = connect({ port, host: "127.0.0.1", localAddress, noDelay: true });
        socket.once("error", failed);
        socket.once("connect", () => done(socket));
      });
    });
    sockets.push(...(await Promise.all(opened)));
  }
  return sockets;
}

const CONNECTIONS = 15_000;
const OTHER_FILES = 1000;
const files = Number(
  /Max open files\s+\S+\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? Infinity,
);
const enough = files >= CONNECTIONS + OTHER_FILES;
const missing = `, skipped: the hard limit on open files is ${files}, it takes ${CONNECTIONS + OTHER_FILES}`;
const many = enough ? test.serial : test.serial.skip;

many(
  `${CONNECTIONS} connections are open at once and all are answered${enough ? "" : missing}`,
  async (t) => {
    const daemon = await startDaemon(t, {
      // The first is silent until the last has been opened, which takes as long as it takes.
      config: `routes: [{ path: /hello, handler: ./hello.ts }]\nlimits: { connections: ${CONNECTIONS + 100} }\ntimeouts: { head: 2m, handler: 2m }\n`,
      files: HELLO,
    });
    const sockets = await openMany(daemon.port, CONNECTIONS);
    const answered = await Promise.all(
      sockets.map(
        (socket) =>
          new Promise<boolean>((done) => {
            socket.once("data", (chunk: Buffer) =>
              done(chunk.toString().startsWith("HTTP/1.1 200 OK")),
            );
            socket.once("close", () => done(false));
            socket.write(get("/hello"));
          }),
      ),
    );
    t.is(answered.filter(Boolean).length, CONNECTIONS);
    t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
    for (const socket of sockets) socket.destroy();
  },
);

const COUNT = 3000;

test.serial(
  "heads byte by byte on thousands of connections pin bytes, and others are served",
  async (t) => {
    const daemon = await startDaemon(t, {
      config: `routes: [{ path: /hello, handler: ./hello.ts }]\nlimits: { connections: 4000, arena: 4MiB, slots: 256 }\ntimeouts: { head: 1h }\n`,
      files: HELLO,
    });
    const sockets = await openMany(daemon.port, COUNT);
    const request = get("/hello");
    // Blocks of 256 bytes in segments of 4 KiB.
    const most = Math.ceil((COUNT * 256) / 4096) + 8;
    for (let at = 0; at < request.length - 1; at++) {
      for (const socket of sockets) socket.write(request.charAt(at));
      t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
      const { segmentsTotal, segmentsFree, segmentsLent } = await shardStatus(daemon);
      const held = segmentsTotal - segmentsFree - segmentsLent;
      t.true(held <= most, `${held} segments for ${COUNT} heads of ${at + 1} bytes`);
    }
    const answers = await Promise.all(
      sockets.map(
        (socket) =>
          new Promise<string>((done) => {
            socket.once("data", (chunk: Buffer) => done(chunk.toString().slice(0, 15)));
            socket.write(request.slice(-1));
          }),
      ),
    );
    t.deepEqual([...new Set(answers)], ["HTTP/1.1 200 OK"]);
    for (const socket of sockets) socket.destroy();
  },
);

test.serial("long heads, byte by byte and in small pieces, are read whole", async (t) => {
  const daemon = await startDaemon(t, {
    config: `routes: [{ path: /sum, handler: ./sum.ts }, { path: /hello, handler: ./hello.ts }]\nlimits: { connections: 1000, arena: 4MiB, slots: 256 }\ntimeouts: { head: 1h }\n`,
    files: {
      ...HELLO,
      "sum.ts": `import { createHash } from "node:crypto";
        export default (request) => createHash("sha1").update(request.headers.get("x-long")).digest("hex");`,
    },
  });
  const sockets = await openMany(daemon.port, 500);
  const heads = sockets.map((_, i) => {
    const value = Array.from({ length: 500 }, (_, n) => (i * 1000 + n * n).toString(36)).join("");
    const start = "GET /sum HTTP/1.1\r\nHost: test\r\nX-Long: ";
    return start + value.slice(0, 2048 - start.length - 4) + "\r\n\r\n";
  });
  const answers = sockets.map(
    (socket) =>
      new Promise<string>((done) => {
        let text = "";
        socket.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          if (/\r\n\r\n[0-9a-f]{40}$/.test(text) || text.includes("close")) done(text);
        });
        socket.on("close", () => done(`closed: ${text}`));
      }),
  );
  for (let at = 0; at < 2048; at += at < 100 ? 1 : 64) {
    const end = at < 100 ? at + 1 : at + 64;
    for (const [i, socket] of sockets.entries()) socket.write(heads[i]?.slice(at, end) ?? "");
    // Who sends a whole head is served meanwhile; and so every piece arrives on its own.
    if (end < 2048) t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  }
  for (const [i, text] of (await Promise.all(answers)).entries()) {
    const value = heads[i]?.slice(heads[i].indexOf("X-Long: ") + 8, -4) ?? "";
    const expected = createHash("sha1").update(value).digest("hex");
    if (!text.startsWith("HTTP/1.1 200 OK") || !text.endsWith(expected)) t.fail(`${i}: ${text}`);
  }
  for (const socket of sockets) socket.destroy();
});

test.serial("a tiny arena serves everybody, who is refused for memory the next time", async (t) => {
  const daemon = await startDaemon(t, {
    config: `routes:\n  - { path: /hello, handler: ./hello.ts }\nlimits: { arena: 1MiB, slots: 16 }\n`,
    files: HELLO,
  });
  const served = await Promise.all(
    Array.from({ length: 200 }, async () => {
      let answered = 0;
      for (let tries = 0; answered < 20 && tries < 1000; tries++) {
        const wire = await Wire.connect(daemon.port);
        wire.send(get("/hello").repeat(20 - answered));
        for (let status = 200; status === 200 && answered < 20;) {
          ({ status } = await wire.answer());
          if (status === 200) answered++;
          else t.is(status, 503);
        }
        wire.close();
      }
      return answered;
    }),
  );
  t.deepEqual(
    served.filter((answered) => answered !== 20),
    [],
  );
});

test.serial("connections beyond the limit wait, and are served when one goes", async (t) => {
  const daemon = await startDaemon(t, {
    config: `routes:\n  - { path: /hello, handler: ./hello.ts }\nlimits: { connections: 8 }\n`,
    files: HELLO,
  });
  const held = await Promise.all(Array.from({ length: 8 }, () => Wire.connect(daemon.port)));
  for (const wire of held) {
    wire.send(get("/hello"));
    t.is((await wire.answer()).status, 200);
  }
  const late = await Wire.connect(daemon.port);
  late.send(get("/hello"));
  held[0]?.close();
  t.is((await late.answer()).body, "hello");
  for (const wire of held) wire.close();
  late.close();
});

test.serial("the smallest arena and two slots serve uploads side by side", async (t) => {
  const daemon = await startDaemon(t, {
    config: `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: /echo, methods: [POST], handler: ./echo.ts }
limits: { arena: 64KiB, connection: 20KiB, slots: 2 }
`,
    files: { ...HELLO, "echo.ts": `export default async (request) => await request.text();` },
  });
  const text = "u".repeat(10_000);
  const post = "POST /echo HTTP/1.1\r\nHost: test\r\n";
  const requests: [string, string][] = [
    [get("/hello"), "hello"],
    [`${post}Content-Length: ${text.length}\r\n\r\n${text}`, text],
    [`${post}Transfer-Encoding: chunked\r\n\r\n2710\r\n${text}\r\n0\r\n\r\n`, text],
  ];
  await Promise.all(
    Array.from({ length: 12 }, async (_, client) => {
      const wire = await Wire.connect(daemon.port);
      for (let i = 0; i < 20; i++) {
        const [request, body] = requests[(client + i) % 3] ?? ["", ""];
        wire.send(request);
        const answer = await wire.answer();
        if (answer.status !== 200 || answer.body !== body) t.fail(answer.raw.slice(0, 200));
      }
      wire.close();
    }),
  );
  t.pass();
});

test.serial("a request that finds no slot in time is told so", async (t) => {
  const daemon = await startDaemon(t, {
    config: `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: /never, handler: ./never.ts, timeout: 10m }
limits: { slots: 2 }
timeouts: { handler: 300ms, drain: 100ms }
`,
    files: { ...HELLO, "never.ts": `export default () => new Promise(() => {});` },
  });
  const held = await Promise.all(Array.from({ length: 2 }, () => Wire.connect(daemon.port)));
  for (const wire of held) wire.send(get("/never"));
  // Whichever is read first, one has the handlers' slot and is not answered.
  const late = await fetchRaw(daemon.port, get("/hello"));
  if (late.status === 200) t.is((await fetchRaw(daemon.port, get("/hello"))).status, 503);
  else t.is(late.status, 503);
  // It goes on. Those that waited are let go all the same.
  let status = await shardStatus(daemon);
  for (let i = 0; i < 100 && status.connections > 1; i++) {
    await sleep(100);
    status = await shardStatus(daemon);
  }
  t.is(status.connections, 1);
  t.is(status.started, 1);
  for (const wire of held) wire.close();
});
