// Heads that grow piece by piece on many connections, far more together than the arena has: they hold bytes, not segments,
// and never what others need.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const KIB = 1024;
const SEGMENT = 4 * KIB;
const CLIENTS = 400;

interface Client {
  socket: Socket;
  received: string;
  closed: boolean;
}

async function clientsOf(port: number): Promise<Client[]> {
  const clients = Array.from({ length: CLIENTS }, () => {
    const client: Client = {
      socket: connect({ port, host: "127.0.0.1", noDelay: true }),
      received: "",
      closed: false,
    };
    client.socket.on("data", (chunk: Buffer) => (client.received += chunk.toString("latin1")));
    client.socket.on("error", () => undefined);
    client.socket.on("close", () => (client.closed = true));
    return client;
  });
  await Promise.all(clients.map(({ socket }) => once(socket, "connect")));
  return clients;
}

async function write(clients: readonly Client[], text: string): Promise<void> {
  await Promise.all(
    clients
      .filter(({ socket, closed }) => !closed && !socket.writableEnded)
      .map(({ socket }) => new Promise((done) => socket.write(text, "latin1", done))),
  );
}

test.serial("heads that come piece by piece never hold what others need", async (t) => {
  const daemon = await startDaemon(t, {
    config: `
routes:
  - { path: /fixed, respond: { status: 200, type: text/plain, body: fixed } }
  - { path: /hello, handler: ./hello.ts }
timeouts: { head: 1h, keepAlive: 1h, drain: 0s }
limits: { arena: 1MiB, slots: 64 }
`,
    files: { "hello.ts": `export default () => "hello";` },
  });
  const idle = await shardStatus(daemon);
  const clients = await clientsOf(daemon.port);

  // Byte by byte: they hold the bytes that they have sent, in blocks of 256.
  for (const byte of "GET /fixed HTTP/1.1\r\nHost: test\r\nX-Long: ") await write(clients, byte);
  let held = Infinity;
  const most = Math.ceil((CLIENTS * 256) / SEGMENT) + 8;
  for (let i = 0; i < 100 && held > most; i++) {
    const { segmentsTotal, segmentsFree, segmentsLent } = await shardStatus(daemon);
    held = segmentsTotal - segmentsFree - segmentsLent;
  }
  t.true(held <= most, `${held} segments for ${CLIENTS} heads of 40 bytes`);

  // To 15 KiB each, six times what there is.
  for (let bytes = 0; bytes < 15 * KIB; bytes += 512) {
    await write(clients, "x".repeat(512));
    for (const target of ["/-/live", "/fixed", "/hello"]) {
      const { status } = await fetchRaw(daemon.port, get(target));
      t.is(status, 200, `${target} beside heads of ${bytes} bytes`);
    }
  }
  // Who found no memory was told so.
  const refused = clients.filter(({ closed }) => closed);
  t.true(refused.length > 0);
  t.deepEqual(
    refused.filter(({ received }) => !/^HTTP\/1\.1 503 .*\r\nRetry-After: /s.test(received)),
    [],
  );
  // Whose head lies there whole is served.
  const left = clients.filter(({ received }) => received === "");
  t.true(left.length > 0);
  await write(left, "\r\n\r\n");
  for (let i = 0; i < 500 && left.some(({ received }) => received === ""); i++) {
    await new Promise((done) => setTimeout(done, 20));
  }
  t.deepEqual(
    left.filter(({ received }) => !received.startsWith("HTTP/1.1 200 ")),
    [],
  );
  for (const { socket } of clients) socket.destroy();
  await settlesTo(t, daemon, idle);
});
