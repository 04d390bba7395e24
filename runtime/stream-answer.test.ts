import test from "ava";
import { AsyncLocalStorage } from "node:async_hooks";
import { PassThrough, Readable } from "node:stream";
import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";
import { bodyText, FakeReactor, WINDOW_BYTES } from "./fake-reactor.test.support.js";
import { AnswerFlag, ContentType, EntryType, SlotState } from "./layout.generated.js";
import { type Body, type Chunk, reply } from "./reply.js";

// Each comes in a turn of the event loop of its own. (A timer would not do: two may be due in one turn.)
async function* later(...chunks: Chunk[]): AsyncGenerator<Chunk> {
  for (const chunk of chunks) {
    await immediate();
    yield chunk;
  }
}

test("every kind of stream arrives whole and in order", async (t) => {
  const kinds: [string, () => Body][] = [
    ["async generator", () => later("a", Buffer.from("b"), new Uint8Array([99]).buffer)],
    [
      "generator",
      () =>
        (function* () {
          yield* ["a", "b", "c"];
        })(),
    ],
    ["Node stream", () => Readable.from(["a", "b", "c"])],
    ["web stream", () => new Blob(["abc"]).stream()],
    ["Response", () => new Response(new Blob(["abc"]).stream())],
    ["DataView", () => later(new DataView(Buffer.from("abc").buffer.slice(0, 0)), "abc")],
  ];
  for (const [name, make] of kinds) {
    for (const answerBytes of [0, 2048]) {
      const answer = await FakeReactor.with(() => make(), { answerBytes }).fetch();
      t.is(bodyText(answer), "abc", name);
      t.is(answer.status, 200);
      t.is(answer.state, "complete");
    }
  }
});

test("a web stream is cancelled at once when its client is gone, also while a read waits", async (t) => {
  let cancelled = 0;
  const reactor = FakeReactor.with(
    () =>
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(Buffer.from("first"));
        },
        cancel() {
          cancelled++;
        },
      }),
  );
  const slot = reactor.request();
  for (let i = 0; i < 5; i++) {
    reactor.turn();
    await immediate();
  }
  t.is(reactor.state(slot), SlotState.streaming);
  reactor.abandon(slot);
  reactor.push(EntryType.abort, slot, reactor.slot(slot).generation, 0);
  await reactor.run();
  t.is(cancelled, 1);
});

test("a stream that ends within its turn has a length; one that goes on has none", async (t) => {
  const reactor = FakeReactor.with((request) =>
    request.path === "/now" ? ["a", "b"].values() : later("a", "b"),
  );
  const now = await reactor.fetch({ target: "/now" });
  t.is(now.flags, AnswerFlag.last | AnswerFlag.lengthKnown);
  t.is(now.contentType, ContentType.octetStream);
  t.is((await reactor.fetch({ target: "/later" })).flags, 0);
});

test("the head of a stream leaves before its first part", async (t) => {
  let go: () => void = () => undefined;
  const reactor = FakeReactor.with(async function* () {
    await new Promise<void>((resolve) => (go = resolve));
    yield "late";
  });
  const slot = reactor.request();
  for (let i = 0; i < 3; i++) {
    reactor.turn();
    await immediate();
  }
  t.is(reactor.state(slot), SlotState.streaming);
  reactor.turn();
  t.deepEqual(reactor.answer(slot).parts, []);
  go();
  await reactor.run();
  t.is(bodyText(reactor.answer(slot)), "late");
});

test("at most the window is unsent; what left makes room", async (t) => {
  let pulled = 0;
  const reactor = FakeReactor.with(async function* () {
    for (; pulled < 40; pulled++) yield Buffer.alloc(10_000, pulled);
  });
  const slot = reactor.request();
  const pushed = (): number => {
    reactor.turn();
    return reactor.answer(slot).parts.reduce((sum, part) => sum + part.length, 0);
  };
  const settled = async (): Promise<number> => {
    for (let i = 0; i < 50; i++) {
      reactor.turn();
      await immediate();
    }
    return pushed();
  };
  // 8 KiB at first, twice as much whenever that has left, up to the window.
  let left = 0;
  for (let unsent = 8192; unsent < WINDOW_BYTES; unsent *= 2) {
    t.is(await settled(), left + unsent);
    reactor.writable(slot, unsent);
    left += unsent;
  }
  t.is(await settled(), left + WINDOW_BYTES);
  t.true(pulled <= (left + WINDOW_BYTES) / 10_000 + 2);
  reactor.writable(slot, WINDOW_BYTES);
  await reactor.run();
  t.is(pushed(), 400_000);
  t.true(
    Buffer.concat(reactor.answer(slot).parts).every((byte, i) => byte === Math.floor(i / 10_000)),
  );
});

const letters = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => 97 + (Math.floor(i / 1000) % 26)));

test("what is large is sent from where it lies, as far as the socket takes it", async (t) => {
  const body = letters(400_000);
  for (const room of [-1, 0, 1, 70_000, 300_000, 1e9]) {
    const reactor = FakeReactor.with(() => body, { runs: 2, runBytes: 4096 });
    reactor.socketRoom = room;
    const answer = await reactor.fetch();
    t.is(answer.state, "complete");
    t.true(Buffer.concat(answer.parts).equals(body), `room for ${room}`);
    // What is in its way at first is the head.
    const largest = Math.max(...answer.parts.map((part) => part.length));
    if (room > 1) t.true(largest >= Math.min(room, body.length - 8192), `room for ${room}`);
    else t.true(largest <= 8192);
  }
});

test("a full socket gets one part at a time, and then the chunk itself again", async (t) => {
  const body = letters(400_000);
  const reactor = FakeReactor.with(() => body);
  reactor.socketRoom = 0;
  const slot = reactor.request();
  let seen = 0;
  const settled = async (): Promise<number[]> => {
    for (let i = 0; i < 5; i++) {
      reactor.turn();
      await immediate();
    }
    const { parts } = reactor.answer(slot);
    return parts.slice(seen, (seen = parts.length)).map((part) => part.length);
  };
  t.is((await settled()).length, 1); // with the head
  reactor.left(slot);
  const full = await settled();
  t.is(full.length, 1);
  reactor.socketRoom = 200_000;
  reactor.left(slot);
  const [now, ...further] = await settled();
  t.is(now, 200_000);
  t.is(further.length, 1);
  await reactor.run();
  t.true(Buffer.concat(reactor.answer(slot).parts).equals(body));
});

test("what a socket takes without end comes to a turn", async (t) => {
  let pulled = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const reactor = FakeReactor.with(() =>
    reply(
      200,
      (function* () {
        for (;;) {
          pulled++;
          yield chunk;
        }
      })(),
      {},
      1e12,
    ),
  );
  reactor.socketRoom = 1e12;
  const slot = reactor.request();
  for (let i = 0; i < 5; i++) {
    reactor.turn();
    await immediate();
    reactor.left(slot);
  }
  t.true(pulled > 16 && pulled < 200, String(pulled));
  reactor.abandon(slot);
  await reactor.run();
});

test("chunks of a body without a length are framed, however large", async (t) => {
  const reactor = FakeReactor.with(() => later(letters(100_000)));
  reactor.socketRoom = 1e9;
  const answer = await reactor.fetch();
  t.true(Buffer.concat(answer.parts).equals(letters(100_000)));
  t.is(reactor.socketRoom, 1e9);
});

test("a generator without an end that never waits is held back too", async (t) => {
  let pulled = 0;
  const reactor = FakeReactor.with(function* () {
    for (;;) {
      pulled++;
      yield "x".repeat(100);
    }
  });
  const slot = reactor.request();
  reactor.turn();
  await immediate();
  reactor.turn();
  t.true(pulled < (2 * WINDOW_BYTES) / 100);
  reactor.abandon(slot);
  await reactor.run();
  t.is(reactor.slots[slot]?.log.at(-1), "giveBack");
});

test("streams wait for credits and share them", async (t) => {
  const reactor = FakeReactor.with((request) => Buffer.alloc(50_000, request.path.charCodeAt(1)), {
    answerBytes: 0,
    runBytes: 4096,
    runs: 1,
  });
  const slots = ["/a", "/b", "/c"].map((target) => reactor.request({ target }));
  await reactor.run();
  for (const [i, slot] of slots.entries()) {
    t.true(bodyText(reactor.answer(slot)) === "abc".charAt(i).repeat(50_000));
  }
  t.false(reactor.starved);
});

test("a full response ring holds streams up and loses nothing", async (t) => {
  const reactor = FakeReactor.with(
    function* () {
      for (let i = 0; i < 3000; i++) yield Buffer.from(`${i};`);
    },
    { ringEntries: 16, slots: 12, answerBytes: 0 },
  );
  const slots = Array.from({ length: 12 }, () => reactor.request());
  await reactor.run();
  const expected = Array.from({ length: 3000 }, (_, i) => `${i};`).join("");
  for (const slot of slots) t.true(bodyText(reactor.answer(slot)) === expected);
});

test("a failure before anything was sent is a 500", async (t) => {
  const early: (() => Body)[] = [
    // eslint-disable-next-line require-yield
    async function* () {
      throw new Error("early");
    },
    // eslint-disable-next-line require-yield
    function* () {
      throw new Error("early");
    },
    () => [1, 2].values() as never,
    () => later() && (new Map([["a", "b"]]) as never),
    () => Readable.from([]).destroy(new Error("early")),
  ];
  for (const make of early) {
    const reactor = FakeReactor.with(() => make());
    t.is((await reactor.fetch()).status, 500);
    t.is(reactor.logs.length, 1);
  }
});

test("a failure after the head breaks the answer off, never ends it", async (t) => {
  const reactor = FakeReactor.with(async function* () {
    yield "part";
    for (let turn = 0; turn < 2; turn++) await immediate();
    throw new Error("late");
  });
  const answer = await reactor.fetch();
  t.is(answer.state, "failed");
  t.is(bodyText(answer), "part");
  t.regex(reactor.logs[0]?.message ?? "", /late/);
});

test("a stream whose length was given has to have it", async (t) => {
  const reactor = FakeReactor.with((request) => {
    const length = Number(request.path.slice(1));
    return reply(200, later("abc", "def"), {}, length);
  });
  const right = await reactor.fetch({ target: "/6" });
  t.is(right.length, 6);
  t.is(right.state, "complete");
  t.is((await reactor.fetch({ target: "/5" })).state, "failed");
  t.is((await reactor.fetch({ target: "/7" })).state, "failed");
  t.is(reactor.logs.length, 2);
});

test("a stream that is abandoned is cleaned up and its slot given back once", async (t) => {
  const cleaned: string[] = [];
  const sources: Record<string, () => Body> = {
    generator: async function* () {
      try {
        for (;;) {
          await sleep(1);
          yield "x";
        }
      } finally {
        cleaned.push("generator");
      }
    },
    node: () => {
      const stream = new PassThrough();
      stream.write("x");
      stream.on("close", () => cleaned.push("node"));
      return stream;
    },
    web: () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => {
          controller.enqueue(Buffer.alloc(100_000));
        },
        cancel: () => {
          cleaned.push("web");
        },
      }),
  };
  for (const [name, make] of Object.entries(sources)) {
    const reactor = FakeReactor.with(() => make());
    const slot = reactor.request();
    for (let i = 0; i < 5; i++) {
      reactor.turn();
      await sleep(2);
    }
    reactor.turn();
    t.is(reactor.state(slot), SlotState.streaming, name);
    reactor.abandon(slot);
    await reactor.run();
    await sleep(5);
    t.is(reactor.slots[slot]?.log.filter((entry) => entry === "giveBack").length, 1, name);
    t.deepEqual(cleaned.splice(0), [name]);
  }
});

test("HEAD asks nothing of a stream but its head", async (t) => {
  let started = false;
  const node = Readable.from(["x"]);
  const reactor = FakeReactor.with((request) => {
    if (request.path === "/node") return reply(200, node, { "X-A": "1" }, 1);
    return (async function* () {
      started = true;
      yield "x";
    })();
  });
  const answer = await reactor.fetch({ method: "HEAD", target: "/node" });
  t.is(answer.length, 1);
  t.deepEqual(answer.fields, [["X-A", "1"]]);
  t.true(node.destroyed);
  const unknown = await reactor.fetch({ method: "HEAD" });
  t.is(unknown.length, -1);
  t.is(unknown.state, "complete");
  t.false(started);
});

test("a generator runs in the context of its request", async (t) => {
  const storage = new AsyncLocalStorage<string>();
  const reactor = FakeReactor.with((request) => {
    storage.enterWith(request.path);
    return (async function* () {
      yield `${storage.getStore()} `;
      await sleep(1);
      yield `${storage.getStore()}`;
    })();
  });
  const slots = ["/a", "/b"].map((target) => reactor.request({ target }));
  await reactor.run();
  t.deepEqual(
    slots.map((slot) => bodyText(reactor.answer(slot))),
    ["/a /a", "/b /b"],
  );
});

test("a buffer that the source uses again is sent as it was", async (t) => {
  const reactor = FakeReactor.with(function* () {
    const buffer = Buffer.alloc(1000);
    for (let i = 0; i < 100; i++) {
      buffer.fill(i);
      yield buffer;
    }
  });
  const body = Buffer.concat((await reactor.fetch()).parts);
  t.is(body.length, 100_000);
  t.true(body.every((byte, i) => byte === Math.floor(i / 1000)));
});

test("parts of no bytes are left out", async (t) => {
  const answer = await FakeReactor.with(() => later("", "a", Buffer.alloc(0), "b", "")).fetch();
  t.is(bodyText(answer), "ab");
});

test("the view lives as long as the stream", async (t) => {
  const reactor = FakeReactor.with(async function* (request) {
    await sleep(1);
    yield request.path;
    await sleep(1);
    yield request.queryString;
  });
  t.is(bodyText(await reactor.fetch({ target: "/a?b" })), "/ab");
});
