// A worker that is killed amid pipelined requests, uploads and streams: every connection gets whole and right answers in
// order, or 502s, or its end; nothing hangs, and the daemon goes on.
import test from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { terminate, TERMINATES } from "./support/terminate.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  "id.ts": `export default async (request) => {
      const { id } = request.params;
      if (id % 3 === 1) await null;
      if (id % 3 === 2) await new Promise((done) => setTimeout(done, id % 7));
      return "id " + id + (id % 10 === 0 ? " " + "i".repeat(15_000) : "");
    };`,
  "echo.ts": `export default async (request) => {
      const parts = [];
      for await (const part of request) parts.push(Buffer.from(part));
      return Buffer.concat(parts);
    };`,
  "stream.ts": `export default async function* (request) {
      for (let i = 0; i < 40; i++) {
        yield request.params.id + ":" + i + "." .repeat(700) + "\\n";
        if (i % 8 === 0) await new Promise((done) => setTimeout(done, 1));
      }
    }`,
  "exit.ts": `export default () => process.exit(7);`,
  "heap.ts": `export default () => { const hoard = []; for (;;) hoard.push(new Array(100_000).fill(hoard.length)); };`,
};
const CONFIG = `
routes:
  - { path: "/id/{id:int}", handler: ./id.ts }
  - { path: /echo, methods: [POST], handler: ./echo.ts }
  - { path: "/stream/{id:int}", handler: ./stream.ts }
  - { path: /exit, handler: ./exit.ts }
  - { path: /heap, handler: ./heap.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
limits: { slots: 128, heap: 64MiB }
timeouts: { handler: 10m }
`;

const idBody = (id: number): string => `id ${id}${id % 10 === 0 ? ` ${"i".repeat(15_000)}` : ""}`;
const streamBody = (id: number): string =>
  Array.from({ length: 40 }, (_, i) => `${id}:${i}${".".repeat(700)}\n`).join("");

interface Tally {
  whole: number;
  lost: number;
  /** Answers that broke off, and connections that ended without one. */
  broken: number;
  wrong: string[];
}

/** What one client does on a connection, over and over; it returns when the connection is of no use any more. */
type Talk = (wire: Wire, tally: Tally, number: number) => Promise<boolean>;

/** Counts the answer; false: nothing more comes on this connection. */
async function take(wire: Wire, tally: Tally, body: string): Promise<boolean> {
  const answer = await wire.answer();
  if (answer.status === 502) tally.lost++;
  else if (answer.status === 200 && answer.complete && answer.body === body) tally.whole++;
  else if (answer.status === 200 && !answer.complete && body.startsWith(answer.body)) {
    tally.broken++;
    return false;
  } else tally.wrong.push(answer.raw.slice(0, 300));
  return answer.fields.get("connection") !== "close";
}

const TALKS: Record<string, Talk> = {
  async pipelined(wire, tally, number) {
    const ids = Array.from({ length: 12 }, (_, i) => number * 12 + i);
    wire.send(ids.map((id) => get(`/id/${id}`)).join(""));
    for (const id of ids) if (!(await take(wire, tally, idBody(id)))) return false;
    return true;
  },
  async upload(wire, tally, number) {
    const body = String.fromCharCode(97 + (number % 26)).repeat(120_000 + number);
    wire.send(
      `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 50_000)}`,
    );
    await sleep(2);
    wire.send(body.slice(50_000));
    return take(wire, tally, body);
  },
  async chunked(wire, tally, number) {
    const part = `part ${number} ${"c".repeat(3000)}`;
    wire.send("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let i = 0; i < 5; i++) {
      wire.send(`${part.length.toString(16)}\r\n${part}\r\n`);
      await sleep(1);
    }
    wire.send("0\r\n\r\n");
    return take(wire, tally, part.repeat(5));
  },
  async stream(wire, tally, number) {
    wire.send(get(`/stream/${number}`) + get(`/id/${number}`));
    return (
      (await take(wire, tally, streamBody(number))) && (await take(wire, tally, idBody(number)))
    );
  },
};

async function client(
  port: number,
  talk: Talk,
  tally: Tally,
  isRunning: () => boolean,
): Promise<void> {
  for (let number = 0; isRunning();) {
    const wire = await Wire.connect(port);
    try {
      while (isRunning() && (await talk(wire, tally, number++)));
    } catch (error) {
      // Its end, between two answers or in the midst of a head. A client that waits in vain has found what we look for.
      if (wire.hasEnded) tally.broken++;
      else tally.wrong.push(String(error));
    }
    wire.close();
  }
}

const KILLS: Record<string, (daemon: Daemon) => Promise<unknown>> = {
  exit: (daemon) => fetchRaw(daemon.port, get("/exit")),
  "terminate()": async (daemon) => terminate(daemon),
  heap: (daemon) => fetchRaw(daemon.port, get("/heap")),
};
const KILLED = 2;

for (const [how, kill] of Object.entries(KILLS)) {
  test.serial(`killed by ${how} amid pipelined requests, uploads and streams`, async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES, env: TERMINATES });
    t.is((await fetchRaw(daemon.port, get("/id/1"))).body, "id 1");
    const before = await shardStatus(daemon);
    let running = true;
    const tallies = Object.fromEntries(
      Object.keys(TALKS).map((name): [string, Tally] => [
        name,
        { whole: 0, lost: 0, broken: 0, wrong: [] },
      ]),
    );
    const clients = Object.entries(TALKS).flatMap(([name, talk]) =>
      Array.from({ length: 3 }, () =>
        client(daemon.port, talk, tallies[name] as Tally, () => running),
      ),
    );
    let natives = 0;
    const native = (async () => {
      const wire = await Wire.connect(daemon.port);
      for (; running; natives++) {
        wire.send(get("/native"));
        t.is((await wire.answer()).body, "native");
      }
      wire.close();
    })();
    /** Until every kind of client has been answered some more times, or has something to complain of. */
    const goesOn = async (): Promise<void> => {
      const from = Object.values(tallies).map(({ whole }) => whole);
      const goes = (): boolean =>
        Object.values(tallies).every(
          ({ whole, wrong }, i) => whole > (from[i] ?? 0) + 5 || wrong.length > 0,
        );
      while (!goes()) await sleep(5);
    };
    for (let death = 1; death <= KILLED; death++) {
      await goesOn();
      await kill(daemon);
      await daemon.said(new RegExp(`(worker ended[^]*){${death}}`));
    }
    await goesOn();
    running = false;
    await Promise.all([...clients, native]);
    t.log(tallies);
    for (const [name, { wrong }] of Object.entries(tallies)) t.deepEqual(wrong, [], name);
    // The deaths have met somebody.
    t.true(Object.values(tallies).some(({ lost, broken }) => lost + broken > 0));
    t.true(natives > 0);
    await settlesTo(t, daemon, before);
    t.is(await daemon.stop(), 0);
  });
}
