// Trailer fields of requests and answers, over a model of the reactor.
import test from "ava";
import { setImmediate as immediate } from "node:timers/promises";
import { bodyText, type FakeAnswer, FakeReactor } from "./fake-reactor.test.support.js";
import { isForbiddenTrailer, TRAILERS_MAX } from "./fields.js";
import { AnswerFlag } from "./layout.generated.js";
import { type Body, reply, type ReplyOptions } from "./reply.js";
import type { RequestView } from "./request.js";

// --- of requests ---

const RECEIVED = "A: b\r\nX-Blanks: \t x y \t\r\na:c\r\nEmpty:\r\nLatin: \xe9\r\n";

function seen(request: RequestView): [string, string][] {
  return [...request.trailers];
}

test("trailers are there once the body has been read to its end, and not before", async (t) => {
  const before: unknown[] = [];
  let kept: RequestView["trailers"] | undefined;
  const reactor = FakeReactor.with(async (request) => {
    kept = request.trailers;
    before.push(seen(request));
    for await (const part of request) before.push([Buffer.from(part).toString(), seen(request)]);
    return { lines: seen(request), get: kept.get("A"), all: kept.getAll("a"), has: kept.has("B") };
  });
  const slot = reactor.request({ method: "POST", more: true });
  reactor.turn();
  reactor.body(slot, "one");
  reactor.body(slot, "two");
  reactor.trailers(slot, RECEIVED);
  reactor.bodyEnd(slot);
  await reactor.run();
  t.deepEqual(before, [[], ["one", []], ["two", []]]);
  t.deepEqual(JSON.parse(bodyText(reactor.answer(slot))), {
    lines: [
      ["a", "b"],
      ["x-blanks", "x y"],
      ["a", "c"],
      ["empty", ""],
      ["latin", "\xe9"],
    ],
    get: "b, c",
    all: ["b", "c"],
    has: false,
  });
  t.is(reactor.consumed.length, 3);
  t.is(kept?.get("empty"), "", "what was asked for while the request lived stays");
});

test("however they are cut, and however the body is read", async (t) => {
  const reads: [string, (request: RequestView) => Promise<unknown>][] = [
    ["bytes", (request) => request.bytes()],
    ["text", (request) => request.text()],
    ["body", (request) => new Response(request.body).text()],
  ];
  for (const [name, read] of reads) {
    for (let cut = 0; cut <= RECEIVED.length; cut++) {
      const reactor = FakeReactor.with(async (request) => {
        await read(request);
        return { lines: seen(request) };
      });
      const slot = reactor.request({ method: "POST", more: true });
      if (cut % 2 === 0) reactor.turn();
      if (cut > 0) reactor.trailers(slot, RECEIVED.slice(0, cut));
      if (cut % 3 === 0) reactor.turn();
      if (cut < RECEIVED.length) reactor.trailers(slot, RECEIVED.slice(cut));
      reactor.bodyEnd(slot);
      await reactor.run();
      const { lines } = JSON.parse(bodyText(reactor.answer(slot))) as { lines: unknown[] };
      t.is(lines.length, 5, `${name}, ${cut}`);
    }
  }
});

test("fields that have no business in trailers are left out", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    await request.bytes();
    return { lines: seen(request), host: request.trailers.get("host") };
  });
  const slot = reactor.request({ method: "POST", more: true });
  const forbidden = ["Host", "authorization", "Cookie", "Content-Type", "Trailer", "TE", "Via-"];
  for (const name of forbidden) reactor.trailers(slot, `${name}: x\r\n`);
  reactor.trailers(slot, "Content-Digest: y\r\nETag: z\r\n");
  reactor.bodyEnd(slot);
  await reactor.run();
  t.deepEqual(JSON.parse(bodyText(reactor.answer(slot))), {
    lines: [
      ["via-", "x"],
      ["content-digest", "y"],
      ["etag", "z"],
    ],
    host: null,
  });
});

test("no trailers: bodies that came whole, that broke off, that were not read", async (t) => {
  const whole = await FakeReactor.with(async (request) => {
    const early = seen(request);
    await request.text();
    return [...early, ...seen(request)];
  }).fetch({ method: "POST", body: "abc" });
  t.is(bodyText(whole), "[]");

  const lines: unknown[] = [];
  const reactor = FakeReactor.with(async (request) => {
    if (request.path === "/broken") await t.throwsAsync(request.text(), { message: /broke off/ });
    lines.push(...seen(request));
    return "";
  });
  for (const target of ["/broken", "/unread"]) {
    const slot = reactor.request({ method: "POST", more: true, target });
    reactor.turn();
    reactor.trailers(slot, RECEIVED);
    reactor.bodyEnd(slot, target === "/broken");
    await reactor.run();
    reactor.turn();
  }
  t.deepEqual(lines, []);
  t.is(reactor.consumed.length, 2, "also behind the answer");
});

test("a request's trailers cannot be asked for first when it is over", async (t) => {
  let kept: RequestView | undefined;
  await FakeReactor.with((request) => {
    kept = request;
    return "";
  }).fetch();
  t.throws(() => kept?.trailers, { code: "PINION_REQUEST_OVER" });
});

// --- of answers ---

async function* later(...chunks: string[]): AsyncGenerator<string> {
  for (const chunk of chunks) {
    await immediate();
    yield chunk;
  }
}

function answer(
  options: ReplyOptions,
  body: () => Body = () => later("a", "b"),
  fields?: Record<string, string>,
  request: { method?: "GET" | "HEAD"; minorVersion?: number; answerBytes?: number } = {},
): Promise<FakeAnswer> {
  const { answerBytes = 2048, ...rest } = request;
  const reactor = FakeReactor.with(() => reply(200, body(), fields, options), { answerBytes });
  return reactor.fetch(rest);
}

test("trailers of a record are announced and sent behind the body", async (t) => {
  for (const body of [() => later("a", "b"), () => ["a", "b"].values()]) {
    for (const answerBytes of [0, 2048]) {
      const sent = await answer(
        { trailers: { A: "1", B: ["2", "3"] } },
        body,
        { C: "4" },
        { answerBytes },
      );
      t.is(bodyText(sent), "ab");
      t.is(sent.flags, 0, "chunked, also where the stream ends at once");
      t.deepEqual(sent.fields, [
        ["C", "4"],
        ["Trailer", "A, B"],
      ]);
      t.deepEqual(sent.trailers, [
        ["A", "1"],
        ["B", "2"],
        ["B", "3"],
      ]);
    }
  }
});

test("a function is called once, when the stream has ended; it may return a promise, or nothing", async (t) => {
  let calls = 0;
  let chunks = 0;
  async function* counted(): AsyncGenerator<string> {
    for await (const chunk of later("a", "b", "c")) {
      chunks++;
      yield chunk;
    }
  }
  const makes: ReplyOptions["trailers"][] = [
    () => ({ Count: `${chunks} ${++calls}` }),
    async () => {
      const call = ++calls;
      for (let i = 0; i < 5; i++) await immediate(); // what was sent leaves meanwhile
      return new Headers({ count: `${chunks} ${call}` });
    },
  ];
  for (const [i, trailers] of makes.entries()) {
    chunks = 0;
    const sent = await answer({ trailers }, counted);
    t.deepEqual(sent.fields, []);
    t.is(sent.trailers[0]?.[1], `3 ${i + 1}`);
    t.is(calls, i + 1);
  }
  const announced = await answer({ trailers: () => ({ D: "5" }) }, undefined, { Trailer: "D" });
  t.deepEqual(announced.fields, [["Trailer", "D"]]);
  t.deepEqual(announced.trailers, [["D", "5"]]);
  for (const trailers of [() => undefined, () => ({})]) {
    const none = await answer({ trailers });
    t.is(none.state, "complete");
    t.deepEqual(none.trailers, []);
  }
});

test("where the body is not chunked they are dropped, and their function is not called", async (t) => {
  const trailers = (): never => t.fail();
  const fields = { Trailer: "A" };
  const cases: [string, Promise<FakeAnswer>, string][] = [
    ["HTTP/1.0", answer({ trailers }, undefined, fields, { minorVersion: 0 }), "ab"],
    ["HEAD", answer({ trailers }, undefined, fields, { method: "HEAD" }), ""],
    ["length", answer({ trailers, length: 2 }, undefined, fields), "ab"],
    ["text", answer({ trailers }, () => "ab", fields), "ab"],
    ["Blob", answer({ trailers }, () => new Blob(["ab"]), fields), "ab"],
  ];
  for (const [name, pending, body] of cases) {
    const sent = await pending;
    t.is(bodyText(sent), body, name);
    t.is(sent.state, "complete", name);
    t.deepEqual(sent.fields, [], name);
    t.deepEqual(sent.trailers, [], name);
  }
  const quick = await answer(
    { trailers: { A: "1" } },
    () => ["ab"].values(),
    {},
    { minorVersion: 0 },
  );
  t.is(quick.flags, AnswerFlag.last | AnswerFlag.lengthKnown);
});

test("trailers that cannot be are refused where reply() is called", (t) => {
  const make = (trailers: unknown) => () =>
    reply(200, later("a"), {}, { trailers: trailers as Record<string, string> });
  for (const name of [
    "Host",
    "Content-Length",
    "transfer-encoding",
    "Content-Type",
    "Set-Cookie",
    "Trailer",
    "Date",
  ]) {
    t.throws(
      make({ [name]: "x" }),
      { instanceOf: TypeError, message: /cannot be a trailer/ },
      name,
    );
  }
  t.throws(make({ A: "x\r\nB: y" }), { instanceOf: TypeError, message: /U\+000D at 1/ });
  t.throws(make({ A: "x\0" }), { instanceOf: TypeError, message: /U\+0000/ });
  t.throws(make({ "A B": "x" }), { instanceOf: TypeError, message: /no token/ });
  t.throws(make("A: b"), { instanceOf: TypeError, message: /are a string/ });
  t.throws(make(Promise.resolve({})), { instanceOf: TypeError, message: /are a promise/ });
  t.throws(make({ A: "x".repeat(TRAILERS_MAX) }), { message: new RegExp(String(TRAILERS_MAX)) });
  t.notThrows(make({ A: "x".repeat(TRAILERS_MAX - 5) }));
  t.throws(() => reply(200, later("a"), { trailer: "A" }), {
    instanceOf: TypeError,
    message: /Trailer announces/,
  });
  t.true(isForbiddenTrailer("content-encoding") && !isForbiddenTrailer("content-digest"));
});

test("a function that throws, rejects or returns what cannot be breaks the answer off", async (t) => {
  const makes: [RegExp, ReplyOptions["trailers"]][] = [
    [
      /too late/,
      () => {
        throw new Error("too late");
      },
    ],
    [/rejected/, () => Promise.reject(new Error("rejected"))],
    [/cannot be a trailer/, () => ({ Host: "x" })],
    [/cannot be in a field's value/, () => ({ A: "a\nb" })],
    [/are a number/, () => 5 as never],
  ];
  for (const [message, trailers] of makes) {
    const reactor = FakeReactor.with(() => reply(200, later("a"), {}, { trailers }));
    t.is((await reactor.fetch()).state, "failed", message.source);
    t.is(reactor.logs.length, 1);
    t.regex(reactor.logs[0]?.message ?? "", message);
  }
});

test("the longest trailers fit the smallest run, and wait for it", async (t) => {
  const value = "x".repeat(TRAILERS_MAX - 5);
  const reactor = FakeReactor.with(() => reply(200, later("a"), {}, { trailers: { A: value } }), {
    runBytes: 4096,
    runs: 1,
  });
  const sent = await reactor.fetch();
  t.deepEqual(sent.trailers, [["A", value]]);
});

test("a client that leaves before the trailers gets none, and nothing is kept", async (t) => {
  let settle: (fields: Record<string, string>) => void = () => undefined;
  const asked = new Promise<Record<string, string>>((resolve) => (settle = resolve));
  const reactor = FakeReactor.with(() => reply(200, later("a"), {}, { trailers: () => asked }));
  const slot = reactor.request();
  for (let i = 0; i < 20; i++) {
    reactor.turn();
    await immediate();
  }
  t.true(reactor.abandon(slot));
  reactor.turn();
  settle({ A: "1" });
  await immediate();
  reactor.turn();
  t.false(reactor.slot(slot).held);
  t.is(reactor.answer(slot).state, "givenBack");
});
