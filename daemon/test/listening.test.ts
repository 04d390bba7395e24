// What the daemon listens on: ports, Unix sockets, several at once, and what others have already.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import { launch, prepare, runToEnd, startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const FILES = {
  "hello.ts": `export default () => "hello";`,
  "shard.ts": `import { threadId } from "node:worker_threads";
    export default () => String(threadId);`,
  "remote.ts": `export default (request) => ({ address: request.remoteAddress, port: request.remotePort });`,
};
const ROUTES = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: /shard, handler: ./shard.ts }
  - { path: /remote, handler: ./remote.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;

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
