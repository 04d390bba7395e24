// Every method and every form of the target, on the wire (RFC 9110 §9, RFC 9112 §3.2).
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const CONFIG = `
routes:
  - { path: "/any/{rest:path}", handler: ./any.ts }
  - { path: /trace, methods: [TRACE], handler: ./any.ts }
  - { path: /own, handler: ./own.ts }
  - { path: /get, handler: ./get.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;
const FILES = {
  "any.ts": `export default async (request) => ({
    method: request.method, target: request.target, path: request.path, host: request.headers.get("host"),
    query: request.query.get("q"), body: await request.text(),
  });`,
  // HEAD does less than GET would.
  "own.ts": `import { reply } from "pinion";
    const say = (name) => () => reply(200, "by " + name, { "X-By": name });
    export const GET = say("GET");
    export const HEAD = () => reply(200, null, { "X-By": "HEAD" });
    export const PUT = say("PUT");
    export const PATCH = say("PATCH");
    export const DELETE = say("DELETE");
    export const OPTIONS = say("OPTIONS");
    export const TRACE = say("TRACE");`,
  "get.ts": `import { reply } from "pinion";
    export const GET = () => reply(200, "by GET", { "X-By": "GET" });`,
};

const request = (method: string, target: string, body?: string): string =>
  `${method} ${target} HTTP/1.1\r\nHost: test\r\n` +
  (body === undefined ? "\r\n" : `Content-Length: ${body.length}\r\n\r\n${body}`);
const allowed = (field: string | undefined): string[] => (field ?? "").split(", ").sort();

interface Seen {
  method: string;
  target: string;
  path: string;
  host: string | null;
  query: string | null;
  body: string;
}

test("each method reaches a handler that takes them all, with and without a body", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    for (const body of [undefined, "", "a body"]) {
      const target = `/any/${method.toLowerCase()}?q=1`;
      wire.send(request(method, target, body));
      const answer = await wire.answer();
      t.is(answer.status, 200, method);
      const path = `/any/${method.toLowerCase()}`;
      const expected = { method, target, path, host: "test", query: "1", body: body ?? "" };
      t.deepEqual(JSON.parse(answer.body), expected);
    }
  }
  // Chunked, too.
  wire.send(
    "PATCH /any/x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\na body\r\n0\r\n\r\n",
  );
  t.like(JSON.parse((await wire.answer()).body), { method: "PATCH", body: "a body" });
  // TRACE is answered only where it is asked for: it shows what a browser would rather hide.
  wire.send(request("TRACE", "/any/x"));
  const refused = await wire.answer();
  t.is(refused.status, 405);
  t.deepEqual(allowed(refused.fields.get("allow")), [
    "DELETE",
    "GET",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "POST",
    "PUT",
  ]);
  wire.send(request("TRACE", "/trace"));
  t.like(JSON.parse((await wire.answer()).body), { method: "TRACE", path: "/trace" });
  wire.close();
});

test("a module's functions by method; its own HEAD, or GET without the body", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]) {
    wire.send(request(method, "/own"));
    const answer = await wire.answer();
    t.is(answer.body, `by ${method}`);
    t.is(answer.fields.get("x-by"), method);
  }
  wire.send(request("HEAD", "/own") + request("HEAD", "/get") + request("HEAD", "/native"));
  const own = await wire.answer("HEAD");
  t.is(own.status, 200);
  t.is(own.fields.get("x-by"), "HEAD");
  const by = await wire.answer("HEAD");
  t.is(by.fields.get("x-by"), "GET");
  t.is(by.fields.get("content-length"), "6");
  t.is((await wire.answer("HEAD")).fields.get("content-length"), "6");
  // No byte of a body came behind any of them.
  wire.send(request("GET", "/native"));
  t.is((await wire.answer()).body, "native");

  wire.send(request("POST", "/own"));
  const wrong = await wire.answer();
  t.is(wrong.status, 405);
  t.deepEqual(allowed(wrong.fields.get("allow")), [
    "DELETE",
    "GET",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "PUT",
    "TRACE",
  ]);
  wire.send(request("PUT", "/get", "a body that nobody reads"));
  const put = await wire.answer();
  t.is(put.status, 405);
  t.deepEqual(allowed(put.fields.get("allow")), ["GET", "HEAD"]);
  // Its body is not the next request.
  wire.send(request("GET", "/native"));
  t.is((await wire.answer()).body, "native");
  wire.close();
});

test("methods that are not served: 501", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  t.is((await fetchRaw(daemon.port, request("BREW", "/get"))).status, 501);
  t.is((await fetchRaw(daemon.port, request("get", "/get"))).status, 501);
  const tunnel = "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n";
  const refused = await fetchRaw(daemon.port, tunnel);
  t.true([405, 501].includes(refused.status), refused.raw);
});

test("forms of the target: origin, absolute, asterisk", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  const seen = async (target: string): Promise<Seen> => {
    wire.send(request("GET", target));
    return JSON.parse((await wire.answer()).body) as Seen;
  };
  const absolute = "http://other.example:81/any/deep/path?q=2";
  t.deepEqual(await seen(absolute), {
    method: "GET",
    target: absolute,
    path: "/any/deep/path",
    // RFC 9112 §3.2.2: the target's authority, whatever Host says.
    host: "other.example:81",
    query: "2",
    body: "",
  });
  t.like(await seen("/any/x?q=http://other.example/"), {
    path: "/any/x",
    host: "test",
    query: "http://other.example/",
  });
  wire.send(request("GET", "HTTP://OTHER.example/native"));
  t.is((await wire.answer()).body, "native");
  wire.send(request("GET", "http://other.example"));
  t.is((await wire.answer()).status, 404); // of "/"
  wire.send(request("OPTIONS", "*"));
  const all = await wire.answer();
  t.is(all.status, 204);
  t.is(all.body, "");
  wire.send(request("OPTIONS", "/any/x"));
  t.like(JSON.parse((await wire.answer()).body), { method: "OPTIONS", path: "/any/x" });
  wire.close();
  t.is((await fetchRaw(daemon.port, request("GET", "*"))).status, 400);
});
