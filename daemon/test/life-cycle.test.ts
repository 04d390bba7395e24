// From start to end: what is refused at start, what listens, what a signal does.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import { launch, prepare, runToEnd, startDaemon, type Daemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

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
  "never.ts": `import { writeFileSync } from "node:fs";
    export default async () => { writeFileSync("begun", ""); await new Promise(() => {}); };`,
  "shard.ts": `import { threadId } from "node:worker_threads";
    export default () => String(threadId);`,
  "remote.ts": `export default (request) => ({ address: request.remoteAddress, port: request.remotePort });`,
  "broken.ts": `export default () => { throw new Error("on purpose"); };`,
};
const ROUTES = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: "/slow/{ms:int}", handler: ./slow.ts }
  - { path: /echo, methods: [POST], handler: ./echo.ts }
  - { path: /gate, handler: ./gate.ts }
  - { path: /never, handler: ./never.ts }
  - { path: /shard, handler: ./shard.ts }
  - { path: /remote, handler: ./remote.ts }
  - { path: /broken, handler: ./broken.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;

async function appears(path: string): Promise<void> {
  for (let i = 0; i < 1500 && !existsSync(path); i++) await sleep(20);
  if (!existsSync(path)) throw new Error(`${path} has not appeared`);
}

// --- the end ---

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

test.serial("the drain's deadline holds although a handler never answers", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}\ntimeouts: { drain: 500ms, handler: 10m, keepAlive: 10m }\n`,
    files: FILES,
  });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/never"));
  await appears(join(daemon.folder, "begun"));
  t.is(await daemon.stop(), 0, daemon.output());
  await wire.closed();
});

// --- listening ---

for (const shards of [1, 2]) {
  test.serial(`a second daemon on the port of one with ${shards} shards is refused`, async (t) => {
    const first = await startDaemon(t, { config: `shards: ${shards}\n${ROUTES}`, files: FILES });
    const folder = await prepare(t, { config: `shards: ${shards}\n${ROUTES}`, files: FILES });
    const second = await runToEnd(t, folder, { args: ["--listen", `127.0.0.1:${first.port}`] });
    t.true(typeof second.code === "number" && second.code !== 0, `${second.code}`);
    t.regex(
      second.output,
      new RegExp(`cannot listen on 127\\.0\\.0\\.1:${first.port}: another program has the port`),
    );
    t.is((await fetchRaw(first.port, get("/hello"))).body, "hello");
  });
}

test.serial(
  "a Unix socket: removed at the end, kept from a second daemon, taken over when stale",
  async (t) => {
    const folder = await prepare(t, {
      ownListen: true,
      config: `listen: unix:s.sock\n${ROUTES}`,
      files: FILES,
    });
    const path = join(folder, "s.sock");
    const first = await launch(t, folder);
    t.is((await fetchRaw(path, get("/hello"))).body, "hello");
    t.is((await fetchRaw(path, get("/native"))).body, "native");
    t.deepEqual(JSON.parse((await fetchRaw(path, get("/remote"))).body), {
      address: null,
      port: null,
    });

    const second = await runToEnd(t, folder);
    t.true(typeof second.code === "number" && second.code !== 0, `${second.code}`);
    t.regex(second.output, /another program listens there/);
    t.is((await fetchRaw(path, get("/hello"))).body, "hello");

    first.signal("SIGKILL");
    t.is(await first.exited, "SIGKILL");
    t.true(existsSync(path));
    const third = await launch(t, folder);
    t.is((await fetchRaw(path, get("/hello"))).body, "hello");
    t.is(await third.stop(), 0);
    t.false(existsSync(path));

    await writeFile(path, "no socket");
    const fourth = await runToEnd(t, folder);
    t.true(typeof fourth.code === "number" && fourth.code !== 0, `${fourth.code}`);
    t.regex(fourth.output, /a file that is no socket is there/);
    t.true(existsSync(path));
  },
);

test.serial("--listen replaces what the configuration listens on", async (t) => {
  const folder = await prepare(t, {
    ownListen: true,
    config: `listen: unix:never.sock\n${ROUTES}`,
    files: FILES,
  });
  const daemon = await launch(t, folder, { args: ["--listen", "127.0.0.1:0"] });
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  t.false(existsSync(join(folder, "never.sock")));
});

test.serial("several listeners: IPv4, IPv6, a Unix socket", async (t) => {
  const six = await hasIpv6();
  if (!six) t.log("this machine has no IPv6");
  const folder = await prepare(t, {
    ownListen: true,
    config: `listen: [127.0.0.1:0, ${six ? '"[::1]:0", ' : ""}"unix:s.sock"]\nshards: 2\n${ROUTES}`,
    files: FILES,
  });
  const daemon = await launch(t, folder);
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  if (six) {
    const port = Number((await daemon.said(/http:\/\/\[::1\]:(\d+)/))[1]);
    const wire = await Wire.connect(port, "::1");
    wire.send(get("/remote"));
    t.is((JSON.parse((await wire.answer()).body) as { address: string }).address, "::1");
    wire.close();
  }
  t.is((await fetchRaw(join(folder, "s.sock"), get("/hello"))).body, "hello");
  t.is(await daemon.stop(), 0);
});

function hasIpv6(): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(0, "::1", () => server.close(() => done(true)));
  });
}

test.serial("two shards both serve", async (t) => {
  const daemon = await startDaemon(t, { config: `shards: 2\n${ROUTES}`, files: FILES });
  const seen = new Set<string>();
  // The kernel spreads connections by hash: 200 on one shard alone do not happen.
  for (let i = 0; i < 200 && seen.size < 2; i++) {
    seen.add((await fetchRaw(daemon.port, get("/shard"))).body);
    t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
  }
  t.is(seen.size, 2);
  t.is(await daemon.stop(), 0);
});

// --- PROXY protocol ---

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

async function startProxied(t: Parameters<typeof prepare>[0]): Promise<Daemon> {
  const config = `listen: { address: 127.0.0.1:0, proxyProtocol: true }\n${ROUTES}\ntimeouts: { head: 2s }\n`;
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
  const daemon = await startProxied(t);
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

// --- log ---

interface AccessLine {
  time: string;
  id: string;
  address: string;
  method: string;
  target: string;
  version: string;
  route: string;
  status: number;
  bytes: number;
  durationUs: number;
}

test.serial(
  "the access log has a line of JSON for each request, by the id that the handler's error shows",
  async (t) => {
    const daemon = await startDaemon(t, {
      config: `${ROUTES}\nlog: { access: true }\n`,
      files: FILES,
    });
    const begun = Date.now();
    const wire = await Wire.connect(daemon.port);
    wire.send(
      get("/hello?x=%22y%22") +
        get("/native") +
        "POST /hello/no HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    );
    for (const status of [200, 200, 404]) t.is((await wire.answer()).status, status);
    wire.send(get("/broken"));
    const broken = await wire.answer();
    t.is(broken.status, 500);
    const { requestId } = JSON.parse(broken.body) as { requestId: string };
    wire.send("BREW\x01\x7f / HTTP/1.1\r\n\r\n");
    t.is((await wire.answer()).status, 400);
    wire.close();
    t.is(await daemon.stop(), 0);

    const lines = daemon
      .standardOutput()
      .split("\n")
      .filter((line) => line.includes("durationUs"))
      .map((line) => JSON.parse(line) as AccessLine);
    t.deepEqual(
      lines.map(({ method, target, version, route, status, bytes }) => [
        method,
        target,
        version,
        route,
        status,
        bytes,
      ]),
      [
        ["GET", "/hello?x=%22y%22", "1.1", "/hello", 200, 5],
        ["GET", "/native", "1.1", "/native", 200, 6],
        ["POST", "/hello/no", "1.0", "", 404, 14],
        ["GET", "/broken", "1.1", "/broken", 500, broken.body.length],
        ["", "", "1.1", "", 400, 16],
      ],
    );
    for (const line of lines) {
      t.is(line.address, "127.0.0.1");
      const time = Date.parse(line.time);
      t.is(new Date(time).toISOString(), line.time);
      t.true(time >= begun - 1000 && time <= Date.now() + 1000);
      t.true(line.durationUs >= 0);
    }
    t.is(lines[3]?.id, requestId);
    t.is(new Set(lines.slice(0, 4).map(({ id }) => id)).size, 4);
    // And the error's own line.
    const error = daemon
      .output()
      .split("\n")
      .find((line) => line.includes("on purpose"));
    t.true(error?.includes(requestId));
  },
);

// --- bad configuration ---

// Name, configuration, what is said.
const BAD: [string, string, RegExp][] = [
  ["an unknown key", "routes: []\nlimit: {}\n", /pinion\.yaml:\d+:1: .*limit/],
  ["a value out of range", "limits:\n  slots: 1\n", /pinion\.yaml:\d+:\d+: .*slots/],
  ["broken YAML", "routes: [\n", /pinion\.yaml:\d+:\d+: /],
  [
    "a handler that is not there",
    "routes:\n  - { path: /, handler: ./helo.ts }\n",
    /pinion\.yaml:\d+:\d+: .*helo\.ts.*hello\.ts/,
  ],
  [
    "a bad pattern",
    'routes:\n  - { path: "/{id:integer}", handler: ./hello.ts }\n',
    /pinion\.yaml:\d+:\d+: /,
  ],
  [
    "a handler that does not compile",
    "routes:\n  - { path: /, handler: ./syntax.ts }\n",
    /syntax\.ts:2:\d+/,
  ],
];
for (const [name, config, message] of BAD) {
  test.serial(`bad configuration: ${name}`, async (t) => {
    const files = { ...FILES, "syntax.ts": "export default () => {\n  return ];\n};\n" };
    const folder = await prepare(t, { config, files, exact: true });
    const { code, output } = await runToEnd(t, folder);
    t.is(code, 2, output);
    t.regex(output, message);
  });
}

test.serial("a handler that throws while it loads ends the start, and says where", async (t) => {
  const files = {
    ...FILES,
    "throws.ts": `throw new Error("at the top");\nexport default () => "";\n`,
  };
  const folder = await prepare(t, {
    config: "routes:\n  - { path: /, handler: ./throws.ts }\n",
    files,
  });
  const { code, output } = await runToEnd(t, folder);
  t.true(typeof code === "number" && code !== 0, `${code}`);
  t.regex(output, /at the top/);
  t.regex(output, /throws\.ts/);
});

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
