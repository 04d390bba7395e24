// What handlers do wrong is answered, logged at its place, and disturbs nobody else.
import { spawn } from "node:child_process";
import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import { type Daemon, type DaemonOptions, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string, version = "1.1"): string =>
  `GET ${target} HTTP/${version}\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// Line numbers matter: what is logged has to name them.
const FAULTS = `import { HttpError, reply } from "pinion";
const circular: Record<string, unknown> = {};
circular.self = circular;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
const faults: Record<string, (request: any) => unknown> = {
  throws() { throw new Error("it went wrong"); },
  async rejects() { await null; throw new Error("it went wrong later"); },
  throwsText() { throw "just text"; },
  rejectsNothing: () => Promise.reject(undefined),
  throwsNull() { throw null; },
  throwsBare() { throw Object.create(null); },
  circularCause() { const error = new Error("round and round"); error.cause = error; throw error; },
  symbol: () => Symbol("nonsense"),
  function: () => () => "called",
  number: () => 42,
  bigint: () => 42n,
  boolean: () => true,
  circular: () => circular,
  nestedBigint: () => ({ value: 1n }),
  throwingJson: () => ({ toJSON() { throw new Error("toJSON went wrong"); } }),
  throwingThen: () => ({ then() { throw new Error("then went wrong"); } }),
  throwingGetter: () => ({ get then() { throw new Error("getter went wrong"); } }),
  throwingIterator: () => ({ [Symbol.iterator]() { throw new Error("iterator went wrong"); } }),
  streamOfNumbers: () => [1, 2, 3].values(),
  streamOfNothing: async function* () { throw new Error("stream went wrong at once"); },
  cr: () => reply(200, "x", { "X-Field": "a\\rb" }),
  lf: () => reply(200, "x", { "X-Field": "a\\nSet-Cookie: b=c" }),
  crlf: () => reply(200, "x", { "X-Field": "a\\r\\n\\r\\nHTTP/1.1 200 OK" }),
  nul: () => reply(200, "x", { "X-Field": "a\\0b" }),
  unicode: () => reply(200, "x", { "X-Field": "a\\u0100b" }),
  badName: () => reply(200, "x", { "X Field": "a" }),
  crlfName: () => reply(200, "x", { "X-Field: a\\r\\nY": "a" }),
  emptyName: () => reply(200, "x", { "": "a" }),
  framing: () => reply(200, "x", { "Content-Length": "5" }),
  chunked: () => reply(200, "x", { "Transfer-Encoding": "chunked" }),
  largeFields: () => reply(200, "x", { "X-Field": "f".repeat(40_000) }),
  status99: () => reply(99, "x"),
  status600: () => reply(600, "x"),
  status200dot5: () => reply(200.5, "x"),
  statusText: () => reply("200" as never, "x"),
  bodyWith204: () => reply(204, "x"),
  bodyWith304: () => reply(304, "x"),
  negativeLength: () => reply(200, [][Symbol.iterator](), {}, -1),
  httpError: () => { throw new HttpError(418, "short and stout"); },
  httpError503: () => { throw new HttpError(503, "come back later"); },
  badHttpError: () => { throw new HttpError(200, "no error at all"); },
};
export default (request: any) => faults[request.params.fault](request);
`;
const lineOf = (fault: string): number =>
  FAULTS.split("\n").findIndex((line) => new RegExp(`^  (async )?${fault}[:(]`).test(line)) + 1;

const FILES = {
  "faults.ts": FAULTS,
  "hello.ts": `export default () => "hello";`,
};
const CONFIG = `
routes:
  - { path: "/fault/{fault}", handler: ./faults.ts }
  - { path: /hello, handler: ./hello.ts }
`;

interface LogLine {
  level?: string;
  message?: string;
  requestId?: string;
  route?: string;
  path?: string;
}
const logged = (daemon: Daemon, requestId: string): LogLine | undefined =>
  daemon
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine)
    .find((line) => line.requestId === requestId);

async function loggedSoon(daemon: Daemon, requestId: string): Promise<LogLine | undefined> {
  for (let i = 0; i < 300 && logged(daemon, requestId) === undefined; i++) await sleep(10);
  return logged(daemon, requestId);
}

const EXPECTED: [fault: string, message: RegExp, atLine: boolean][] = [
  ["throws", /it went wrong/, true],
  ["rejects", /it went wrong later/, true],
  ["throwsText", /just text/, false],
  ["rejectsNothing", /undefined/, false],
  ["throwsNull", /null/, false],
  ["throwsBare", /cannot be described/, false],
  ["circularCause", /round and round/, true],
  ["symbol", /returned a symbol/, false],
  ["function", /returned a function/, false],
  ["number", /returned a number/, false],
  ["bigint", /returned a bigint/, false],
  ["boolean", /returned a boolean/, false],
  ["circular", /circular/, false],
  ["nestedBigint", /BigInt/, false],
  ["throwingJson", /toJSON went wrong/, true],
  ["throwingThen", /then went wrong/, true],
  ["throwingGetter", /getter went wrong/, true],
  ["throwingIterator", /iterator went wrong/, true],
  ["streamOfNumbers", /a part of the answer is a number/, false],
  ["streamOfNothing", /stream went wrong at once/, true],
  ["cr", /X-Field: character U\+000D/, true],
  ["lf", /X-Field: character U\+000A/, true],
  ["crlf", /X-Field: character U\+000D/, true],
  ["nul", /X-Field: character U\+0000/, true],
  ["unicode", /X-Field: character U\+0100/, true],
  ["badName", /field name/, true],
  ["crlfName", /field name/, true],
  ["emptyName", /field name/, true],
  ["framing", /Content-Length is the server's/, true],
  ["chunked", /Transfer-Encoding is the server's/, true],
  ["largeFields", /more than/, true],
  ["status99", /99 is out of range/, true],
  ["status600", /600 is out of range/, true],
  ["status200dot5", /200.5 is out of range/, true],
  ["statusText", /200 is out of range/, true],
  ["bodyWith204", /has no body/, true],
  ["bodyWith304", /has no body/, true],
  ["negativeLength", /is no number of bytes/, true],
  ["badHttpError", /200 is no error status/, true],
];

test("each fault is a 500 with its request's id, logged with what and where, on a connection that goes on", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  for (const [fault, message, atLine] of EXPECTED) {
    wire.send(get("/hello") + get(`/fault/${fault}`) + get("/hello"));
    t.is((await wire.answer()).body, "hello");
    const answer = await wire.answer();
    t.is(answer.status, 500, fault);
    const { error, requestId } = JSON.parse(answer.body) as { error: string; requestId: string };
    t.is(error, "internal server error", fault);
    t.is((await wire.answer()).body, "hello");
    const line = await loggedSoon(daemon, requestId);
    t.is(line?.level, "error", fault);
    t.is(line?.route, "/fault/{fault}");
    t.is(line?.path, `/fault/${fault}`);
    t.regex(line?.message ?? "", message);
    if (atLine) t.regex(line?.message ?? "", new RegExp(`faults\\.ts:${lineOf(fault)}\\b`), fault);
  }
  wire.close();
  t.false(daemon.output().includes("worker ended"));
});

test("an HttpError is answered as it says; only those of 5xx are logged", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const tea = await fetchRaw(daemon.port, get("/fault/httpError"));
  t.is(tea.status, 418);
  const { error, requestId } = JSON.parse(tea.body) as { error: string; requestId: string };
  t.is(error, "short and stout");
  const later = await fetchRaw(daemon.port, get("/fault/httpError503"));
  t.is(later.status, 503);
  const second = JSON.parse(later.body) as { error: string; requestId: string };
  t.is(second.error, "come back later");
  t.regex((await loggedSoon(daemon, second.requestId))?.message ?? "", /come back later/);
  t.is(logged(daemon, requestId), undefined);
});

test("faults among many requests disturb no other", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const before = await shardStatus(daemon);
  const faults = EXPECTED.map(([fault]) => fault);
  await Promise.all(
    Array.from({ length: 16 }, async (_, client) => {
      const wire = await Wire.connect(daemon.port);
      for (let round = 0; round < 5; round++) {
        const sent = Array.from(
          { length: 8 },
          (_, i) => faults[(client * 7 + round * 8 + i) % faults.length] ?? "",
        );
        wire.send(sent.map((fault) => get(`/fault/${fault}`) + get("/hello")).join(""));
        for (let i = 0; i < sent.length; i++) {
          t.is((await wire.answer()).status, 500);
          t.is((await wire.answer()).body, "hello");
        }
      }
      wire.close();
    }),
  );
  await settlesTo(t, daemon, before, "after faults");
});

const LATE = {
  ...FILES,
  "late.ts": `
    const answers = {
      text: () => "late text", large: () => "l".repeat(300_000), json: () => ({ late: true }),
      stream: async function* () { yield "late "; yield "stream"; },
    };
    export default async (request) => {
      await new Promise((done) => setTimeout(done, 500));
      globalThis.late = (globalThis.late ?? 0) + 1;
      return answers[request.params.kind]();
    };`,
  "late-count.ts": `export default () => ({ late: globalThis.late ?? 0 });`,
  "never.ts": `export default (request) => new Promise(() => { request.signal.addEventListener("abort", () => { globalThis.reason = request.signal.reason.code; }); });`,
  "reason.ts": `export default () => globalThis.reason ?? "none";`,
  "block.ts": `export default () => { const end = Date.now() + 600; while (Date.now() < end); return "too late"; };`,
};
const LATE_CONFIG = `
routes:
  - { path: "/late/{kind}", handler: ./late.ts, timeout: 150ms }
  - { path: /never, handler: ./never.ts }
  - { path: /block, handler: ./block.ts, timeout: 150ms }
  - { path: /hello, handler: ./hello.ts, timeout: 20s }
  - { path: /late-count, handler: ./late-count.ts, timeout: 20s }
  - { path: /reason, handler: ./reason.ts, timeout: 20s }
timeouts: { handler: 400ms }
limits: { slots: 64, queue: 64 }
`;

test("what is answered after the 504 is dropped, and the connection goes on", async (t) => {
  const daemon = await startDaemon(t, { config: LATE_CONFIG, files: LATE });
  const before = await shardStatus(daemon);
  const kinds = ["text", "large", "json", "stream", "block"];
  const wires = await Promise.all(
    kinds.map(async (kind) => {
      const wire = await Wire.connect(daemon.port);
      wire.send(get(kind === "block" ? "/block" : `/late/${kind}`) + get("/hello"));
      return wire;
    }),
  );
  for (const [i, wire] of wires.entries()) {
    const answer = await wire.answer();
    t.is(answer.status, 504, kinds[i]);
    // The next one on the connection gets its own answer.
    const next = await wire.answer();
    t.is(next.body, "hello", kinds[i]);
  }
  const count = async (): Promise<number> =>
    (JSON.parse((await fetchRaw(daemon.port, get("/late-count"))).body) as { late: number }).late;
  for (let i = 0; i < 300 && (await count()) < 4; i++) await sleep(20);
  t.is(await count(), 4);
  for (const wire of wires) {
    t.is(wire.unread, "");
    wire.send(get("/hello"));
    t.is((await wire.answer()).body, "hello");
    wire.close();
  }
  await settlesTo(t, daemon, before, "after late answers");
});

test("a handler that never answers gets its signal, and its client a 504", async (t) => {
  const daemon = await startDaemon(t, { config: LATE_CONFIG, files: LATE });
  t.is((await fetchRaw(daemon.port, get("/never"))).status, 504);
  let reason = "none";
  for (let i = 0; i < 300 && reason === "none"; i++) {
    await sleep(10);
    reason = (await fetchRaw(daemon.port, get("/reason"))).body;
  }
  t.is(reason, "PINION_TIMED_OUT");
});

test("handlers that never answer do not use up the slots", async (t) => {
  const daemon = await startDaemon(t, {
    config: LATE_CONFIG.replace("slots: 64, queue: 64", "slots: 8, queue: 8"),
    files: LATE,
  });
  for (let round = 0; round < 3; round++) {
    const stuck = Array.from({ length: 6 }, () => fetchRaw(daemon.port, get("/never")));
    for (const answer of await Promise.all(stuck)) t.is(answer.status, 504);
  }
  t.is((await fetchRaw(daemon.port, get("/reason"))).status, 200);
  t.is((await shardStatus(daemon)).started, 0);
});

test("a request that is kept and read after its answer is an error, never another request's bytes", async (t) => {
  const daemon = await startDaemon(t, {
    files: {
      "keep.ts": `
        let kept;
        export default async (request) => {
          if (kept !== undefined) {
            const found = {};
            for (const name of ["method", "path", "target", "params", "headers", "id", "signal", "httpVersion", "remoteAddress", "query", "body"]) {
              try { found[name] = String(kept[name]); } catch (error) { found[name] = error.code; }
            }
            for (const name of ["text", "bytes", "json"]) {
              try { found[name] = String(await kept[name]()); } catch (error) { found[name] = error.code; }
            }
            try { for await (const part of kept) found.parts = String(part); } catch (error) { found.parts = error.code; }
            return found;
          }
          kept = request;
          return "kept";
        };`,
    },
    config: `routes: [{ path: "/keep/{id:int}", handler: ./keep.ts }]`,
  });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/keep/1"));
  t.is((await wire.answer()).body, "kept");
  // The slot is used again: what is read now would be this request's.
  wire.send(get("/keep/2"));
  const found = JSON.parse((await wire.answer()).body) as Record<string, string>;
  for (const [name, value] of Object.entries(found)) t.is(value, "PINION_REQUEST_OVER", name);
  wire.close();
});

const BROKEN = {
  "hello.ts": FILES["hello.ts"],
  "break.ts": `import { reply } from "pinion"; import { Readable } from "node:stream";
const chunk = "c".repeat(20_000);
async function* breaks() { for (let i = 0; i < 5; i++) yield chunk; await new Promise((done) => setTimeout(done, 20)); throw new Error("broke in the middle"); }
const kinds = {
  generator: () => breaks(),
  readable: () => Readable.from(breaks()),
  web: () => ReadableStream.from(breaks()),
  response: () => new Response(ReadableStream.from(breaks())),
  badChunk: async function* () { for (let i = 0; i < 5; i++) yield chunk; yield 42; },
  short: () => reply(200, [chunk, chunk].values(), {}, 60_000),
  long: () => reply(200, [chunk, chunk, chunk].values(), {}, 50_000),
  knownBreaks: () => reply(200, breaks(), {}, 1_000_000),
};
export default (request) => kinds[request.params.kind]();`,
};
const BROKEN_CONFIG = `
routes:
  - { path: "/break/{kind}", handler: ./break.ts }
  - { path: /hello, handler: ./hello.ts }
`;

/**
 * Whether the connection ended with a reset. Asked of bash and cat: libuv takes what comes together with a reset for the
 * end of the stream.
 */
async function brokenOff(port: number, request: string): Promise<boolean> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port} && printf '%s' "$REQUEST" >&3 && exec cat <&3 >/dev/null`;
  const child = spawn("bash", ["-c", script], {
    env: { ...process.env, LC_ALL: "C", REQUEST: request },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0 && !said.includes("reset by peer")) throw new Error(`${code}: ${said}`);
  return code !== 0;
}

for (const kind of [
  "generator",
  "readable",
  "web",
  "response",
  "badChunk",
  "short",
  "long",
  "knownBreaks",
]) {
  const versions = ["1.1", "1.0"];
  test(`a body that fails after it has begun breaks the connection off: ${kind}`, async (t) => {
    const daemon = await startDaemon(t, { config: BROKEN_CONFIG, files: BROKEN });
    const before = await shardStatus(daemon);
    for (const version of versions) {
      const wire = await Wire.connect(daemon.port);
      wire.send(get(`/break/${kind}`, version) + (version === "1.1" ? get("/hello") : ""));
      const text = await wire.closed();
      const what = `HTTP/${version}: ${text.slice(0, 300)} … ${text.slice(-40)}`;
      if (text !== "") {
        t.true(text.startsWith("HTTP/1.1 200 "), what);
        const [head = "", body = ""] = text.split("\r\n\r\n", 2);
        const length = /^content-length: (\d+)$/im.exec(head)?.[1];
        if (length !== undefined) t.true(body.length < Number(length), what);
        else if (version === "1.1") {
          t.regex(head, /^transfer-encoding: chunked$/im);
          t.false(text.endsWith("0\r\n\r\n"), "a clean end of the chunks");
        }
        t.false(text.includes("hello"));
      }
      wire.close();
    }
    // Where the close delimits, a close alone would be a clean end.
    t.true(await brokenOff(daemon.port, get(`/break/${kind}`, "1.0")));
    t.false(await brokenOff(daemon.port, get("/hello", "1.0")));
    await daemon.said(
      /"level":"error","message":"[^"]*(broke in the middle|a part of the answer is a number|length was given)/,
    );
    t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
    await settlesTo(t, daemon, before, `after ${kind}`);
  });
}

async function serves(
  t: ExecutionContext,
  module: string,
  options: Partial<DaemonOptions> = {},
  route = "",
): Promise<Daemon> {
  return startDaemon(t, {
    files: { "module.ts": module },
    config: `routes: [{ path: "/m/{id:int}/{name}", handler: ./module.ts${route} }]`,
    ...options,
  });
}
const ask = (method: string): string =>
  `${method} /m/7/na%20me HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n`;

test("a module may export a default function, functions by method, an object of them, or a factory", async (t) => {
  const all = await serves(t, `export default (request) => request.method;`);
  for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    t.is((await fetchRaw(all.port, ask(method))).body, method);
  }
  t.is((await fetchRaw(all.port, ask("HEAD"), "HEAD")).status, 200);

  const byMethod = await serves(
    t,
    `export const GET = () => "got"; export function POST() { return "posted"; }`,
  );
  t.is((await fetchRaw(byMethod.port, ask("GET"))).body, "got");
  t.is((await fetchRaw(byMethod.port, ask("POST"))).body, "posted");
  t.is((await fetchRaw(byMethod.port, ask("HEAD"), "HEAD")).status, 200);
  const refused = await fetchRaw(byMethod.port, ask("PUT"));
  t.is(refused.status, 405);
  t.regex(refused.fields.get("allow") ?? "", /GET.*POST/);

  const object = await serves(
    t,
    `export default { GET: () => "got", DELETE: async () => "deleted" };`,
  );
  t.is((await fetchRaw(object.port, ask("GET"))).body, "got");
  t.is((await fetchRaw(object.port, ask("DELETE"))).body, "deleted");
  const refusedToo = await fetchRaw(object.port, ask("POST"));
  t.is(refusedToo.status, 405);
  t.regex(refusedToo.fields.get("allow") ?? "", /GET/);

  const factory = await serves(
    t,
    `let made = 0;
     export const factory = async (options, context) => {
       await null;
       made++;
       return { GET: () => ({ options, made, folder: context.directory }) };
     };`,
    {},
    `, options: { greeting: hello, list: [1, 2] }`,
  );
  for (let i = 0; i < 2; i++) {
    const answer = await fetchRaw(factory.port, ask("GET"));
    const { options, made, folder } = JSON.parse(answer.body) as {
      options: unknown;
      made: number;
      folder: string;
    };
    t.deepEqual(options, { greeting: "hello", list: [1, 2] });
    t.is(made, 1);
    t.is(folder, factory.folder);
  }
});

test("parameters come as the pattern says: numbers, texts, decoded", async (t) => {
  const daemon = await startDaemon(t, {
    files: {
      "params.ts": `export default ({ params, route }) => ({ params, types: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, typeof value])), route });`,
    },
    config: `
routes:
  - { path: "/int/{value:int}", handler: ./params.ts }
  - { path: "/float/{value:float}", handler: ./params.ts }
  - { path: "/uuid/{value:uuid}", handler: ./params.ts }
  - { path: "/string/{value}", handler: ./params.ts }
  - { path: "/two/{a:int}/{b:string}", handler: ./params.ts }
  - { path: "/rest/{value:path}", handler: ./params.ts }
`,
  });
  const found = async (target: string): Promise<unknown> => {
    const answer = await fetchRaw(daemon.port, get(target));
    const text = Buffer.from(answer.body, "latin1").toString();
    return answer.status === 200 ? (JSON.parse(text) as { params: unknown }).params : answer.status;
  };
  t.deepEqual(await found("/int/42"), { value: 42 });
  t.deepEqual(await found("/int/-7"), { value: -7 });
  t.deepEqual(await found("/int/0"), { value: 0 });
  t.is(await found("/int/x"), 404);
  t.is(await found("/int/1.5"), 404);
  t.is(await found("/int/99999999999999999999"), 404);
  t.deepEqual(await found("/float/1.5"), { value: 1.5 });
  t.deepEqual(await found("/float/-2"), { value: -2 });
  t.is(await found("/float/nan"), 404);
  const uuid = "123e4567-e89b-12d3-a456-426614174000";
  t.deepEqual(await found(`/uuid/${uuid}`), { value: uuid });
  t.is(await found("/uuid/123e4567"), 404);
  t.deepEqual(await found("/string/na%20me%C3%A9%2Fx"), { value: "na meé/x" });
  t.deepEqual(await found("/two/1/b%25"), { a: 1, b: "b%" });
  t.deepEqual(await found("/rest/a/b/c.txt"), { value: "a/b/c.txt" });
});
