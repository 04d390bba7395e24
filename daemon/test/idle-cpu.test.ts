// Whatever is incomplete, or waits: while nothing happens, nothing is done.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { isQuiet } from "./support/quiet.js";
import { settlesTo, shardStatus } from "./support/status.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const post = (target: string, fields: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: test\r\n${fields}\r\n\r\n`;

const FILES = {
  "never.ts": `export default () => new Promise(() => {});`,
  "upload.ts": `export default async (request) => {
    let bytes = 0;
    for await (const part of request) bytes += part.length;
    return String(bytes);
  };`,
  "large.ts": `const body = new Uint8Array(4 * 1024 * 1024); export default () => body;`,
  "stream.ts": `
    const chunk = new Uint8Array(64 * 1024);
    export default async function* () { for (let i = 0; i < 1000; i++) yield chunk; }`,
};
const CONFIG = `
routes:
  - { path: /never, handler: ./never.ts }
  - { path: /upload, methods: [POST], handler: ./upload.ts }
  - { path: /unread, methods: [POST], handler: ./never.ts }
  - { path: /large, handler: ./large.ts }
  - { path: /stream, handler: ./stream.ts }
  - { path: /fixed, respond: { status: 200, type: text/plain, body: "${"f".repeat(1000)}" } }
timeouts: { head: 1h, body: 1h, handler: 1h, write: 1h, keepAlive: 1h, drain: 0s, spin: 1h }
limits: { slots: 32, pipeline: 4, arena: 1MiB }
`;

const CONNECTIONS = 24;
const chunked = "Transfer-Encoding: chunked";
const STATES: Record<string, string> = {
  "nothing at all": "",
  "a head that is not whole": "GET /fixed HTTP/1.1\r\nHos",
  "a long head that is not whole": `GET /fixed HTTP/1.1\r\nHost: test\r\nX: ${"x".repeat(9000)}`,
  "a body that is not whole": post("/upload", "Content-Length: 1000") + "half",
  "a body that is not whole and that nobody wants":
    post("/nowhere", "Content-Length: 1000") + "half",
  "a large body that is not whole": post("/upload", "Content-Length: 1000000") + "x".repeat(70_000),
  "a body that has not begun, after 100 Continue": post(
    "/upload",
    "Content-Length: 1000\r\nExpect: 100-continue",
  ),
  "a chunk-size line that is not whole": post("/upload", chunked) + "5;exten",
  "a chunk that is not whole": post("/upload", chunked) + "5\r\nha",
  "trailers that are not whole": post("/upload", chunked) + "0\r\nX-Trailer: ha",
  "bodies that no handler reads": post("/unread", chunked) + "8000\r\n" + "x".repeat(0x8000),
  "large answers that nobody reads": get("/large"),
  "streams that nobody reads": get("/stream"),
  "small answers that nobody reads": get("/fixed").repeat(2000),
  "more requests in a pipeline than are read ahead": get("/never").repeat(300),
  "an answer that others in a pipeline wait for": get("/never") + get("/fixed").repeat(300),
};

/** That many say it, and read nothing of what comes. */
async function crowd(port: number, text: string, count = CONNECTIONS): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.pause();
    socket.on("error", () => undefined);
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  for (const socket of sockets) if (text !== "") socket.write(text, "latin1");
  return sockets;
}

test.serial("clients that have not said all, or do not read, cost no CPU", async (t) => {
  t.timeout(5 * 60_000);
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const idle = await shardStatus(daemon);
  for (const [what, text] of Object.entries(STATES)) {
    const sockets = await crowd(daemon.port, text);
    await isQuiet(t, daemon, what);
    // They have come, and it is not because they had been sent away.
    const { connections } = await shardStatus(daemon);
    t.is(connections, idle.connections + CONNECTIONS, what);
    for (const socket of sockets) socket.resetAndDestroy();
    await settlesTo(t, daemon, idle, what);
  }
});

test.serial("those that wait for a slot, and those who half-closed, cost no CPU", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const idle = await shardStatus(daemon);
  const waiting = await crowd(daemon.port, get("/never"), 100);
  const halfClosed = await crowd(daemon.port, get("/never"), 10);
  for (const socket of halfClosed) socket.end();
  await isQuiet(t, daemon, "waiting for a slot");
  t.is((await shardStatus(daemon)).connections, idle.connections + 110);
  // Those first: were the others' slots free before, their handlers would begin, and nobody hears a reset behind an end.
  for (const socket of [...halfClosed, ...waiting]) socket.resetAndDestroy();
  await settlesTo(t, daemon, idle);
});

test.serial("a PROXY header that is not whole costs no CPU", async (t) => {
  const daemon = await startDaemon(t, {
    ownListen: true,
    config: `listen: { address: 127.0.0.1:0, proxyProtocol: true }\n${CONFIG}`,
    files: FILES,
  });
  const idle = await shardStatus(daemon);
  const sockets = [
    ...(await crowd(daemon.port, "PROXY TCP4 192.0.2.1")),
    ...(await crowd(daemon.port, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0")),
    ...(await crowd(daemon.port, "")),
  ];
  await isQuiet(t, daemon, "PROXY");
  t.is((await shardStatus(daemon)).connections, idle.connections + 3 * CONNECTIONS);
  for (const socket of sockets) socket.resetAndDestroy();
  await settlesTo(t, daemon, idle);
});
