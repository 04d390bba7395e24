// Sockets that whoever starts the daemon hands over: `fd:3`, and those of systemd.
import { closeSync, existsSync, openSync, renameSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { loadAddon } from "../../runtime/addon-loader.js";
import { launch, prepare, runToEnd, IO } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const FILES = { "hello.ts": `export default () => "hello";` };
const ROUTES = `io: ${IO}\nroutes: [{ path: /hello, handler: ./hello.ts }]\n`;
// The daemon's own process id, as systemd sets it: only the process itself knows it before it starts.
const AS_SYSTEMD = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"];

interface Handed {
  server: Server;
  fd: number;
  port: number;
}

/** A listening socket of this process, on a port or at a path. */
async function listening(t: ExecutionContext, where: number | string = 0): Promise<Handed> {
  const server = createServer();
  await new Promise<void>((done) => {
    if (typeof where === "string") server.listen(where, done);
    else server.listen({ port: where, host: "127.0.0.1" }, done);
  });
  t.teardown(() => server.close());
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const address = server.address();
  return { server, fd, port: typeof address === "object" ? (address?.port ?? 0) : 0 };
}

/** From here on only the daemon has it. */
const letGo = ({ server }: Handed): Promise<void> =>
  new Promise((done) => server.close(() => done()));

for (const shards of [1, 2]) {
  test(`fd:3 is served by ${shards} shards`, async (t) => {
    const config = `listen: "fd:3"\nshards: ${shards}\n${ROUTES}`;
    const folder = await prepare(t, { exact: true, config, files: FILES });
    const handed = await listening(t);
    const daemon = await launch(t, folder, { inherit: [handed.fd] });
    await letGo(handed);
    t.is(daemon.port, handed.port);
    for (let i = 0; i < 20; i++) t.is((await fetchRaw(handed.port, get("/hello"))).body, "hello");
    t.is(await daemon.stop(), 0);
    await t.throwsAsync(Wire.connect(handed.port), { code: "ECONNREFUSED" });
  });
}

/** How long answers of three small parts take, in milliseconds; by turns, so that noise meets all ports alike. */
async function streamTimes(ports: readonly number[]): Promise<number[][]> {
  const wires = await Promise.all(ports.map((port) => Wire.connect(port)));
  const times = ports.map((): number[] => []);
  for (let i = 0; i < 60; i++) {
    for (const [index, wire] of wires.entries()) {
      const from = performance.now();
      wire.send(get("/parts"));
      if ((await wire.answer()).body !== "abc") throw new Error("another answer");
      times[index]?.push(performance.now() - from);
    }
  }
  for (const wire of wires) wire.close();
  return times;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

test("small parts leave at once on a socket that was handed over without TCP_NODELAY", async (t) => {
  const files = {
    "parts.ts": `export default async function* () {
      for (const part of ["a", "b", "c"]) { yield part; await new Promise((done) => setImmediate(done)); }
    }`,
  };
  const config = `listen: ["fd:3", "127.0.0.1:0"]\nshards: 1\nio: ${IO}\nroutes: [{ path: /parts, handler: ./parts.ts }]\n`;
  const folder = await prepare(t, { exact: true, config, files });
  const handed = await listening(t);
  const daemon = await launch(t, folder, { inherit: [handed.fd] });
  await letGo(handed);
  const ports = [...daemon.output().matchAll(/http:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) =>
    Number(port),
  );
  const own = ports.find((port) => port !== handed.port) ?? 0;
  const [theirs, ours] = (await streamTimes([handed.port, own])).map(median);
  t.log(`${theirs} ms, and ${ours} ms`);
  // Where the kernel waits for the client's acknowledgement, which is late by intent, they take 40 ms.
  t.true(
    Number(theirs) < 10 * Number(ours),
    `${theirs} ms, and ${ours} ms on the daemon's own socket`,
  );
  t.is(await daemon.stop(), 0);
});

test("an inherited Unix socket stays where it is at the end", async (t) => {
  const config = `listen: "fd:3"\nshards: 1\n${ROUTES}`;
  const folder = await prepare(t, { exact: true, config, files: FILES });
  const path = join(folder, "s.sock");
  const handed = await listening(t, join(folder, "first.sock"));
  renameSync(join(folder, "first.sock"), path); // Node removes what it has made
  const daemon = await launch(t, folder, { inherit: [handed.fd] });
  await letGo(handed);
  t.is((await fetchRaw(path, get("/hello"))).body, "hello");
  t.is(await daemon.stop(), 0);
  t.true(existsSync(path));
});

test("systemd's sockets, by LISTEN_FDS and by name", async (t) => {
  const config = `listen: ["systemd:web", "systemd:admin"]\nshards: 2\n${ROUTES}`;
  const folder = await prepare(t, { exact: true, config, files: FILES });
  const [admin, web] = [await listening(t), await listening(t)];
  const daemon = await launch(t, folder, {
    wrapper: AS_SYSTEMD,
    env: { LISTEN_FDS: "2", LISTEN_FDNAMES: "admin:web" },
    inherit: [admin.fd, web.fd],
  });
  await Promise.all([letGo(admin), letGo(web)]);
  t.is(daemon.port, web.port);
  t.is((await fetchRaw(admin.port, get("/hello"))).body, "hello");
  t.is((await fetchRaw(web.port, get("/hello"))).body, "hello");
  t.is(await daemon.stop(), 0);
});

test("all of systemd's sockets", async (t) => {
  const config = `listen: systemd\nshards: 1\n${ROUTES}`;
  const folder = await prepare(t, { exact: true, config, files: FILES });
  const both = [await listening(t), await listening(t)];
  const daemon = await launch(t, folder, {
    wrapper: AS_SYSTEMD,
    env: { LISTEN_FDS: "2" },
    inherit: both.map(({ fd }) => fd),
  });
  for (const handed of both) {
    await letGo(handed);
    t.is((await fetchRaw(handed.port, get("/hello"))).body, "hello");
  }
  t.is(await daemon.stop(), 0);
});

test("after SIGKILL the next daemon serves who waits at the socket that systemd has kept", async (t) => {
  const folder = await prepare(t, {
    exact: true,
    config: `listen: systemd\nshards: 2\n${ROUTES}`,
    files: FILES,
  });
  // Nobody accepts in this process: it only has the descriptor, as systemd does.
  const { fd, port } = loadAddon().bind(
    { kind: "tcp", host: "127.0.0.1", port: 0, backlog: 128, proxyProtocol: false },
    "alone",
  );
  t.teardown(() => closeSync(fd));
  const start = () =>
    launch(t, folder, { wrapper: AS_SYSTEMD, env: { LISTEN_FDS: "1" }, inherit: [fd] });
  const first = await start();
  const kept = await Wire.connect(port);
  kept.send(get("/hello"));
  t.is((await kept.answer()).body, "hello");
  first.signal("SIGKILL");
  t.is(await first.exited, "SIGKILL");
  t.is(await kept.closed(), "");
  // Nobody is refused while nobody serves.
  const waiting = await Promise.all(Array.from({ length: 30 }, () => Wire.connect(port)));
  for (const wire of waiting) wire.send(get("/hello"));
  const second = await start();
  t.not(second.pid, first.pid);
  for (const wire of waiting) {
    t.is((await wire.answer()).body, "hello");
    wire.close();
  }
  kept.close();
  t.is(await second.stop(), 0);
});

test("sockets for another process, and what is no socket, are refused", async (t) => {
  const folder = await prepare(t, {
    exact: true,
    config: `listen: systemd\nshards: 1\n${ROUTES}`,
    files: FILES,
  });
  const handed = await listening(t);
  const others = await runToEnd(t, folder, {
    env: { LISTEN_PID: String(process.pid), LISTEN_FDS: "1" },
    inherit: [handed.fd],
  });
  t.is(others.code, 1, others.output);
  t.regex(others.output, /cannot listen on systemd: systemd handed over no socket/);
  const file = openSync("/dev/null", "r");
  const args = ["--listen", "fd:3"];
  const nothing = await runToEnd(t, folder, { args, inherit: [file] });
  closeSync(file);
  t.is(nothing.code, 1, nothing.output);
  t.regex(nothing.output, /cannot listen on fd:3: that descriptor is no socket/);
});
