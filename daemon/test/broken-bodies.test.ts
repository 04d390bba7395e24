// Bodies that fail after they have begun: the client sees that its answer is not whole.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { brokenOff, fetchRaw, Wire } from "./support/wire.js";

const get = (target: string, version = "1.1"): string =>
  `GET ${target} HTTP/${version}\r\nHost: test\r\n\r\n`;

const BROKEN = {
  "hello.ts": `export default () => "hello";`,
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
