// Trailer fields over real sockets (RFC 9110 §6.5, RFC 9112 §7.1.2), with Node's own client on the other side as well.
import test from "ava";
import { createHash } from "node:crypto";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { startDaemon } from "./support/daemon.js";
import { Wire } from "./support/wire.js";

const CONFIG = `
routes:
  - { path: /echo, methods: [POST], handler: ./echo.ts }
  - { path: /ignore, methods: [POST], handler: ./ignore.ts }
  - { path: /digest, handler: ./digest.ts }
  - { path: /record, handler: ./record.ts }
  - { path: /wrong, handler: ./wrong.ts }
  - path: /fixed
    respond: { status: 200, type: text/plain, body: fixed }
limits: { body: 1MiB }
`;
const FILES = {
  "echo.ts": `export default async (request) => {
    const before = [...request.trailers];
    const body = await request.text();
    const { trailers } = request;
    return { length: body.length, before, lines: [...trailers], a: trailers.get("a"), host: trailers.has("host"),
      header: request.headers.get("a") };
  };`,
  "ignore.ts": `export default () => "ignored";`,
  "digest.ts": `import { reply } from "pinion"; import { createHash } from "node:crypto";
  export default (request) => {
    const hash = createHash("sha256");
    const parts = Number(request.query.get("parts"));
    async function* body() {
      for (let i = 0; i < parts; i++) {
        const part = Buffer.alloc(30_000, i);
        hash.update(part);
        yield part;
        if (i % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    return reply(200, body(), { Trailer: "Content-Digest, Server-Timing" }, {
      trailers: async () => ({
        "Content-Digest": "sha-256=:" + hash.digest("base64") + ":",
        "Server-Timing": ["a;dur=1", "b;dur=2"],
      }),
    });
  };`,
  "record.ts": `import { reply } from "pinion";
  export default (request) => {
    const length = request.query.has("length") ? 4 : undefined;
    const trailers = { A: "1", Long: "x".repeat(3000) };
    return reply(200, ["bo", "dy"].values(), { B: "2" }, { length, trailers });
  };`,
  "wrong.ts": `import { reply } from "pinion";
  export default (request) => reply(200, ["a"].values(), { Trailer: "A" });`,
};

interface Echo {
  length: number;
  before: unknown[];
  lines: [string, string][];
  a: string | null;
  host: boolean;
  header: string | null;
}

const post = (path: string, chunks: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;

const get = (path: string, version = "1.1", method = "GET"): string =>
  `${method} ${path} HTTP/${version}\r\nHost: a\r\n\r\n`;

test("a request's trailers, cut anywhere, and pipelined requests behind it", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const request = post(
    "/echo",
    "3\r\nabc\r\n0\r\nA: 1\r\nHost: b\r\na: 2\r\nContent-Digest: x\r\n\r\n",
  );
  const bytes = request + get("/fixed") + post("/echo", "0\r\n\r\n");
  const expected = {
    length: 3,
    before: [],
    lines: [
      ["a", "1"],
      ["a", "2"],
      ["content-digest", "x"],
    ],
    a: "1, 2",
    host: false,
    header: null,
  };
  const wire = await Wire.connect(daemon.port);
  for (let cut = bytes.indexOf("abc"); cut <= request.length + 1; cut++) {
    if (cut > request.length) {
      for (const byte of bytes) {
        wire.send(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } else {
      wire.send(bytes.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 1));
      wire.send(bytes.slice(cut));
    }
    t.deepEqual(JSON.parse((await wire.answer()).body), expected, `cut after ${cut}`);
    t.is((await wire.answer()).body, "fixed");
    const { lines } = JSON.parse((await wire.answer()).body) as Echo;
    t.deepEqual(lines, [], "those of another request");
  }
  wire.close();
});

test("trailers of a body that nobody reads are dropped; those of 16 KiB arrive, more are a 413", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  wire.send(post("/ignore", "3\r\nabc\r\n"));
  t.is((await wire.answer()).body, "ignored");
  wire.close();
  for (const [lines, status] of [
    [1638, 200],
    [1639, 413],
  ] as const) {
    const each = await Wire.connect(daemon.port);
    each.send(post("/echo", `0\r\n${"A: 01234\r\n".repeat(lines)}\r\n`));
    const answer = await each.answer();
    t.is(answer.status, status);
    if (status === 200) t.is((JSON.parse(answer.body) as Echo).lines.length, lines);
    each.close();
  }
});

test("trailers that are malformed or frame are a 400", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  for (const line of ["Content-Length: 3", "A : b", "A: \x01", "A", " folded: x"]) {
    const wire = await Wire.connect(daemon.port);
    wire.send(post("/echo", `0\r\nA: b\r\n${line}\r\n\r\n`));
    t.is((await wire.answer()).status, 400, line);
    await wire.closed();
    wire.close();
  }
});

test("an answer's trailers on the wire; none with HTTP/1.0, HEAD or a known length", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/record") + get("/fixed"));
  const long = "x".repeat(3000);
  const chunked = await wire.answer();
  t.is(chunked.body, "body");
  t.is(chunked.fields.get("trailer"), "A, Long");
  t.is(chunked.fields.get("b"), "2");
  t.is(chunked.fields.get("content-length"), undefined);
  t.true(chunked.raw.endsWith(`\r\n0\r\nA: 1\r\nLong: ${long}\r\n\r\n`));
  t.is((await wire.answer()).body, "fixed");
  for (const [path, method] of [
    ["/record?length", "GET"],
    ["/record", "HEAD"],
  ] as const) {
    wire.send(get(path, "1.1", method));
    const answer = await wire.answer(method);
    t.is(answer.fields.get("trailer"), undefined);
    t.false(answer.raw.includes("Long"));
  }
  wire.send(get("/record", "1.0"));
  const old = await wire.answer();
  t.is(old.body, "body");
  t.is(old.fields.get("trailer"), undefined);
  wire.close();
});

test("Trailer without trailers is refused, with a message that says what to do", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/wrong"));
  t.is((await wire.answer()).status, 500);
  await daemon.said(/Trailer announces fields behind the body: give them as \{ trailers \}/);
  wire.close();
});

interface NodeAnswer {
  body: Buffer;
  headers: IncomingHttpHeaders;
  trailers: NodeJS.Dict<string>;
  rawTrailers: string[];
}

function ask(url: string, send?: { parts: Buffer[]; trailers: Record<string, string> }) {
  return new Promise<NodeAnswer>((resolve, reject) => {
    const method = send === undefined ? "GET" : "POST";
    const request = httpRequest(url, { method, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        const { headers, trailers, rawTrailers } = answer;
        resolve({ body: Buffer.concat(parts), headers, trailers, rawTrailers });
      });
    });
    request.on("error", reject);
    if (send !== undefined) {
      request.setHeader("Trailer", Object.keys(send.trailers).join(", "));
      for (const part of send.parts) request.write(part);
      request.addTrailers(send.trailers);
    }
    request.end();
  });
}

test("Node's own client reads res.trailers", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  for (const parts of [0, 1, 40]) {
    const answer = await ask(`${daemon.url}/digest?parts=${parts}`);
    t.is(answer.body.length, parts * 30_000);
    t.is(answer.headers.trailer, "Content-Digest, Server-Timing");
    const digest = createHash("sha256").update(answer.body).digest("base64");
    t.is(answer.trailers["content-digest"], `sha-256=:${digest}:`);
    t.deepEqual(answer.rawTrailers.slice(2), [
      "Server-Timing",
      "a;dur=1",
      "Server-Timing",
      "b;dur=2",
    ]);
  }
});

test("Node's own client sends req.addTrailers()", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  for (const parts of [0, 1, 30]) {
    const trailers = { "Content-Digest": "sha-256=:x:", A: "b" };
    const send = {
      parts: Array.from({ length: parts }, (_, i) => Buffer.alloc(20_000, i)),
      trailers,
    };
    const answer = await ask(`${daemon.url}/echo`, send);
    const echo = JSON.parse(answer.body.toString()) as Echo;
    t.is(echo.length, parts * 20_000);
    t.deepEqual(echo.lines, [
      ["content-digest", "sha-256=:x:"],
      ["a", "b"],
    ]);
  }
});
