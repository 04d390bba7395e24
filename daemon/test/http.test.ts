// HTTP/1.1 and 1.0 on the wire (RFC 9110, RFC 9112), with handlers in the real daemon.
import { readFile } from "node:fs/promises";
import test from "ava";
import { IO, startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const CONFIG = `
routes:
  - { path: "/hello/{name:string}", methods: [GET, POST], handler: ./hello.ts }
  - { path: "/sum/{a:int}/{b:float}", handler: ./sum.ts }
  - { path: /order, handler: ./order.ts }
  - { path: /echo, methods: [POST, PUT, PATCH, DELETE], handler: ./echo.ts }
  - { path: /status, handler: ./status.ts }
  - { path: /stream, handler: ./stream.ts }
  - { path: /big, handler: ./big.ts }
  - path: /robots.txt
    respond: { status: 200, type: text/plain, body: "User-agent: *\\n" }
limits: { body: 1MiB }
`;
const FILES = {
  "hello.ts": `export default (request) => "Hello, " + request.params.name + "!";`,
  "sum.ts": `export default (request) => ({ sum: request.params.a + request.params.b });`,
  "order.ts": `export default async (request) => {
    const wait = Number(request.query.get("wait"));
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    return "waited " + wait;
  };`,
  "echo.ts": `export default async (request) => await request.bytes();`,
  "status.ts": `import { reply } from "pinion";
  export default (request) => {
    const status = Number(request.query.get("code"));
    return reply(status, status === 204 || status === 304 ? null : "status " + status, { "X-Code": String(status) });
  };`,
  "stream.ts": `export default async function* () {
    for (let i = 0; i < 3; i++) { yield "part " + i + "\\n"; await new Promise((done) => setTimeout(done, 5)); }
  }`,
  "big.ts": `export default (request) => "x".repeat(Number(request.query.get("bytes")));`,
};

const get = (target: string, more = ""): string =>
  `GET ${target} HTTP/1.1\r\nHost: test\r\n${more}\r\n`;

test.serial("answers in JSON, text and typed parameters", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const hello = await fetchRaw(daemon.port, get("/hello/G%C3%BCnter"));
  t.is(hello.status, 200);
  t.is(Buffer.from(hello.body, "latin1").toString(), "Hello, Günter!");
  t.is(hello.fields.get("content-type"), "text/plain; charset=utf-8");
  t.is(hello.fields.get("content-length"), "15");
  t.regex(hello.fields.get("date") ?? "", /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
  const sum = await fetchRaw(daemon.port, get("/sum/40/2.5"));
  t.deepEqual(JSON.parse(sum.body), { sum: 42.5 });
  t.is(sum.fields.get("content-type"), "application/json");
  t.is((await fetchRaw(daemon.port, get("/sum/x/2"))).status, 404);
  t.is((await fetchRaw(daemon.port, get("/nothing"))).status, 404);
  t.is((await fetchRaw(daemon.port, get("/hello/%00"))).status, 400);
});

test.serial("Date is the time of the answer, also after a rest", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  const slackMs = 5000;
  const dateOf = async (target: string): Promise<number> => {
    const begun = Date.now();
    wire.send(get(target));
    const date = (await wire.answer()).fields.get("date") ?? "";
    const time = Date.parse(date);
    // An IMF-fixdate, with the weekday that it is.
    t.is(date, new Date(time).toUTCString());
    t.true(time >= begun - slackMs && time <= Date.now() + slackMs, `${date} for ${target}`);
    return time;
  };
  const targets = ["/robots.txt", "/hello/x"];
  for (const [first, next] of [targets, targets.toReversed()] as [string, string][]) {
    const earlier = [await dateOf(first), await dateOf(next)];
    // Longer than a second: every Date from now on is a later one.
    await new Promise((done) => setTimeout(done, 1100));
    const later = [await dateOf(first), await dateOf(next)];
    t.true(Math.min(...later) > Math.max(...earlier), `${earlier.join()} and ${later.join()}`);
  }
  wire.close();
});

test.serial(
  "answers without JavaScript: fixed answers, health, 405 with Allow, OPTIONS *",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const robots = await fetchRaw(daemon.port, get("/robots.txt"));
    t.is(robots.body, "User-agent: *\n");
    t.is(robots.fields.get("content-type"), "text/plain");
    t.is((await fetchRaw(daemon.port, get("/-/live"))).status, 200);
    t.is((await fetchRaw(daemon.port, get("/-/ready"))).status, 200);
    const wrong = await fetchRaw(daemon.port, "DELETE /hello/x HTTP/1.1\r\nHost: test\r\n\r\n");
    t.is(wrong.status, 405);
    t.deepEqual((wrong.fields.get("allow") ?? "").split(", ").sort(), ["GET", "HEAD", "POST"]);
    t.is((await fetchRaw(daemon.port, "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n")).status, 204);
  },
);

test.serial("pipelined answers keep their order, however their handlers finish", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  const waits = [60, 40, 0, 20, 0, 1];
  wire.send(waits.map((wait) => get(`/order?wait=${wait}`)).join("") + get("/robots.txt"));
  for (const wait of waits) t.is((await wire.answer()).body, `waited ${wait}`);
  t.is((await wire.answer()).body, "User-agent: *\n");
  wire.close();
});

test.serial("pipelined requests that wait for the last of them all begin", async (t) => {
  const count = 12;
  const daemon = await startDaemon(t, {
    exact: true,
    config: `
routes: [{ path: /together, handler: ./together.ts }]
limits: { slots: 16 }
timeouts: { handler: 20s }
io: ${IO}
`,
    files: {
      "together.ts": `
let begun = 0;
let all: () => void;
const together = new Promise<void>((done) => (all = done));
export default async () => {
  if (++begun === ${count}) all();
  await together;
  return "all " + begun;
};
`,
    },
  });
  // More than a turn begins of one connection, with so few slots.
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/together").repeat(count));
  for (let n = 0; n < count; n++) t.is((await wire.answer()).body, `all ${count}`);
  wire.close();
});

test.serial("every request, fragmented at every byte", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const requests = [
    get("/hello/world", "X-Long: " + "y".repeat(60) + "\r\n"),
    "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 11\r\n\r\nhello\r\nbody",
    "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n\r\nbody\r\n0\r\nT: v\r\n\r\n",
  ];
  const expected = ["Hello, world!", "hello\r\nbody", "hello\r\nbody"];
  for (const [index, request] of requests.entries()) {
    for (let at = 1; at < request.length; at++) {
      const wire = await Wire.connect(daemon.port);
      wire.send(request.slice(0, at));
      // Let the first part arrive on its own.
      await new Promise((done) => setImmediate(done));
      wire.send(request.slice(at));
      const answer = await wire.answer();
      if (answer.body !== expected[index]) t.fail(`request ${index} split at ${at}: ${answer.raw}`);
      wire.close();
    }
    const wire = await Wire.connect(daemon.port);
    for (const byte of request) {
      wire.send(byte);
      await new Promise((done) => setImmediate(done));
    }
    t.is((await wire.answer()).body, expected[index] ?? "");
    wire.close();
  }
});

test.serial("bodies: lengths, chunks, HEAD, 204 and 304, limits", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const body = "b".repeat(300_000);
  const echoed = await fetchRaw(
    daemon.port,
    `POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  t.is(echoed.status, 200);
  t.is(echoed.body.length, body.length);
  t.true(echoed.body === body);
  const chunks = `${"4000\r\n" + "c".repeat(0x4000) + "\r\n"}`.repeat(12);
  const chunked = await fetchRaw(
    daemon.port,
    `POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
  );
  t.is(chunked.body.length, 12 * 0x4000);

  const big = await fetchRaw(daemon.port, get("/big?bytes=2000000"));
  t.is(big.body.length, 2_000_000);
  t.is(big.fields.get("content-length"), "2000000");
  const head = await fetchRaw(
    daemon.port,
    "HEAD /big?bytes=2000000 HTTP/1.1\r\nHost: test\r\n\r\n",
    "HEAD",
  );
  t.is(head.fields.get("content-length"), "2000000");
  const none = await fetchRaw(daemon.port, get("/status?code=204"));
  t.is(none.status, 204);
  t.false(none.fields.has("content-length"));
  t.is((await fetchRaw(daemon.port, get("/status?code=304"))).status, 304);
  t.is((await fetchRaw(daemon.port, get("/status?code=418"))).fields.get("x-code"), "418");

  const large = await fetchRaw(
    daemon.port,
    "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 2000000\r\n\r\n",
  );
  t.is(large.status, 413);
  t.is(large.fields.get("connection"), "close");
});

test.serial(
  "streams are chunked for HTTP/1.1 and end with the connection for HTTP/1.0",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const modern = await fetchRaw(daemon.port, get("/stream"));
    t.is(modern.fields.get("transfer-encoding"), "chunked");
    t.is(modern.body, "part 0\npart 1\npart 2\n");
    t.true(modern.complete);
    const old = await fetchRaw(daemon.port, "GET /stream HTTP/1.0\r\n\r\n");
    t.false(old.fields.has("transfer-encoding"));
    t.is(old.body, "part 0\npart 1\npart 2\n");
    t.true(old.complete);
  },
);

test.serial("connections: keep-alive, close, HTTP/1.0", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  for (let i = 0; i < 3; i++) {
    wire.send(get("/hello/a"));
    const answer = await wire.answer();
    t.is(answer.body, "Hello, a!");
    t.false(answer.fields.has("connection"));
  }
  wire.send(get("/hello/b", "Connection: close\r\n"));
  t.is((await wire.answer()).fields.get("connection"), "close");
  t.is(await wire.closed(), "");
  const old = await Wire.connect(daemon.port);
  old.send("GET /hello/c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  t.is((await old.answer()).fields.get("connection"), "keep-alive");
  old.send("GET /hello/c HTTP/1.0\r\n\r\n");
  t.is((await old.answer()).fields.get("connection"), "close");
  t.is(await old.closed(), "");
  wire.close();
  old.close();
});

test.serial("Expect: 100-continue waits for the handler, and its turn", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  const head =
    "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
  wire.send(get("/order?wait=50") + head);
  t.is((await wire.answer()).body, "waited 50");
  t.is((await wire.answer()).status, 100);
  wire.send("body");
  t.is((await wire.answer()).body, "body");
  // Refused at once: the body is never asked for.
  const refused = await fetchRaw(
    daemon.port,
    "POST /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
  );
  t.is(refused.status, 404);
  t.is(refused.fields.get("connection"), "close");
  t.is((await fetchRaw(daemon.port, get("/hello/x", "Expect: something-else\r\n"))).status, 417);
  // Nor by a handler whose answer streams: the client may send its next request where the body would be.
  const streamed = await fetchRaw(daemon.port, head.replace("/echo", "/stream"));
  t.is(streamed.status, 200);
  t.is(streamed.fields.get("connection"), "close");
  t.is(streamed.body, "part 0\npart 1\npart 2\n");
  wire.close();
});

test.serial("a client that says nothing is asked whether it is there", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/hello/x"));
  await wire.answer();
  // proc_pid_net(5): local and remote address, state (01: established), queues, then the timer (02: keep-alive) and its end.
  const port = daemon.port.toString(16).toUpperCase().padStart(4, "0");
  const row = new RegExp(`^ *\\d+: \\w+:${port} \\S+ 01 \\S+ (\\d\\d):(\\w+) `, "m");
  let [timer, ticks]: (string | undefined)[] = [];
  // At first it may be that of the answer, which the client has still to acknowledge.
  for (let tries = 0; timer !== "02" && tries < 500; tries++) {
    [, timer, ticks] = row.exec(await readFile("/proc/net/tcp", "utf8")) ?? [];
    await new Promise((done) => setTimeout(done, 10));
  }
  t.is(timer, "02");
  t.true(Number.parseInt(ticks ?? "", 16) <= 120 * 100);
  wire.close();
});

test.serial("a half-closed client still gets its answers", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/order?wait=50") + get("/hello/x"));
  wire.end();
  t.is((await wire.answer()).body, "waited 50");
  t.is((await wire.answer()).body, "Hello, x!");
  t.is(await wire.closed(), "");
});

test.serial(
  "what is refused is answered behind earlier answers, then the connection closes",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const wire = await Wire.connect(daemon.port);
    wire.send(
      get("/order?wait=30") + "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + get("/hello/never"),
    );
    t.is((await wire.answer()).body, "waited 30");
    const refused = await wire.answer();
    t.is(refused.status, 400);
    t.is(refused.fields.get("connection"), "close");
    t.is(await wire.closed(), "");
    t.is(wire.error, undefined);
    wire.close();
  },
);
