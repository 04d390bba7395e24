// Each limit at the least that the configuration allows, alone and all at once: what fits is served, what does not is told so,
// nothing stands still.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { schema } from "../config/schema.js";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire, type WireAnswer } from "./support/wire.js";

const get = (target: string, host = "test"): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const FILES = {
  "hello.ts": `export default () => "hello";`,
  "echo.ts": `export default async (request) => await request.text();`,
  "count.ts": `export default async (request) => {
      let bytes = 0;
      for await (const part of request) bytes += part.length;
      return String(bytes);
    };`,
  "stream.ts": `export default async function* () { for (let i = 0; i < 20; i++) yield "s".repeat(10_000); }`,
  "large.ts": `export default () => "l".repeat(200_000);`,
  // How many of them run at a time, at most.
  "beside.ts": `let running = 0;
    let most = 0;
    export default async () => {
      most = Math.max(most, ++running);
      await new Promise((done) => setTimeout(done, 5));
      running--;
      return String(most);
    };`,
  // Holds the thread until a file called "go" is there; says by another that it does.
  "block.ts": `import { existsSync, writeFileSync } from "node:fs";
    export default () => {
      writeFileSync("begun", "");
      while (!existsSync("go"));
      return "unblocked";
    };`,
  "garbage.ts": `export default () => {
      let kept = 0;
      for (let i = 0; i < 200; i++) kept += Array.from({ length: 1000 }, (_, n) => ({ n })).length;
      return String(kept);
    };`,
};
const ROUTES = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: "/long/{rest:path}", handler: ./hello.ts }
  - { path: /echo, methods: [POST], handler: ./echo.ts }
  - { path: /count, methods: [POST], handler: ./count.ts, body: 1MiB }
  - { path: /stream, handler: ./stream.ts }
  - { path: /large, handler: ./large.ts }
  - { path: /beside, handler: ./beside.ts }
  - { path: /block, handler: ./block.ts }
  - { path: /garbage, handler: ./garbage.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;

// As the schema has them; 0 is no limit of what one address may have.
const LEAST = Object.fromEntries(
  Object.entries(schema.properties.limits.properties)
    .filter(([name]) => !name.startsWith("address"))
    .map(([name, limit]) => [name, "least" in limit ? limit.least : limit.minimum]),
);
const least = (...names: string[]): string =>
  `limits: ${JSON.stringify(Object.fromEntries(names.map((name) => [name, LEAST[name]])))}\n`;

/** A limit of what a client sends: a request that has the least that it may be, and one that has one more. */
interface Bound {
  most: string;
  over: string;
  status: number;
}
const target = (bytes: number): string => get(`/long/${"t".repeat(bytes - "/long/".length)}`);
const head = (bytes: number): string => {
  const host = "h".repeat(bytes - get("/hello", "").length);
  return get("/hello", host);
};
// Each has one field at most, so that all limits may hold at once.
const BOUNDS: Record<string, Bound> = {
  body: {
    most: "POST /echo HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
    over: "POST /echo HTTP/1.0\r\nContent-Length: 1\r\n\r\nx",
    status: 413,
  },
  head: { most: head(256), over: head(257), status: 431 },
  target: { most: target(64), over: target(65), status: 414 },
  fields: {
    most: get("/hello"),
    over: "GET /hello HTTP/1.1\r\nHost: test\r\nA: b\r\n\r\n",
    status: 431,
  },
};

/** Sends it on a connection of its own: whole, cut in the middle, or byte by byte. */
async function sent(daemon: Daemon, request: string, pieces: number): Promise<WireAnswer> {
  const wire = await Wire.connect(daemon.port);
  const length = Math.ceil(request.length / pieces);
  for (let at = 0; at < request.length; at += length) {
    wire.send(request.slice(at, at + length));
    if (pieces > 1) await new Promise((done) => setImmediate(done));
  }
  try {
    return await wire.answer();
  } finally {
    wire.close();
  }
}

async function hold(
  t: ExecutionContext,
  daemon: Daemon,
  isBound: (limit: string) => boolean,
): Promise<void> {
  const before = await shardStatus(daemon);
  for (const [limit, { most, over, status }] of Object.entries(BOUNDS)) {
    for (const pieces of [1, 2, most.length]) {
      t.is((await sent(daemon, most, pieces)).status, 200, `${limit}, ${pieces} pieces`);
      const wanted = isBound(limit) ? status : 200;
      t.is((await sent(daemon, over, pieces)).status, wanted, `more ${limit}, ${pieces} pieces`);
    }
  }
  t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
  await settlesTo(t, daemon, { ...before, connections: 0 });
}

for (const limit of Object.keys(BOUNDS)) {
  test.serial(`the least limits.${limit}: so much is served, more is refused`, async (t) => {
    // A target has to fit into a head.
    const bound = limit === "head" ? ["head", "target"] : [limit];
    const daemon = await startDaemon(t, { config: ROUTES + least(...bound), files: FILES });
    await hold(t, daemon, (each) => bound.includes(each));
    t.is(await daemon.stop(), 0);
  });
}

test.serial(
  "all limits at their least at once: what fits is served, and nothing else",
  async (t) => {
    const daemon = await startDaemon(t, {
      config: ROUTES + least(...Object.keys(LEAST)),
      files: FILES,
    });
    await hold(t, daemon, () => true);
    const wire = await Wire.connect(daemon.port);
    for (let round = 0; round < 5; round++) {
      wire.send(get("/hello") + get("/large") + get("/native") + get("/stream") + get("/garbage"));
      t.is((await wire.answer()).body, "hello");
      t.true((await wire.answer()).body === "l".repeat(200_000));
      t.is((await wire.answer()).body, "native");
      const stream = await wire.answer();
      t.true(stream.complete && stream.body === "s".repeat(200_000));
      t.is((await wire.answer()).body, "200000");
    }
    wire.close();
    t.is(await daemon.stop(), 0);
  },
);

test.serial("limits.connections: 1, further clients wait for their turn", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}limits: { connections: 1 }\n`,
    files: FILES,
  });
  const wires = await Promise.all(Array.from({ length: 5 }, () => Wire.connect(daemon.port)));
  for (const wire of wires) wire.send(get("/hello"));
  // Whoever is first; each one makes room for the next.
  const answered = wires.map(async (wire) => {
    const { body } = await wire.answer();
    const { accepted, connections } = await shardStatus(daemon);
    wire.close();
    return { body, accepted, connections };
  });
  const found = await Promise.all(answered);
  t.deepEqual(
    found.map(({ body, connections }) => ({ body, connections })),
    found.map(() => ({ body: "hello", connections: 1 })),
  );
  t.deepEqual(found.map(({ accepted }) => accepted).sort(), [1, 2, 3, 4, 5]);
});

for (const pipeline of [1, 2]) {
  test.serial(`limits.pipeline: ${pipeline} handlers of a connection run at a time`, async (t) => {
    const daemon = await startDaemon(t, {
      config: `${ROUTES}limits: { pipeline: ${pipeline}, slots: 16 }\n`,
      files: FILES,
    });
    const wire = await Wire.connect(daemon.port);
    wire.send(get("/beside").repeat(20));
    let most = 0;
    for (let i = 0; i < 20; i++) most = Math.max(most, Number((await wire.answer()).body));
    t.is(most, pipeline);
    wire.close();
  });
}

test.serial("limits.queue: 1, one waits, and the others are told so", async (t) => {
  const daemon = await startDaemon(t, { config: `${ROUTES}limits: { queue: 1 }\n`, files: FILES });
  const before = await shardStatus(daemon);
  const blocked = fetchRaw(daemon.port, get("/block"));
  for (let i = 0; i < 500 && (await shardStatus(daemon)).started === 0; i++) await sleep(10);
  const statuses: number[] = [];
  const others = Array.from({ length: 6 }, async () => {
    const { status } = await fetchRaw(daemon.port, get("/hello"));
    statuses.push(status);
  });
  // All but one are refused while the handler holds the thread.
  for (let i = 0; i < 1000 && statuses.length < 5; i++) await sleep(10);
  t.deepEqual(statuses, [503, 503, 503, 503, 503]);
  t.is((await fetchRaw(daemon.port, get("/native"))).status, 200);
  await writeFile(join(daemon.folder, "go"), "");
  t.is((await blocked).body, "unblocked");
  await Promise.all(others);
  t.deepEqual(statuses.slice(5), [200]);
  await settlesTo(t, daemon, before);
});

test.serial("the least memory: bodies and answers much larger than it, side by side", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}limits: { arena: 64KiB, connection: 8KiB, slots: 2, head: 4KiB, target: 2KiB, pipeline: 1 }\n`,
    files: FILES,
  });
  const before = await shardStatus(daemon);
  const body = "u".repeat(300_000);
  const post = "POST /count HTTP/1.1\r\nHost: test\r\n";
  const talks: [string, string][] = [
    [get("/large"), "l".repeat(200_000)],
    [get("/stream"), "s".repeat(200_000)],
    [get("/hello"), "hello"],
    [`${post}Content-Length: ${body.length}\r\n\r\n${body}`, "300000"],
    [
      `${post}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      "300000",
    ],
    [get("/native"), "native"],
  ];
  await Promise.all(
    Array.from({ length: 6 }, async (_, client) => {
      const wire = await Wire.connect(daemon.port);
      for (let i = 0; i < 12; i++) {
        const [request, wanted] = talks[(client + i) % talks.length] ?? ["", ""];
        wire.send(request);
        const answer = await wire.answer();
        t.is(answer.status, 200, answer.raw.slice(0, 200));
        t.true(answer.complete && answer.body === wanted, request.slice(0, 80));
      }
      wire.close();
    }),
  );
  await settlesTo(t, daemon, before);
  t.is(await daemon.stop(), 0);
});

test.serial("limits.addressConnections: 1, the second of a client is closed", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}limits: { addressConnections: 1 }\n`,
    files: FILES,
  });
  const first = await Wire.connect(daemon.port);
  t.teardown(() => first.close());
  for (let i = 0; i < 5; i++) {
    first.send(get("/hello"));
    t.is((await first.answer()).body, "hello");
    // Perhaps before it has seen that it is connected.
    t.is(await fetchRaw(daemon.port, get("/hello")).catch(() => "closed"), "closed");
  }
});
