// SIGTERM amid pipelined requests, streams and long uploads, on TCP and on a Unix socket: no request that is under way fails.
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { Wire, type WireAnswer } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  "id.ts": `export default async (request) => {
      const { id } = request.params;
      if (id % 3 > 0) await new Promise((done) => setTimeout(done, (id * 7) % 20));
      return "id " + id;
    };`,
  "echo.ts": `
    import { appendFileSync } from "node:fs";
    export default async (request) => {
      if (request.query.has("say")) appendFileSync("begun", "b");
      return request.text();
    };`,
  "stream.ts": `export default async function* (request) {
      for (let i = 0; i < 30; i++) {
        yield request.params.id + ":" + i + "\\n";
        await new Promise((done) => setTimeout(done, 2));
      }
    }`,
  // Says that it has begun, and goes on once a file called "go" is there.
  "gate.ts": `import { appendFileSync, existsSync } from "node:fs";
    const open = async () => { while (!existsSync("go")) await new Promise((done) => setTimeout(done, 5)); };
    export default async (request) => {
      const { kind, id } = request.params;
      appendFileSync("begun", "b");
      if (kind === "stream") return (async function* () { yield "first "; await open(); yield "last " + id; })();
      await open();
      return "gate " + id;
    };`,
};
const ROUTES = `
routes:
  - { path: "/id/{id:int}", handler: ./id.ts }
  - { path: /echo, methods: [POST], handler: ./echo.ts }
  - { path: "/stream/{id:int}", handler: ./stream.ts }
  - { path: "/gate/{kind}/{id:int}", handler: ./gate.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
limits: { slots: 256 }
timeouts: { drain: 10m, handler: 10m, keepAlive: 10m }
`;
const LISTEN = `listen: [127.0.0.1:0, "unix:./app.sock"]\n`;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 4000; i++) {
    if (await holds()) return;
    await sleep(10);
  }
  throw new Error(`it did not come to this: ${what}`);
}
const refused = (to: number | string): Promise<void> =>
  until("nobody listens", async () => {
    const late = await Wire.connect(to).catch(() => undefined);
    late?.close();
    return late === undefined;
  });

test.serial("all that has begun at SIGTERM is answered, then the connections end", async (t) => {
  const daemon = await startDaemon(t, { config: LISTEN + ROUTES, files: FILES, ownListen: true });
  const answered = async (wire: Wire, bodies: string[]): Promise<void> => {
    for (const body of bodies) {
      const answer = await wire.answer();
      t.is(answer.status, 200);
      t.true(answer.body === body, answer.body.slice(0, 100));
      t.true(answer.complete);
    }
    // No other end than this one.
    t.is(await wire.closed(), "");
    t.is(wire.error, undefined);
    wire.close();
  };
  const talks: (() => Promise<void>)[] = [];
  let begun = 0;
  const body = "u".repeat(200_000);
  for (const to of [daemon.port, join(daemon.folder, "app.sock")]) {
    for (let client = 0; client < 3; client++) {
      const pipelined = await Wire.connect(to);
      const ids = [0, 1, 2, 3, 4, 5];
      pipelined.send(ids.map((id) => get(`/gate/text/${id}`)).join("") + get("/native"));
      talks.push(() => answered(pipelined, [...ids.map((id) => `gate ${id}`), "native"]));
      const stream = await Wire.connect(to);
      stream.send(get("/gate/text/9") + get(`/gate/stream/${client}`));
      talks.push(() => answered(stream, ["gate 9", `first last ${client}`]));
      const alone = await Wire.connect(to);
      alone.send(get(`/gate/stream/${client}`));
      talks.push(() => answered(alone, [`first last ${client}`]));
      const sender = await Wire.connect(to);
      sender.send(
        `POST /echo?say HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 1000)}`,
      );
      talks.push(async () => {
        for (let at = 1000; at < body.length; at += 40_000) {
          sender.send(body.slice(at, at + 40_000));
          await sleep(10);
        }
        await answered(sender, [body]);
      });
      const chunks = await Wire.connect(to);
      chunks.send(
        "POST /echo?say HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n",
      );
      talks.push(async () => {
        for (let i = 0; i < 10; i++) {
          chunks.send("3e8\r\n" + "c".repeat(1000) + "\r\n");
          await sleep(3);
        }
        chunks.send("0\r\n\r\n");
        await answered(chunks, ["begin" + "c".repeat(10_000)]);
      });
      begun += ids.length + 5;
    }
  }
  const said = (): number => {
    try {
      return readFileSync(join(daemon.folder, "begun")).length;
    } catch {
      return 0;
    }
  };
  await until("all has begun", () => said() >= begun);
  daemon.signal("SIGTERM");
  await refused(daemon.port);
  await refused(join(daemon.folder, "app.sock"));
  await writeFile(join(daemon.folder, "go"), "");
  await Promise.all(talks.map((talk) => talk()));
  t.is(await daemon.exited, 0, daemon.output());
});

interface Tally {
  answered: number;
  failed: string[];
  stoodStill: number;
}
// An idle client has a second, from the beginning of the drain, to send what is on its way.
const STOP_MS = 700;
/** What is sent, in pieces, and the bodies of the answers that come to it. */
type Talk = (number: number) => { pieces: string[]; bodies: string[] };

const streamed = (number: number): string =>
  Array.from({ length: 30 }, (_, i) => `${number}:${i}\n`).join("");

const TALKS: Talk[] = [
  (number) => {
    const ids = Array.from({ length: 8 }, (_, i) => number * 8 + i);
    return {
      pieces: [ids.map((id) => get(`/id/${id}`)).join("")],
      bodies: ids.map((id) => `id ${id}`),
    };
  },
  (number) => ({
    pieces: [get(`/stream/${number}`)],
    bodies: [streamed(number)],
  }),
  (number) => {
    const body = String.fromCharCode(97 + (number % 26)).repeat(60_000);
    const head = `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n`;
    const pieces = Array.from({ length: 6 }, (_, i) => body.slice(i * 10_000, (i + 1) * 10_000));
    return { pieces: [head, ...pieces], bodies: [body] };
  },
  (number) => {
    const part = String.fromCharCode(97 + (number % 26)).repeat(5000);
    const chunk = `${part.length.toString(16)}\r\n${part}\r\n`;
    const head = "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    const pieces = [head, chunk, chunk.repeat(3), chunk.slice(0, 100), chunk.slice(100)];
    return { pieces: [...pieces, "0\r\nA: b\r\n", "\r\n"], bodies: [part.repeat(5)] };
  },
  // An upload and a stream behind other requests, and others behind them.
  (number) => {
    const body = String.fromCharCode(97 + (number % 26)).repeat(20_000);
    const head = `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n`;
    return {
      pieces: [
        get(`/id/${number}`) + head + body.slice(0, 5000),
        body.slice(5000, 12_000),
        body.slice(12_000) + get(`/stream/${number}`) + get("/native"),
      ],
      bodies: [`id ${number}`, body, streamed(number), "native"],
    };
  },
  () => ({ pieces: [get("/native")], bodies: ["native"] }),
];

/**
 * Talks on one connection after the other until nobody listens. What is pipelined behind the answer that says that the
 * connection ends has not been begun, and may be asked again; the first request of each talk may not fail.
 */
async function client(to: number | string, talk: Talk, tally: Tally): Promise<void> {
  for (let number = 0; ;) {
    const wire = await Wire.connect(to).catch(() => undefined);
    if (wire === undefined) return;
    for (let kept = true; kept; number++) {
      if (wire.hasEnded) break; // closed while idle
      const { pieces, bodies } = talk(number);
      for (const [i, piece] of pieces.entries()) {
        if (i > 0) await sleep(3);
        wire.send(piece);
      }
      for (const body of bodies) {
        let answer: WireAnswer;
        try {
          answer = await wire.answer();
        } catch (error) {
          const crossed = wire.unread === "" && wire.error === undefined;
          if (!crossed || tally.stoodStill <= STOP_MS) tally.failed.push(String(error));
          kept = false;
          break;
        }
        if (answer.status !== 200 || answer.body !== body || !answer.complete)
          tally.failed.push(answer.raw.slice(0, 300));
        else tally.answered++;
        kept = answer.fields.get("connection") !== "close";
        if (!kept) break;
      }
    }
    wire.close();
  }
}

for (const shards of [1, 2]) {
  test.serial(`SIGTERM under such a load, ${shards} shards: nothing fails`, async (t) => {
    const daemon = await startDaemon(t, {
      config: `shards: ${shards}\n${LISTEN}${ROUTES}`,
      files: FILES,
      ownListen: true,
    });
    const tally: Tally = { answered: 0, failed: [], stoodStill: 0 };
    let seen = performance.now();
    const watch = setInterval(() => {
      tally.stoodStill = Math.max(tally.stoodStill, performance.now() - seen);
      seen = performance.now();
    }, 20);
    const clients = [daemon.port, join(daemon.folder, "app.sock")].flatMap((to) =>
      [...TALKS, ...TALKS].map((talk) => client(to, talk, tally)),
    );
    await until("a load", () => tally.answered >= 500 || tally.failed.length > 0);
    daemon.signal("SIGTERM");
    await Promise.all(clients);
    clearInterval(watch);
    t.deepEqual(tally.failed, []);
    t.is(await daemon.exited, 0, daemon.output());
  });
}
