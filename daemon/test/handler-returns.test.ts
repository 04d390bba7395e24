// What README.md says that a handler gets and returns, each tried over a socket.
import test, { type ExecutionContext } from "ava";
import { startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const RETURNS = `import { reply, HttpError } from "pinion"; import { Readable } from "node:stream";
async function* generate() { yield "ab"; await null; yield new Uint8Array([99]); }
const returns: Record<string, () => unknown> = {
  string: () => "text ü",
  bytes: () => new Uint8Array([97, 98]),
  buffer: () => Uint8Array.from([97, 98]).buffer,
  blob: () => new Blob(["<p>"], { type: "text/html" }),
  file: () => new File(["file"], "a.txt", { type: "text/plain" }),
  object: () => ({ a: [1, null] }),
  array: () => [1, "b"],
  date: () => new Date(0),
  nothing: () => undefined,
  null: () => null,
  generator: () => generate(),
  readable: () => Readable.from(["ab", "c"]),
  web: () => new Blob(["abc"]).stream(),
  iterable: () => new Set(["ab", "c"]).values(),
  response: () => new Response("made", { status: 202, headers: [["X-A", "1"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] }),
  responseJson: () => Response.json({ a: 1 }),
  responseEmpty: () => new Response(null, { status: 304, headers: { ETag: '"x"' } }),
  redirect: () => Response.redirect("http://test/there", 303),
  form: () => new Response(new URLSearchParams({ a: "b c" })),
  reply: () => reply(201, "made", { Location: "/made", "set-COOKIE": ["a=1", "b=2"], "X-Number": 7 }),
  replyLength: () => reply(200, ["ab", "c"].values(), {}, 3),
  replyJson: () => reply(200, { a: 1 }, { "Content-Type": "application/problem+json" }),
  replyPromise: () => reply(200, Promise.resolve("later")),
  noContent: () => reply(204),
  notModified: () => reply(304, null, { ETag: '"x"' }),
  reset: () => reply(205),
  unusual: () => reply(299, "odd"),
  httpError: () => { throw new HttpError(409, "taken"); },
};
export default ({ params }) => params.how === "async" ? 0 : returns[params.how]();
`;

const NONE = undefined;
type Expected = [
  how: string,
  status: number,
  type: string | undefined,
  body: string,
  length?: number,
];
const EXPECTED: Expected[] = [
  ["string", 200, "text/plain; charset=utf-8", "text ü"],
  ["bytes", 200, "application/octet-stream", "ab"],
  ["buffer", 200, "application/octet-stream", "ab"],
  ["blob", 200, "text/html", "<p>", 3],
  ["file", 200, "text/plain", "file", 4],
  ["object", 200, "application/json", '{"a":[1,null]}', 14],
  ["array", 200, "application/json", '[1,"b"]'],
  ["date", 200, "application/json", '"1970-01-01T00:00:00.000Z"'],
  ["nothing", 204, NONE, ""],
  ["null", 204, NONE, ""],
  ["generator", 200, "application/octet-stream", "abc"],
  ["readable", 200, "application/octet-stream", "abc"],
  ["web", 200, "application/octet-stream", "abc"],
  ["iterable", 200, "application/octet-stream", "abc"],
  ["response", 202, "text/plain;charset=UTF-8", "made"],
  ["responseJson", 200, "application/json", '{"a":1}'],
  ["responseEmpty", 304, NONE, ""],
  ["redirect", 303, NONE, ""],
  ["form", 200, "application/x-www-form-urlencoded;charset=UTF-8", "a=b+c"],
  ["reply", 201, "text/plain; charset=utf-8", "made", 4],
  ["replyLength", 200, "application/octet-stream", "abc", 3],
  ["replyJson", 200, "application/problem+json", '{"a":1}'],
  ["replyPromise", 200, "text/plain; charset=utf-8", "later"],
  ["noContent", 204, NONE, ""],
  ["notModified", 304, NONE, ""],
  ["reset", 205, NONE, ""],
  ["unusual", 299, "text/plain; charset=utf-8", "odd"],
];

/** Serves one module; a connection to it, and its port for further ones. */
async function serve(
  t: ExecutionContext,
  path: string,
  module: string,
): Promise<{ port: number; wire: Wire }> {
  const { port } = await startDaemon(t, {
    files: { "module.ts": module },
    config: `routes: [{ path: "${path}", handler: ./module.ts }]`,
  });
  const wire = await Wire.connect(port);
  t.teardown(() => wire.close());
  return { port, wire };
}

test("what a handler may return, with GET and HEAD, over HTTP/1.1 and 1.0", async (t) => {
  const { port, wire } = await serve(t, "/{how}", RETURNS);
  for (const [how, status, type, body, length] of EXPECTED) {
    const request = (method: string, version: string): string =>
      `${method} /${how} HTTP/${version}\r\nHost: test\r\n\r\n`;
    for (const method of ["GET", "HEAD"]) {
      wire.send(request(method, "1.1"));
      const answer = await wire.answer(method);
      const what = `${method} ${how}: ${answer.raw}`;
      t.is(answer.status, status, what);
      t.is(answer.fields.get("content-type"), type, what);
      t.is(Buffer.from(answer.body, "latin1").toString(), method === "HEAD" ? "" : body, what);
      if (length !== undefined) t.is(answer.fields.get("content-length"), String(length), what);
      if (status === 204 || status === 304)
        t.is(answer.fields.get("content-length"), undefined, what);
      if (how === "notModified" || how === "responseEmpty") t.is(answer.fields.get("etag"), '"x"');
      if (how === "response" || how === "reply") {
        t.is(answer.raw.match(/^set-cookie: [ab]=[12]\r$/gim)?.length, 2, what);
      }
    }
    const old = await fetchRaw(port, request("GET", "1.0"));
    t.is(old.status, status);
    t.is(Buffer.from(old.body, "latin1").toString(), body, how);
  }
  wire.send("GET /httpError HTTP/1.1\r\nHost: test\r\n\r\n");
  t.is((await wire.answer()).status, 409);
});

const GETS = `export const POST = async (request) => {
  const { method, path, params, query, headers, remoteAddress, signal } = request;
  const found: Record<string, unknown> = { method, path, params, q: query.get("q"), all: query.getAll("q"), host: headers.get("HOST"),
    address: remoteAddress.address ?? remoteAddress, aborted: signal.aborted };
  if (params.how === "json") found.body = await request.json();
  if (params.how === "text") found.body = await request.text();
  if (params.how === "bytes") found.body = [...await request.bytes()];
  if (params.how === "parts") { let bytes = 0; for await (const part of request) bytes += part.length; found.body = bytes; }
  if (params.how === "web") found.body = await new Response(request.body).text();
  if (params.how === "twice") { await request.text(); found.body = await request.text().catch((error) => error.name); }
  found.trailer = request.trailers.get("x-t");
  return found;
};`;

test("what a handler gets", async (t) => {
  const { wire } = await serve(t, "/{how}/{id:int}", GETS);
  const cases: [string, unknown][] = [
    ["json", { a: "ü" }],
    ["text", '{"a":"ü"}'],
    ["bytes", [...Buffer.from('{"a":"ü"}')]],
    ["parts", 10],
    ["web", '{"a":"ü"}'],
    ["twice", "TypeError"],
  ];
  for (const [how, body] of cases) {
    wire.send(
      `POST /${how}/7?q=1&q=%C3%BC HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n` +
        'a\r\n{"a":"\xc3\xbc"}\r\n0\r\nX-T: t\r\n\r\n',
    );
    const answer = await wire.answer();
    t.deepEqual(
      JSON.parse(Buffer.from(answer.body, "latin1").toString()),
      {
        method: "POST",
        path: `/${how}/7`,
        params: { how, id: 7 },
        q: "1",
        all: ["1", "ü"],
        host: "test",
        address: "127.0.0.1",
        aborted: false,
        body,
        trailer: "t",
      },
      `${how}: ${answer.raw}`,
    );
  }
});
