import test from "ava";
import { bodyText, FakeReactor, type FakeRequest } from "./fake-reactor.test.support.js";
import type { RequestView } from "./request.js";

async function look<Value>(
  request: FakeRequest,
  read: (view: RequestView) => Value,
): Promise<Value> {
  let value: Value | undefined;
  const reactor = FakeReactor.with((view) => {
    value = read(view);
    return "";
  });
  const answer = await reactor.fetch(request);
  if (answer.status !== 200) throw new Error(reactor.logs[0]?.message);
  return value as Value;
}

test("method, target, path, query, version", async (t) => {
  const request: FakeRequest = {
    method: "PATCH",
    target: "/a%20b?x=1&y=%C3%BC&x=2",
    minorVersion: 0,
  };
  const seen = await look(request, (view) => ({
    method: view.method,
    target: view.target,
    path: view.path,
    queryString: view.queryString,
    x: view.query.getAll("x"),
    y: view.query.get("y"),
    httpVersion: view.httpVersion,
    port: view.remotePort,
  }));
  t.deepEqual(seen, {
    method: "PATCH",
    target: "/a%20b?x=1&y=%C3%BC&x=2",
    path: "/a%20b",
    queryString: "x=1&y=%C3%BC&x=2",
    x: ["1", "2"],
    y: "ü",
    httpVersion: "1.0",
    port: 4711,
  });
});

test("a query's bytes are decoded together, whether they are escaped or not", async (t) => {
  const target = "/?\xc3%bc=%e2\x82%ac&raw=\xc3\xbc+\xc3\xbc&broken=\xc3&%=%zz";
  t.deepEqual(await look({ target }, (view) => [...view.query]), [
    ["ü", "€"],
    ["raw", "ü ü"],
    ["broken", "\ufffd"],
    ["%", "%zz"],
  ]);
});

const FIELDS: FakeRequest = {
  fields: [
    ["Host", "localhost"],
    ["X-A", "1"],
    ["x-a", "2"],
    ["Cookie", "a=1"],
    ["cookie", "b=2"],
    ["X-Empty", ""],
    ["X-^", "caret"],
    ["X-Latin", "é"],
  ],
};

test("fields by name, without regard to case", async (t) => {
  const seen = await look(FIELDS, ({ headers }) => ({
    host: headers.get("HOST"),
    joined: headers.get("X-a"),
    all: headers.getAll("x-A"),
    cookie: headers.get("COOKIE"),
    empty: headers.get("x-empty"),
    none: headers.get("x-none"),
    has: [headers.has("x-empty"), headers.has("x-none")],
    latin: headers.get("x-latin"),
    // ^ and ~ differ by the bit that tells cases of letters apart.
    tilde: headers.get("X-~"),
    wide: headers.get("X-\u0161"),
  }));
  t.deepEqual(seen, {
    host: "localhost",
    joined: "1, 2",
    all: ["1", "2"],
    cookie: "a=1; b=2",
    empty: "",
    none: null,
    has: [true, false],
    latin: "é",
    tilde: null,
    wide: null,
  });
});

test("fields in order", async (t) => {
  const seen = await look(FIELDS, ({ headers }) => [...headers]);
  t.deepEqual(
    seen,
    FIELDS.fields?.map(([name, value]) => [name.toLowerCase(), value]),
  );
});

test("bodies that come whole with the head", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    switch (request.path) {
      case "/json":
        return await request.json<object>();
      case "/text":
        return await request.text();
      case "/bytes":
        return await request.bytes();
      case "/parts": {
        const parts: Uint8Array[] = [];
        for await (const part of request) parts.push(part);
        return Buffer.concat(parts);
      }
      default:
        return request.body ?? "no body";
    }
  });
  const body = '{"ü":[1]}';
  for (const target of ["/json", "/text", "/bytes", "/parts", "/stream"]) {
    t.is(bodyText(await reactor.fetch({ method: "POST", target, body })), body, target);
  }
  t.is(bodyText(await reactor.fetch({ target: "/none" })), "no body");
  t.is(bodyText(await reactor.fetch({ target: "/text" })), "");
});

test("a copy: bytes of a body are the handler's own", async (t) => {
  let kept: Uint8Array | undefined;
  const reactor = FakeReactor.with(async (request) => {
    kept = await request.bytes();
    return "";
  });
  await reactor.fetch({ method: "POST", body: "mine" });
  reactor.bytes.fill(0);
  t.is(Buffer.from(kept ?? []).toString(), "mine");
});

test("text that is no UTF-8 is replaced, a byte order mark dropped", async (t) => {
  const reactor = FakeReactor.with((request) => request.text());
  const broken = Uint8Array.from([0x61, 0xff, 0x62]);
  t.is(bodyText(await reactor.fetch({ method: "POST", body: broken })), "a\ufffdb");
  t.is(bodyText(await reactor.fetch({ method: "POST", body: "\ufeffx" })), "x");
});

test("a body that is no JSON is a 400 unless the handler catches it", async (t) => {
  const reactor = FakeReactor.with((request) => request.json<object>());
  for (const body of ["{", ""]) {
    const answer = await reactor.fetch({ method: "POST", body });
    t.is(answer.status, 400);
    t.regex(bodyText(answer), /not valid JSON/);
  }
  t.is(reactor.logs.length, 0);
});

test("to look whether there is a body is not to read it", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    if (request.body === null) return "none";
    const before = request.bodyUsed;
    const text = await request.text();
    await t.throwsAsync(new Response(request.body).text(), { message: /already/ });
    return [before, text, request.bodyUsed];
  });
  t.is(bodyText(await reactor.fetch({ method: "POST", body: "x" })), '[false,"x",true]');
  t.is(bodyText(await reactor.fetch()), "none");
});

test("a body is read once", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    const before = request.bodyUsed;
    await request.text();
    await t.throwsAsync(() => request.json(), { instanceOf: TypeError, message: /already/ });
    t.throws(() => request.body, { instanceOf: TypeError });
    return [before, request.bodyUsed];
  });
  t.is(bodyText(await reactor.fetch({ method: "POST", body: "x" })), "[false,true]");
});
