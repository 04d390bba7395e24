// The access log, line by line.
import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, readSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { IO, launch, prepare, startDaemon, type Daemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const FILES = {
  "hello.ts": `export default () => "hello";`,
  "slow.ts": `export default async () => {
      await new Promise((done) => setTimeout(done, 50));
      return "slow";
    };`,
  "late.ts": `export default async function* () {
      yield "soon";
      await new Promise((done) => setTimeout(done, 50));
      yield "late";
    }`,
  "broken.ts": `export default () => { throw new Error("on purpose"); };`,
};
const ROUTES = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: /slow, handler: ./slow.ts }
  - { path: /late, handler: ./late.ts }
  - { path: /broken, handler: ./broken.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;

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
  answerUs: number;
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
    wire.send(get("/slow"));
    t.is((await wire.answer()).body, "slow");
    wire.send(get("/native"));
    t.is((await wire.answer()).body, "native");
    wire.send(get("/late"));
    t.is((await wire.answer()).body, "soonlate");
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
        ["GET", "/slow", "1.1", "/slow", 200, 4],
        ["GET", "/native", "1.1", "/native", 200, 6],
        ["GET", "/late", "1.1", "/late", 200, 8],
        ["", "", "1.1", "", 400, 16],
      ],
    );
    for (const line of lines) {
      t.is(line.address, "127.0.0.1");
      const time = Date.parse(line.time);
      t.is(new Date(time).toISOString(), line.time);
      t.true(time >= begun - 1000 && time <= Date.now() + 1000);
    }
    // The handler's timer may count its milliseconds from a little before.
    const [slow = NaN, fixed = NaN, late = NaN] = lines
      .slice(4)
      .map(({ durationUs }) => durationUs);
    t.true(slow >= 45_000, `${slow} us`);
    t.true(fixed >= 0 && fixed < slow, `${fixed} us for a fixed answer, ${slow} for a slow one`);
    // Until it began, and until it was whole.
    const [slowBegan = NaN, , lateBegan = NaN] = lines.slice(4).map(({ answerUs }) => answerUs);
    t.true(slowBegan >= 45_000 && slowBegan <= slow, `${slowBegan} of ${slow} us`);
    t.true(lateBegan >= 0 && lateBegan <= late - 45_000, `${lateBegan} of ${late} us`);
    t.is(lines[3]?.id, requestId);
    t.is(new Set(lines.slice(0, 7).map(({ id }) => id)).size, 7);
    // And the error's own line.
    const error = daemon
      .output()
      .split("\n")
      .find((line) => line.includes("on purpose"));
    t.true(error?.includes(requestId));
  },
);

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

interface UnreadLog {
  daemon: Daemon;
  /** What is in it by now. */
  read: () => string;
}

/** A daemon whose standard output is a pipe that nobody reads until the test does. */
async function startUnread(t: ExecutionContext, shards: number): Promise<UnreadLog> {
  const config = `listen: 127.0.0.1:0\nio: ${IO}\nshards: ${shards}\nlog: { access: true }\n${ROUTES}`;
  const folder = await prepare(t, { exact: true, config, files: FILES });
  const path = join(folder, "log");
  execFileSync("mkfifo", [path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.teardown(() => closeSync(fd));
  const wrapper = ["sh", "-c", `exec "$@" >log`, "sh"];
  const daemon = await launch(t, folder, { wrapper });
  const bytes = Buffer.alloc(64 * 1024);
  const read = (): string => {
    let text = "";
    try {
      for (;;) text += bytes.toString("latin1", 0, readSync(fd, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
    return text;
  };
  return { daemon, read };
}

test.serial("a log that nobody reads loses lines, says how many, and breaks none", async (t) => {
  const { daemon, read } = await startUnread(t, 2);
  // A shard keeps half a MiB, and the pipe 64 KiB.
  const asked = 400;
  const target = `/native?${"x".repeat(7000)}`;
  for (let i = 0; i < asked; i++) t.is((await fetchRaw(daemon.port, get(target))).status, 200);
  let text = "";
  let written = 0;
  let dropped = 0;
  for (let i = 0; i < 1000 && written + dropped < asked; i++) {
    text += read();
    const whole = text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .slice(0, -1);
    const lines = whole.map((line) => JSON.parse(line) as { target?: string; dropped?: number });
    written = lines.filter((line) => line.target === target).length;
    dropped = lines.reduce((sum, line) => sum + (line.dropped ?? 0), 0);
    await sleep(20);
  }
  t.is(written + dropped, asked);
  t.true(dropped > 0);
  t.is(await daemon.stop(), 0);
});

test.serial("the daemon ends although nobody reads its log", async (t) => {
  const { daemon } = await startUnread(t, 2);
  const target = `/native?${"x".repeat(7000)}`;
  for (let i = 0; i < 50; i++) await fetchRaw(daemon.port, get(target));
  t.is(await daemon.stop(), 0, daemon.output());
});
