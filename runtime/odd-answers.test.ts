// What handlers return that nobody should: each is a right answer or a 500 with a clear word, and the lane goes on.
import test from "ava";
import { Readable } from "node:stream";
import { HttpError } from "./errors.js";
import { bodyText, FakeReactor } from "./fake-reactor.test.support.js";
import { type Answer, type Body, reply } from "./reply.js";

type Case = [name: string, make: () => unknown, expected: string | RegExp];

const throwing = (trap: string): unknown =>
  new Proxy(
    {},
    {
      [trap]: () => {
        throw new Error(`${trap} went wrong`);
      },
    },
  );
const detached = (): ArrayBuffer => {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
};
const usedResponse = async (): Promise<Response> => {
  const response = new Response("read already");
  await response.text();
  return response;
};
const lockedResponse = (): Response => {
  const response = new Response("locked");
  response.body?.getReader();
  return response;
};
const foreignResponse = (status: unknown): unknown => ({
  [Symbol.toStringTag]: "Response",
  status,
  headers: new Headers(),
  body: null,
});
const changed = (answer: object, properties: object): unknown => Object.assign(answer, properties);
const twice = (): Promise<string> => {
  const promise = Promise.resolve("once");
  return Object.assign(promise, {
    then(done: (value: string) => void) {
      done("first");
      done("second");
      return promise;
    },
  });
};
const throwingThen = (): unknown =>
  Object.assign(Promise.resolve("x"), {
    then() {
      throw new Error("then() went wrong");
    },
  });
const iterator = (next: unknown): unknown => ({ [Symbol.iterator]: () => ({ next }) });

// A text: a 200 with that body. A pattern: a 500 whose line in the log matches.
const CASES: Case[] = [
  [
    "a promise that only looks like one",
    () => Object.create(Promise.prototype) as unknown,
    /Promise/,
  ],
  ["a promise with a then() that throws", throwingThen, /then\(\) went wrong/],
  ["a promise that settles twice", twice, "first"],
  [
    "a thenable that settles twice",
    () => ({
      then(done: (value: unknown) => void) {
        done("one");
        done("two");
      },
    }),
    "one",
  ],
  [
    "a thenable of a thenable",
    () => ({
      then(done: (value: unknown) => void) {
        done(twice());
      },
    }),
    "first",
  ],
  ["a proxy whose get throws", () => throwing("get"), /get went wrong/],
  ["a proxy whose has throws", () => throwing("has"), /has went wrong/],
  [
    "a proxy whose getPrototypeOf throws",
    () => throwing("getPrototypeOf"),
    /getPrototypeOf went wrong/,
  ],
  ["a proxy whose ownKeys throws", () => throwing("ownKeys"), /ownKeys went wrong/],
  [
    "a getter that throws",
    () => ({
      get a() {
        throw new Error("a went wrong");
      },
    }),
    /a went wrong/,
  ],
  ["toJSON that returns nothing", () => ({ toJSON: () => undefined }), /no JSON/],
  ["a String object", () => new String("text"), /String object/],
  ["a Number object", () => new Number(1), /class Number/],
  ["a lone surrogate", () => "a\ud800b", "a\ufffdb"],
  ["many lone surrogates", () => "\udfff".repeat(3000), "\ufffd".repeat(3000)],
  ["a lone surrogate in JSON", () => ["\ud800"], '["\\ud800"]'],
  ["a shared buffer", () => new Uint8Array(new SharedArrayBuffer(2)).fill(65), "AA"],
  ["a shared buffer itself", () => new SharedArrayBuffer(1), "\0"],
  ["a part of a buffer", () => Buffer.from("abcdef").subarray(2, 4), "cd"],
  [
    "numbers of 16 bits at an offset",
    () => new Uint16Array(Uint8Array.from([0, 0, 65, 66]).buffer, 2),
    "AB",
  ],
  ["a detached buffer", detached, /detached/],
  [
    "a view of a detached buffer",
    () => {
      const view = new Uint8Array(8);
      structuredClone(view, { transfer: [view.buffer] });
      return view;
    },
    /detached/,
  ],
  ["a stream of a detached buffer", () => [detached()].values(), /detached/],
  ["a Response that has been read", usedResponse, /has been read/],
  ["a Response that somebody reads", lockedResponse, /locked/],
  ["Response.error()", () => Response.error(), /status 0/],
  ["a foreign Response of status 99", () => foreignResponse(99), /status 99/],
  ["a foreign Response of status 70000", () => foreignResponse(70_000), /status 70000/],
  ["a foreign Response without a status", () => foreignResponse(undefined), /status undefined/],
  [
    "a reply whose status was changed",
    () => changed(reply(200, "x"), { status: 101 }),
    /status 101/,
  ],
  ["a reply of a reply", () => reply(200, reply(200, "x")), /is a reply\(\) itself/],
  ["a reply with a number as body", () => reply(200, 7 as never), /returned a number/],
  ["an iterator that is none", () => ({ [Symbol.iterator]: () => 7 }), /is not a function/],
  ["an iterator of nothing", () => ({ [Symbol.iterator]: () => null }), /null/],
  [
    "a next() that returns a number",
    () => iterator(() => 7),
    /a part of the answer is undefined|undefined/,
  ],
  ["a next() that returns nothing", () => iterator(() => undefined), /undefined/],
  [
    "a value that throws",
    () =>
      iterator(() => ({
        get value() {
          throw new Error("value went wrong");
        },
      })),
    /value went wrong/,
  ],
  [
    "a next() that rejects",
    () => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("next went wrong")) }),
    }),
    /next went wrong/,
  ],
  ["a stream of objects", () => Readable.from([{ a: 1 }]), /a part of the answer is an object/],
  [
    "a web stream that fails at once",
    () =>
      new ReadableStream({
        start(controller) {
          controller.error(new Error("start went wrong"));
        },
      }),
    /start went wrong/,
  ],
  ["a stream that was destroyed", () => Readable.from(["x"]).destroy(), /./],
];

test("odd answers", async (t) => {
  const makes = CASES.map(([, make]) => make);
  const reactor = FakeReactor.with(({ query }) => {
    const at = query.get("case");
    return at === null ? "next" : ((makes[Number(at)] as () => unknown)() as Answer);
  });
  for (const [i, [name, , expected]] of CASES.entries()) {
    const before = reactor.logs.length;
    const answer = await reactor.fetch({ target: `/?case=${i}` });
    if (typeof expected === "string") {
      t.deepEqual([answer.status, bodyText(answer)], [200, expected], name);
      t.is(reactor.logs.length, before, name);
    } else {
      t.is(answer.status, 500, name);
      t.regex(reactor.logs[before]?.message ?? "", expected, name);
    }
    t.is(bodyText(await reactor.fetch()), "next", name);
  }
});

test("odd errors", async (t) => {
  const proxy = (trap: string): unknown =>
    new Proxy(new HttpError(404, "x"), {
      [trap]: () => {
        throw new Error("a trap");
      },
    });
  const errors: [unknown, number, string][] = [
    [changed(new HttpError(404, "x"), { status: 99 }), 500, "internal server error"],
    [changed(new HttpError(404, "x"), { status: 70_000 }), 500, "internal server error"],
    [
      changed(new HttpError(404, "x"), {
        message: {
          toJSON() {
            throw new Error("no");
          },
        },
      }),
      500,
      "internal server error",
    ],
    [changed(new HttpError(404, "x"), { message: 1n }), 500, "internal server error"],
    [proxy("get"), 500, "internal server error"],
    [proxy("getPrototypeOf"), 500, "internal server error"],
    [new HttpError(404, "\ud800"), 404, "\ud800"],
  ];
  for (const later of [false, true]) {
    for (const [error, status, message] of errors) {
      const reactor = FakeReactor.with(() => {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        if (later) return Promise.reject(error);
        throw error;
      });
      const answer = await reactor.fetch();
      t.is(answer.status, status);
      t.is((JSON.parse(bodyText(answer)) as { error: string }).error, message);
    }
  }
});

test("bytes that are detached or resized while their answer waits are never what memory held before", async (t) => {
  for (const kind of ["whole", "stream"]) {
    const body = new Uint8Array(kind === "whole" ? 3000 : 30_000).fill(65);
    const reactor = FakeReactor.with((): Body => body, { answerBytes: 0, runs: 0 });
    const slot = reactor.request();
    reactor.turn();
    await new Promise(setImmediate);
    structuredClone(body, { transfer: [body.buffer] });
    for (let i = 0; i < 20 && reactor.slot(slot).held; i++) {
      reactor.grant(4096);
      reactor.turn();
      await new Promise(setImmediate);
    }
    t.is(reactor.answer(slot).status, 500, kind);
    t.regex(reactor.logs[0]?.message ?? "", /detached or resized/);
  }
});

test("a stream that comes when nobody waits for it any more is cleaned up", async (t) => {
  for (const wrap of [
    (body: Body) => body,
    (body: Body) => reply(200, body),
    (body: Body) => reply(200, Promise.resolve(body)),
  ]) {
    for (const webStream of [false, true]) {
      let cleaned = false;
      let go: () => void = () => undefined;
      const reactor = FakeReactor.with(async () => {
        await new Promise<void>((done) => (go = done));
        if (webStream)
          return wrap(
            new ReadableStream({
              cancel() {
                cleaned = true;
              },
            }),
          );
        return wrap(
          new Readable({
            read() {
              /* nothing comes */
            },
            destroy(error, done) {
              cleaned = true;
              done(error);
            },
          }),
        );
      });
      const slot = reactor.request();
      reactor.turn();
      reactor.abandon(slot);
      reactor.turn();
      go();
      await new Promise((done) => setTimeout(done, 5));
      reactor.turn();
      t.true(cleaned);
    }
  }
});
