// What handlers do wrong is answered, logged at its place, and disturbs nobody else.
import test from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
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
  crlfAtEnd: () => reply(200, "x", { "X-Field": "a\\r\\n" }),
  lfAtStart: () => reply(200, "x", { "X-Field": "\\na" }),
  lfAlone: () => reply(200, "x", [["X-Field", "\\n"]]),
  lfInType: () => reply(200, "x", { "Content-Type": "text/html; charset=utf-8\\n" }),
  lfInTrailer: () => reply(200, ["x"].values(), {}, { trailers: { "X-Field": "a\\n" } }),
  nullField: () => reply(200, "x", { "X-Field": null as never }),
  wrongLengthText: () => reply(200, "text", {}, 5),
  wrongLengthBytes: () => reply(200, Buffer.from("text"), {}, { length: 3 }),
  wrongLengthJson: () => reply(200, { a: 1 }, {}, 8),
  wrongLengthBlob: () => reply(200, new Blob(["blob"]), {}, 5),
  wrongLengthNothing: () => reply(200, null, {}, 1),
  wrongLengthLater: () => reply(200, Promise.resolve("text"), {}, 5),
  async usedResponse() { const response = new Response("x"); await response.text(); return response; },
  foreignStatus: () => ({ [Symbol.toStringTag]: "Response", status: 70000, headers: new Headers(), body: null }),
  throwingThenOfPromise: () => Object.assign(Promise.resolve(), { then() { throw new Error("own then went wrong"); } }),
  changedHttpError() { throw Object.assign(new HttpError(404, "x"), { status: 99 }); },
  unprintableHttpError() { throw Object.assign(new HttpError(404, "x"), { message: 1n }); },
  throwsProxy() { throw new Proxy({}, { getPrototypeOf() { throw new Error("a trap"); } }); },
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
  ["crlfAtEnd", /X-Field: character U\+000D/, true],
  ["lfAtStart", /X-Field: character U\+000A/, true],
  ["lfAlone", /X-Field: character U\+000A/, true],
  ["lfInType", /Content-Type: character U\+000A/, true],
  ["lfInTrailer", /X-Field: character U\+000A/, true],
  ["nullField", /field X-Field is null/, true],
  ["wrongLengthText", /has 4 bytes, its length was given as 5/, true],
  ["wrongLengthBytes", /has 4 bytes, its length was given as 3/, true],
  ["wrongLengthJson", /has 7 bytes, its length was given as 8/, true],
  ["wrongLengthBlob", /has 4 bytes, its length was given as 5/, true],
  ["wrongLengthNothing", /has 0 bytes, its length was given as 1/, true],
  ["wrongLengthLater", /has 4 bytes, its length was given as 5/, false],
  ["usedResponse", /has been read/, false],
  ["foreignStatus", /status 70000/, false],
  ["throwingThenOfPromise", /own then went wrong/, true],
  ["changedHttpError", /HttpError/, false],
  ["unprintableHttpError", /HttpError|described/, false],
  ["throwsProxy", /cannot be described/, false],
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

test("every error is logged, however many they are", async (t) => {
  const daemon = await startDaemon(t, {
    files: { "fail.ts": `export default () => { throw new Error("on purpose"); };` },
    config: `routes: [{ path: /fail, handler: ./fail.ts }]`,
  });
  const logged = (): number => daemon.output().split("Error: on purpose").length - 1;
  const wire = await Wire.connect(daemon.port);
  // More than may be under way at once (runtime/log-gate.ts).
  for (let asked = 50; asked <= 1100; asked += 50) {
    wire.send(get("/fail").repeat(50));
    for (let i = 0; i < 50; i++) t.is((await wire.answer()).status, 500);
    for (let i = 0; i < 500 && logged() < asked; i++) await sleep(10);
    t.is(logged(), asked);
  }
  t.notRegex(daemon.output(), /left out/);
  wire.close();
});
