import test from "ava";
import { AsyncLocalStorage, executionAsyncId } from "node:async_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpError } from "./errors.js";
import { bodyText, FakeReactor } from "./fake-reactor.test.support.js";
import { handlersOf } from "./handler.js";
import { ContentType, EntryType, SLOT_BYTES, SlotState } from "./layout.generated.js";
import { Dispatcher } from "./dispatcher.js";
import type { RequestView } from "./request.js";

test("a sync string is answered within the dispatch", (t) => {
  const reactor = FakeReactor.with(() => "hello");
  const slot = reactor.request();
  reactor.dispatcher.dispatch();
  t.is(reactor.state(slot), SlotState.answered);
  reactor.read();
  const answer = reactor.answer(slot);
  t.is(answer.status, 200);
  t.is(answer.contentType, ContentType.textPlain);
  t.is(answer.length, 5);
  t.is(bodyText(answer), "hello");
});

test("an answer keeps its headroom, wherever the first byte of the request ends", async (t) => {
  const reactor = FakeReactor.with((request) => request.target);
  for (let length = 1; length < 200; length++) {
    const target = "/".padEnd(length, "x");
    t.is(bodyText(await reactor.fetch({ target })), target);
  }
});

test("handlers that finish in reverse order answer their own requests", async (t) => {
  const settle: ((value: string) => void)[] = [];
  const reactor = FakeReactor.with(() => new Promise<string>((resolve) => settle.push(resolve)));
  const slots = [reactor.request(), reactor.request(), reactor.request()];
  reactor.turn();
  settle.reverse().forEach((resolve, i) => {
    resolve(`answer ${2 - i}`);
  });
  await reactor.run();
  t.deepEqual(
    slots.map((slot) => bodyText(reactor.answer(slot))),
    ["answer 0", "answer 1", "answer 2"],
  );
});

test("an entry is taken before its handler is called", (t) => {
  const unread: number[] = [];
  const reactor: FakeReactor = FakeReactor.with(() => {
    unread.push(reactor.unread);
    return "";
  });
  for (let i = 0; i < 3; i++) reactor.request();
  reactor.dispatcher.dispatch();
  t.deepEqual(unread, [2, 1, 0]);
});

test("a batch ends after 128 handlers", (t) => {
  let calls = 0;
  const reactor = FakeReactor.with(
    () => {
      calls++;
      return "";
    },
    { slots: 256, ringEntries: 512 },
  );
  for (let i = 0; i < 200; i++) reactor.request();
  Object.defineProperty(performance, "now", { value: () => 0, configurable: true }); // else its time ends the batch
  try {
    reactor.dispatcher.dispatch();
  } finally {
    Reflect.deleteProperty(performance, "now"); // the prototype's again
  }
  t.is(calls, 128);
  reactor.dispatcher.dispatch();
  t.true(calls > 128);
});

test("a batch of slow handlers ends early", (t) => {
  let calls = 0;
  const reactor = FakeReactor.with(() => {
    calls++;
    const until = performance.now() + 1;
    while (performance.now() < until);
    return "";
  });
  for (let i = 0; i < 8; i++) reactor.request();
  reactor.dispatcher.dispatch();
  t.true(calls < 8);
  reactor.turn();
  t.is(calls, 8);
});

test("the generation of a slot uses all of its 24 bits", async (t) => {
  const reactor = FakeReactor.with((request) => request.path);
  for (const generation of [0x7ffffe, 0x7fffff, 0xfffffe, 0xffffff]) {
    reactor.slot(0).generation = generation;
    t.is(bodyText(await reactor.fetch({ target: "/x" })), "/x");
  }
});

test("a request that was abandoned while queued is given back, unseen", (t) => {
  let calls = 0;
  const reactor = FakeReactor.with(() => {
    calls++;
    return "";
  });
  const slot = reactor.request();
  reactor.abandon(slot);
  reactor.turn();
  t.is(calls, 0);
  t.deepEqual(reactor.slots[slot]?.log, ["giveBack"]);
});

test("an entry whose slot has gone on without this lane is ignored", (t) => {
  let calls = 0;
  const reactor = FakeReactor.with(() => {
    calls++;
    return "";
  });
  const slot = reactor.request();
  reactor.slot(slot).generation++;
  reactor.setState(slot, SlotState.queued);
  reactor.turn();
  t.is(calls, 0);
  t.deepEqual(reactor.slots[slot]?.log, []);
});

test("an abandoned slot is given back at once; what its handler answers later is dropped", async (t) => {
  const settle: ((value: string) => void)[] = [];
  const reactor = FakeReactor.with((request) =>
    request.path === "/slow" ? new Promise<string>((resolve) => settle.push(resolve)) : "quick",
  );
  const slot = reactor.request({ target: "/slow" });
  reactor.turn();
  reactor.abandon(slot, 1);
  reactor.turn();
  t.deepEqual(reactor.slots[slot]?.log, ["giveBack"]);
  t.is(reactor.slots[slot]?.answer, null);
  // The slot's next request is nobody else's.
  t.is(reactor.request({ target: "/slow" }), slot);
  reactor.turn();
  settle[0]?.("late");
  await new Promise(setImmediate);
  reactor.turn();
  t.is(reactor.slots[slot]?.answer, null);
  settle[1]?.("in time");
  await reactor.run();
  t.is(bodyText(reactor.answer(slot)), "in time");
});

test("beyond their memory, abandoned requests keep their slots until their handlers are done", async (t) => {
  const settle: ((value: string) => void)[] = [];
  const reactor = FakeReactor.with(
    () => new Promise<string>((resolve) => settle.push(resolve)),
    { abandonedMost: 2 * SLOT_BYTES + 500 }, // of two that are small
  );
  const slots = [1, 2, 3].map(() => reactor.request());
  reactor.turn();
  slots.forEach((slot) => reactor.abandon(slot));
  reactor.turn();
  const given = (): boolean[] =>
    slots.map((slot) => reactor.slots[slot]?.log.includes("giveBack") ?? false);
  t.deepEqual(given(), [true, true, false]);
  // When its handler is done,
  settle[2]?.("late");
  await reactor.run();
  t.deepEqual(given(), [true, true, true]);
  // or one of the others.
  const next = reactor.request();
  reactor.turn();
  reactor.abandon(next);
  reactor.turn();
  t.deepEqual(reactor.slots[next]?.log, []);
  settle[0]?.("late");
  await reactor.run();
  t.deepEqual(reactor.slots[next]?.log, ["giveBack"]);
  settle[3]?.("later");
  await reactor.run();
  t.is(reactor.slots[next]?.answer, null);
});

test("a handler whose request was abandoned still reads it, from a copy", async (t) => {
  let go: () => void = () => undefined;
  let seen: unknown = undefined;
  const reactor = FakeReactor.with(async (request) => {
    if (request.path !== "/first") return "";
    const { headers } = request;
    await new Promise<void>((resolve) => (go = resolve));
    seen = [request.method, request.path, headers.get("x-name"), request.query.get("q")];
    t.is((await t.throwsAsync(request.text())).name, "AbortError");
    return "";
  });
  const slot = reactor.request({
    method: "POST",
    target: "/first?q=1",
    fields: [["X-Name", "first"]],
    body: "the body",
    more: true,
  });
  reactor.turn();
  reactor.abandon(slot);
  reactor.turn();
  t.is(reactor.request({ target: "/another?q=2", fields: [["X-Name", "other"]] }), slot);
  await reactor.run();
  go();
  await new Promise(setImmediate);
  t.deepEqual(seen, ["POST", "/first", "first", "1"]);
});

test("an abandonment that is not yet known on this side is found by the compare-and-swap", (t) => {
  const reactor: FakeReactor = FakeReactor.with(() => {
    reactor.setState(0, SlotState.abandoned);
    return "late";
  });
  reactor.request();
  reactor.dispatcher.dispatch();
  reactor.read();
  t.deepEqual(reactor.slots[0]?.log, ["giveBack"]);
  // The abort entry that comes behind concerns nobody any more.
  reactor.push(EntryType.abort, 0, reactor.slot(0).generation, 0);
  reactor.turn();
  t.deepEqual(reactor.slots[0]?.log, ["giveBack"]);
});

test("a rejection after the client has gone is neither an answer nor logged", async (t) => {
  const reactor = FakeReactor.with(
    (request) =>
      new Promise<string>((_, reject) => {
        request.signal.addEventListener("abort", () => {
          reject(request.signal.reason as Error);
        });
      }),
  );
  const slot = reactor.request();
  reactor.turn();
  reactor.abandon(slot);
  await reactor.run();
  t.deepEqual(reactor.slots[slot]?.log, ["giveBack"]);
  t.deepEqual(reactor.logs, []);
});

test("the signal fires once, with the reason, in the request's context", async (t) => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const reactor = FakeReactor.with(async (request) => {
    storage.enterWith("mine");
    const { signal } = request;
    await new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        seen.push((signal.reason as { code: string }).code, storage.getStore());
        resolve();
      });
    });
    return "";
  });
  const slot = reactor.request();
  reactor.turn();
  reactor.abandon(slot, 1);
  reactor.push(EntryType.abort, slot, reactor.slot(slot).generation, 0);
  await reactor.run();
  t.deepEqual(seen, ["PINION_TIMED_OUT", "mine"]);
});

test("a signal that is asked for after the abort has fired already", async (t) => {
  let go: () => void = () => undefined;
  const states: boolean[] = [];
  const reactor = FakeReactor.with(async (request) => {
    await new Promise<void>((resolve) => (go = resolve));
    states.push(request.signal.aborted);
    return "";
  });
  const slot = reactor.request();
  reactor.turn();
  reactor.abandon(slot);
  reactor.turn();
  go();
  await reactor.run();
  t.deepEqual(states, [true]);
});

test("a throw and a rejection are a 500 with the id of the log entry, and no details", async (t) => {
  const reactor = FakeReactor.with((request) => {
    if (request.path === "/throw") throw new Error("the secret");
    return Promise.reject(new Error("the secret"));
  });
  for (const target of ["/throw", "/reject"]) {
    const answer = await reactor.fetch({ target });
    const log = reactor.logs.at(-1);
    t.is(answer.status, 500);
    t.is(answer.contentType, ContentType.json);
    t.deepEqual(JSON.parse(bodyText(answer)), {
      error: "internal server error",
      requestId: log?.requestId,
    });
    t.is(log?.requestId.length, 21);
    t.is(log?.path, target);
    t.regex(log?.message ?? "", /the secret[^]*dispatcher\.test/);
  }
});

test("an HttpError is its status and its message; logged only if it is the server's", async (t) => {
  const reactor = FakeReactor.with((request) => {
    throw new HttpError(request.path === "/teapot" ? 418 : 503, "short and stout");
  });
  const answer = await reactor.fetch({ target: "/teapot" });
  t.is(answer.status, 418);
  t.like(JSON.parse(bodyText(answer)), { error: "short and stout" });
  t.is(reactor.logs.length, 0);
  t.is((await reactor.fetch({ target: "/busy" })).status, 503);
  t.is(reactor.logs.length, 1);
  t.throws(() => new HttpError(200, ""), { instanceOf: RangeError });
});

test("whatever is thrown is a 500", async (t) => {
  for (const thrown of [undefined, null, 42, "text", { status: 404 }, Symbol("x"), () => 1]) {
    const reactor = FakeReactor.with(() => {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is what is tested
      throw thrown;
    });
    t.is((await reactor.fetch()).status, 500);
    t.is(reactor.logs.length, 1);
  }
});

test("nonsense is a 500, and the next request is answered", async (t) => {
  let next: unknown;
  const reactor = FakeReactor.with(() => next as string);
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  for (const value of [
    42,
    true,
    1n,
    Symbol("x"),
    () => "x",
    circular,
    { a: 1n },
    { toJSON() {} },
  ]) {
    next = value;
    t.is((await reactor.fetch()).status, 500, typeof value);
    next = "fine";
    t.is((await reactor.fetch()).status, 200);
  }
});

test("a promise of a promise-like is waited for; one that settles twice answers once", async (t) => {
  const reactor = FakeReactor.with((() => ({
    then(resolve: (value: string) => void, reject: (error: Error) => void) {
      resolve("first");
      resolve("second");
      reject(new Error("third"));
    },
  })) as never);
  t.is(bodyText(await reactor.fetch()), "first");
  t.is(reactor.logs.length, 0);
});

test("what an answer calls of the handler's runs in its request's context", async (t) => {
  const storage = new AsyncLocalStorage<string>();
  const answer = { toJSON: () => ({ store: storage.getStore() ?? "none" }) };
  const thenable = {
    then(done: (value: unknown) => void) {
      done({ store: storage.getStore() ?? "none" });
    },
  };
  const handlers: Record<string, () => unknown> = {
    "/sync": () => answer,
    "/async": async () => {
      await sleep(1);
      return answer;
    },
    "/thenable": () => thenable,
  };
  const reactor = FakeReactor.with((request) => {
    storage.enterWith(request.path);
    return handlers[request.path]?.() as object;
  });
  for (const target of Object.keys(handlers)) {
    t.is(bodyText(await reactor.fetch({ target })), JSON.stringify({ store: target }));
  }
});

test("a time-out is logged, and what the handler throws after it", async (t) => {
  let fail: (error: Error) => void = () => undefined;
  const reactor = FakeReactor.with(() => new Promise<string>((_, reject) => (fail = reject)));
  const slot = reactor.request({ target: "/slow" });
  reactor.turn();
  reactor.abandon(slot, 1);
  reactor.push(EntryType.abort, slot, reactor.slot(slot).generation, 1);
  reactor.turn();
  fail(new Error("the database is away"));
  await reactor.run();
  t.like(reactor.logs, [
    {
      level: "warning",
      path: "/slow",
      message: /time is up/.exec(reactor.logs[0]?.message ?? "")?.input,
    },
    { level: "error", path: "/slow" },
  ]);
  t.regex(reactor.logs[1]?.message ?? "", /the database is away/);
});

test("AsyncLocalStorage.enterWith never leaks into another request", async (t) => {
  const storage = new AsyncLocalStorage<string>();
  const before: unknown[] = [];
  const after: unknown[] = [];
  const reactor = FakeReactor.with((request) => {
    before.push(storage.getStore());
    const { path } = request;
    storage.enterWith(path);
    if (path === "/throws") throw new Error("x");
    if (path === "/sync") return "";
    return (async () => {
      await sleep(1);
      after.push([path, storage.getStore()]);
      return "";
    })();
  });
  const targets = ["/sync", "/a", "/throws", "/b", "/sync", "/c"];
  for (const target of targets) reactor.request({ target });
  await reactor.run();
  t.deepEqual(before, Array(6).fill(undefined));
  t.deepEqual(after, [
    ["/a", "/a"],
    ["/b", "/b"],
    ["/c", "/c"],
  ]);
  t.is(storage.getStore(), undefined);
});

test("each request has an execution id of its own", async (t) => {
  const ids = new Set<number>();
  const reactor = FakeReactor.with(() => {
    ids.add(executionAsyncId());
    return "";
  });
  for (let i = 0; i < 8; i++) reactor.request();
  await reactor.run();
  t.is(ids.size, 8);
});

test("the stand-in is rung after each answer while it sleeps, before the next handler", (t) => {
  const rings: number[] = [];
  const reactor: FakeReactor = FakeReactor.with(() => {
    rings.push(reactor.rings);
    return "";
  });
  reactor.standInAsleep = true;
  reactor.request();
  reactor.request();
  reactor.dispatcher.dispatch();
  t.deepEqual(rings, [0, 1]);
  reactor.standInAsleep = false;
  reactor.read();
  reactor.request();
  reactor.turn();
  t.is(reactor.rings, 2);
});

test("a method that the module has no function for is a 405 with Allow", async (t) => {
  const table = await handlersOf({ GET: () => "got", DELETE: () => null }, "x.ts", undefined, {
    directory: "/",
  });
  const reactor = FakeReactor.with([table]);
  t.is(bodyText(await reactor.fetch({ method: "GET" })), "got");
  t.is((await reactor.fetch({ method: "HEAD" })).status, 200);
  t.is((await reactor.fetch({ method: "DELETE" })).status, 204);
  const refused = await reactor.fetch({ method: "POST" });
  t.is(refused.status, 405);
  t.deepEqual(refused.fields, [["Allow", "GET, HEAD, DELETE"]]);
});

test("a view is an error once its request has been answered; what was read stays", async (t) => {
  const kept: RequestView[] = [];
  const reactor = FakeReactor.with((request) => {
    kept.push(request);
    void request.path;
    void request.headers;
    return "";
  });
  await reactor.fetch({ target: "/first?a=1" });
  await reactor.fetch({ target: "/second?b=2" });
  const over = { code: "PINION_REQUEST_OVER" };
  const [first] = kept;
  if (first === undefined) return t.fail();
  t.throws(() => first.path, over);
  t.throws(() => first.method, over);
  t.throws(() => first.params, over);
  t.throws(() => first.headers.get("host") === "" || first.signal, over);
  t.throws(() => first.signal, over);
  t.throws(() => first.id, over);
  t.throws(() => first.remoteAddress, over);
  t.throws(() => first.body, over);
  await t.throwsAsync(() => first.text(), over);
  await t.throwsAsync(() => first.json(), over);
  await t.throwsAsync(() => first.bytes(), over);
});

test("values that were read before stay after the answer", async (t) => {
  let kept: RequestView | undefined;
  const reactor = FakeReactor.with((request) => {
    kept = request;
    return `${request.query.get("a")} ${request.id} ${request.route} ${request.remoteAddress}`;
  });
  const answer = await reactor.fetch({ target: "/first?a=1" });
  await reactor.fetch({ target: "/second?a=2" });
  t.is(kept?.query.get("a"), "2");
  t.true(bodyText(answer).startsWith("1 "));
  t.true(bodyText(answer).endsWith(" / 127.0.0.1"));
});

test("an inactive lane is left alone", (t) => {
  const reactor = FakeReactor.with(() => "");
  reactor.request();
  reactor.setLane(0, 4);
  reactor.dispatcher.dispatch();
  t.is(reactor.unread, 1);
  t.true(reactor.dispatcher instanceof Dispatcher);
});
