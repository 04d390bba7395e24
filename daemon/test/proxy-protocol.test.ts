// Addresses that a PROXY protocol header brings (HAProxy, proxy-protocol.txt).
import { createServer } from "node:net";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { IO, launch, prepare, startDaemon, type Daemon } from "./support/daemon.js";
import { Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const FILES = {
  "remote.ts": `export default (request) => ({ address: request.remoteAddress, port: request.remotePort });`,
};
const ROUTES = `
routes:
  - { path: /remote, handler: ./remote.ts }
`;

const version2 = (command: number, family: number, addresses: number[]): string =>
  "\r\n\r\n\0\r\nQUIT\n" +
  String.fromCharCode(
    0x20 | command,
    family,
    addresses.length >> 8,
    addresses.length & 255,
    ...addresses,
  );
const PORTS = [0xdc, 0x04, 0x01, 0xbb]; // 56324, 443
const V4 = [192, 0, 2, 1, 192, 0, 2, 2, ...PORTS];
const SIX_ONE = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const EXTRA = [0x04, 0, 3, 1, 2, 3]; // a TLV nobody reads

const PROXIED: [string, string, string | null, number | null][] = [
  ["version 1, IPv4", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", "192.0.2.1", 56324],
  ["version 1, IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", "2001:db8::1", 56324],
  ["version 2, IPv4", version2(1, 0x11, V4), "192.0.2.1", 56324],
  ["version 2, IPv4 and more", version2(1, 0x11, [...V4, ...EXTRA]), "192.0.2.1", 56324],
  ["version 2, IPv6", version2(1, 0x21, [...SIX_ONE, ...SIX_ONE, ...PORTS]), "2001:db8::1", 56324],
  // The connection's own.
  ["version 1, unknown", "PROXY UNKNOWN\r\n", "127.0.0.1", null],
  ["version 2, local", version2(0, 0, []), "127.0.0.1", null],
];

async function startProxied(t: ExecutionContext, head = "10m"): Promise<Daemon> {
  const config = `listen: { address: 127.0.0.1:0, proxyProtocol: true }\n${ROUTES}\ntimeouts: { head: ${head} }\n`;
  return startDaemon(t, { ownListen: true, config, files: FILES });
}

test.serial("the PROXY protocol's address is the request's, split at every byte", async (t) => {
  const daemon = await startProxied(t);
  for (const [name, header, address, port] of PROXIED) {
    const bytes = header + get("/remote");
    for (let at = 0; at <= header.length + 1; at++) {
      const wire = await Wire.connect(daemon.port);
      if (at > 0) {
        wire.send(bytes.slice(0, at));
        await new Promise((done) => setImmediate(done));
      }
      wire.send(bytes.slice(at));
      const seen = JSON.parse((await wire.answer()).body) as {
        address: string | null;
        port: number;
      };
      t.deepEqual(
        seen,
        { address, port: port ?? wire.socket.localPort ?? 0 },
        `${name}, split at ${at}`,
      );
      // It holds for the whole connection.
      wire.send(get("/remote"));
      t.deepEqual(JSON.parse((await wire.answer()).body), seen);
      wire.close();
    }
    const wire = await Wire.connect(daemon.port);
    for (const byte of bytes) {
      wire.send(byte);
      await new Promise((done) => setImmediate(done));
    }
    t.is((JSON.parse((await wire.answer()).body) as { address: string | null }).address, address);
    wire.close();
  }
});

test.serial("what is no PROXY header is closed without an answer", async (t) => {
  const daemon = await startProxied(t, "2s");
  const garbage = [
    get("/remote"),
    "PROXY TCP4 192.0.2.1 192.0.2.2 70000 443\r\n" + get("/remote"),
    "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n" + get("/remote"),
    "PROXY TCP4 " + "1".repeat(200),
    version2(1, 0x11, [1, 2, 3]) + get("/remote"),
    version2(1, 0x11, V4).replace("QUIT", "QUID") + get("/remote"),
    "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + get("/remote"),
    "\x16\x03\x01\x02\0\x01",
    // Neither finished nor given up: the head's deadline.
    "PROXY TCP4 192.0.2.1",
    "\r\n\r\n\0\r\nQUIT",
    "",
  ];
  const left = await Promise.all(
    garbage.map(async (bytes) => {
      const wire = await Wire.connect(daemon.port);
      if (bytes !== "") wire.send(bytes);
      const rest = await wire.closed();
      wire.close();
      return rest;
    }),
  );
  t.deepEqual(
    left,
    garbage.map(() => ""),
  );
});

interface Seen {
  address: string | null;
  port: number | null;
}

/** Each header, whole and cut in two, on a connection of its own. */
async function bringsAddresses(
  t: ExecutionContext,
  connect: () => Promise<Wire>,
  own: (wire: Wire) => Seen,
): Promise<void> {
  for (const [name, header, address, port] of PROXIED) {
    for (const cut of [header.length, 13]) {
      const wire = await connect();
      wire.send(header.slice(0, cut));
      await new Promise((done) => setImmediate(done));
      wire.send(header.slice(cut) + get("/remote"));
      const seen = JSON.parse((await wire.answer()).body) as Seen;
      t.deepEqual(seen, port === null ? own(wire) : { address, port }, `${name}, cut at ${cut}`);
      wire.close();
    }
  }
  const wire = await connect();
  wire.send(get("/remote"));
  t.is(await wire.closed(), "", "no header");
  wire.close();
}

/** A socket that listens on a port of ::1 or 127.0.0.1; undefined: the machine has no such address. */
function listening(host: string): Promise<{ fd: number; close(): Promise<void> } | undefined> {
  const server = createServer();
  return new Promise((done) => {
    server.once("error", () => done(undefined));
    server.listen(0, host, () => {
      const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
      done({ fd, close: () => new Promise((closed) => server.close(() => closed())) });
    });
  });
}

const proxied = (address: string): string =>
  `io: ${IO}\nshards: 2\nlisten: { address: "${address}", proxyProtocol: true }\n${ROUTES}`;

for (const [host, address] of [
  ["::1", "[::1]:0"],
  ["::1", "fd:3"],
  ["127.0.0.1", "fd:3"],
] as const) {
  test.serial(`addresses that a PROXY header brings, on ${address} at ${host}`, async (t) => {
    const own = await listening(host);
    if (own === undefined) {
      t.log(`this machine has no ${host}`);
      t.pass();
      return;
    }
    const folder = await prepare(t, { exact: true, config: proxied(address), files: FILES });
    const inherit = address === "fd:3" ? [own.fd] : [];
    const daemon = await launch(t, folder, { inherit });
    await own.close();
    await bringsAddresses(
      t,
      () => Wire.connect(daemon.port, host),
      ({ socket }) => ({ address: host, port: socket.localPort ?? 0 }),
    );
    t.is(await daemon.stop(), 0);
  });
}

test.serial("addresses that a PROXY header brings, on a Unix socket", async (t) => {
  const folder = await prepare(t, { exact: true, config: proxied("unix:s.sock"), files: FILES });
  const daemon = await launch(t, folder);
  await bringsAddresses(
    t,
    () => Wire.connect(join(folder, "s.sock")),
    () => ({ address: null, port: null }),
  );
  t.is(await daemon.stop(), 0);
});

for (const proxiedFirst of [false, true]) {
  const order = proxiedFirst ? "before" : "behind";
  test.serial(
    `a listener with the PROXY protocol ${order} one without: each its own`,
    async (t) => {
      const plain = "127.0.0.1:0";
      const expecting = "{ address: 127.0.0.1:0, proxyProtocol: true }";
      const listen = proxiedFirst ? [expecting, plain] : [plain, expecting];
      const daemon = await startDaemon(t, {
        ownListen: true,
        config: `listen: [${listen.join(", ")}]\nshards: 2\n${ROUTES}`,
        files: FILES,
      });
      const [, ...urls] = await daemon.said(/serving http:\S+:(\d+) http:\S+:(\d+)\n/);
      const [plainPort = 0, proxiedPort = 0] = (proxiedFirst ? urls.reverse() : urls).map(Number);
      await bringsAddresses(
        t,
        () => Wire.connect(proxiedPort),
        ({ socket }) => ({ address: "127.0.0.1", port: socket.localPort ?? 0 }),
      );
      for (const [name, header] of PROXIED) {
        const wire = await Wire.connect(plainPort);
        wire.send(get("/remote"));
        const own = { address: "127.0.0.1", port: wire.socket.localPort ?? 0 };
        t.deepEqual(JSON.parse((await wire.answer()).body), own);
        // A header is no request: version 1 has an unknown method, version 2 none.
        wire.send(header + get("/remote"));
        t.is((await wire.answer()).status, header.startsWith("PROXY") ? 501 : 400, name);
        t.is(await wire.closed(), "");
        wire.close();
      }
      t.is(await daemon.stop(), 0);
    },
  );
}
