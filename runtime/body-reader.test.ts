import test from "ava";
import { setImmediate as immediate } from "node:timers/promises";
import { UNREAD_MAX } from "./body-reader.js";
import { bodyText, FakeReactor } from "./fake-reactor.test.support.js";
import type { RequestView } from "./request.js";

async function settle(reactor: FakeReactor): Promise<void> {
  for (let i = 0; i < 5; i++) {
    reactor.turn();
    await immediate();
  }
  reactor.turn();
}

const READERS: Record<string, (request: RequestView) => Promise<string>> = {
  text: (request) => request.text(),
  bytes: async (request) => Buffer.from(await request.bytes()).toString(),
  iterator: async (request) => {
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part);
    return Buffer.concat(parts).toString();
  },
  stream: async (request) => new Response(request.body).text(),
};

test("a body in parts, by every way of reading it, early and late", async (t) => {
  for (const [name, read] of Object.entries(READERS)) {
    for (const late of [false, true]) {
      const reactor = FakeReactor.with(async (request) => {
        if (late) for (let i = 0; i < 10; i++) await immediate();
        return read(request);
      });
      const slot = reactor.request({ method: "POST", body: "é1", more: true });
      reactor.turn();
      const parts = [reactor.body(slot, "2"), reactor.body(slot, Buffer.from("é").subarray(0, 1))];
      reactor.turn();
      parts.push(reactor.body(slot, Buffer.from("é").subarray(1)));
      reactor.bodyEnd(slot);
      await reactor.run();
      t.is(bodyText(reactor.answer(slot)), "é12é", name);
      t.deepEqual(
        reactor.consumed.map(({ offset, length }) => ({ offset, length })),
        parts,
      );
      t.false(reactor.slots[slot]?.log.includes("bodyDiscard"));
    }
  }
});

test("json in parts", async (t) => {
  const reactor = FakeReactor.with((request) => request.json<object>());
  const slot = reactor.request({ method: "POST", body: '{"a":', more: true });
  reactor.body(slot, "[1]}");
  reactor.bodyEnd(slot);
  await reactor.run();
  t.is(bodyText(reactor.answer(slot)), '{"a":[1]}');
});

test("parts that nobody reads are held beyond the high-water mark, and given back as they are read", async (t) => {
  let go: () => void = () => undefined;
  const reactor = FakeReactor.with(async (request) => {
    await new Promise<void>((resolve) => (go = resolve));
    return (await request.text()).length.toString();
  });
  const slot = reactor.request({ method: "POST", more: true });
  const size = 10_000;
  const count = 10;
  for (let i = 0; i < count; i++) reactor.body(slot, Buffer.alloc(size, 97 + i));
  await settle(reactor);
  t.is(reactor.consumed.length, Math.floor(UNREAD_MAX / size));
  // A small one behind does not overtake.
  reactor.body(slot, "!");
  await settle(reactor);
  t.is(reactor.consumed.length, Math.floor(UNREAD_MAX / size));
  reactor.bodyEnd(slot);
  go();
  await reactor.run();
  t.is(reactor.consumed.length, count + 1);
  t.is(bodyText(reactor.answer(slot)), String(size * count + 1));
});

test("a slow reader gets every byte in order and pulls part by part", async (t) => {
  const seen: number[] = [];
  const reactor = FakeReactor.with(async (request) => {
    for await (const part of request) {
      seen.push(...new Set(part));
      await immediate();
    }
    return "";
  });
  const slot = reactor.request({ method: "POST", more: true });
  for (let i = 0; i < 20; i++) {
    reactor.body(slot, Buffer.alloc(10_000, i));
    if (i % 3 === 0) await settle(reactor);
  }
  reactor.bodyEnd(slot);
  await reactor.run();
  t.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, i) => i),
  );
  t.is(reactor.consumed.length, 20);
});

test("who still reads when the answer goes out gets an error, not an end that is none", async (t) => {
  for (const size of [100, 2000, UNREAD_MAX]) {
    let read: Promise<unknown> = Promise.resolve();
    const reactor = FakeReactor.with(async (request) => {
      const parts = request[Symbol.asyncIterator]();
      await parts.next();
      read = immediate().then(async () => {
        for (let part = await parts.next(); part.done !== true; part = await parts.next());
      });
      return "early";
    });
    const slot = reactor.request({ method: "POST", more: true });
    for (let i = 0; i < 4; i++) reactor.body(slot, Buffer.alloc(size));
    reactor.bodyEnd(slot);
    await reactor.run();
    t.is(bodyText(reactor.answer(slot)), "early");
    await t.throwsAsync(read, { code: "PINION_REQUEST_OVER" }, String(size));
  }
});

test("a part larger than the high-water mark passes", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    await immediate();
    return String((await request.bytes()).length);
  });
  const slot = reactor.request({ method: "POST", more: true });
  reactor.body(slot, Buffer.alloc(UNREAD_MAX + 1));
  reactor.body(slot, "x");
  reactor.bodyEnd(slot);
  await reactor.run();
  t.is(bodyText(reactor.answer(slot)), String(UNREAD_MAX + 2));
  t.is(reactor.consumed.length, 2);
});

test("a body that nobody wants: what is held goes back before the answer", async (t) => {
  const reactor = FakeReactor.with(async () => {
    for (let i = 0; i < 10; i++) await immediate();
    return "done";
  });
  const slot = reactor.request({ method: "POST", more: true });
  for (let i = 0; i < 9; i++) reactor.body(slot, Buffer.alloc(10_000));
  await reactor.run();
  const log = reactor.slots[slot]?.log ?? [];
  t.is(log.filter((entry) => entry === "consumed").length, 9);
  t.deepEqual(log.slice(-2), ["bodyDiscard", "answer"]);
});

test("a body that has not come at all is discarded by the answer", async (t) => {
  const reactor = FakeReactor.with(() => "done");
  const slot = reactor.request({ method: "POST", more: true });
  await reactor.run();
  t.deepEqual(reactor.slots[slot]?.log, ["bodyDiscard", "answer"]);
  // A part that crossed the answer goes back all the same.
  reactor.body(slot, "late");
  reactor.turn();
  t.is(reactor.consumed.length, 1);
});

test("a body that breaks off rejects the reading, once and for whoever comes later", async (t) => {
  const codes: string[] = [];
  const reactor = FakeReactor.with(async (request) => {
    try {
      await request.text();
    } catch (error) {
      codes.push((error as { code: string }).code);
      throw error;
    }
    return "";
  });
  const slot = reactor.request({ method: "POST", body: "half", more: true });
  reactor.turn();
  reactor.bodyEnd(slot, true);
  await reactor.run();
  t.deepEqual(codes, ["PINION_BODY_ABORTED"]);
  t.is(reactor.answer(slot).status, 400);
});

test("the end of the client is the end of the reading", async (t) => {
  let caught: unknown;
  const reactor = FakeReactor.with(async (request) => {
    await request.text().catch((error: unknown) => {
      caught = error;
    });
    return "";
  });
  const slot = reactor.request({ method: "POST", more: true });
  reactor.body(slot, "part");
  reactor.turn();
  reactor.abandon(slot);
  await reactor.run();
  await new Promise(setImmediate);
  t.is((caught as { code: string }).code, "PINION_CLIENT_GONE");
  t.is(reactor.slots[slot]?.log.at(-1), "giveBack");
  t.is(reactor.consumed.length, 1);
});

test("100 Continue is asked for by the first reading, once, and not when nobody reads", async (t) => {
  const reactor = FakeReactor.with(async (request) =>
    request.path === "/read" ? request.text() : "",
  );
  const slot = reactor.request({
    method: "POST",
    target: "/read",
    more: true,
    expectContinue: true,
  });
  reactor.turn();
  t.deepEqual(reactor.slots[slot]?.log, ["continue"]);
  reactor.body(slot, "x");
  reactor.turn();
  await immediate();
  reactor.turn();
  reactor.bodyEnd(slot);
  await reactor.run();
  t.deepEqual(reactor.slots[slot]?.log, ["continue", "consumed", "answer"]);
  const other = reactor.request({ method: "POST", more: true, expectContinue: true });
  await reactor.run();
  t.deepEqual(reactor.slots[other]?.log, ["bodyDiscard", "answer"]);
});

test("leaving the loop drops the rest", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    for await (const part of request) return Buffer.from(part).toString();
    return "nothing";
  });
  const slot = reactor.request({ method: "POST", more: true });
  reactor.body(slot, "first");
  reactor.body(slot, "second");
  await reactor.run();
  t.is(bodyText(reactor.answer(slot)), "first");
  t.true(reactor.slots[slot]?.log.includes("bodyDiscard"));
  t.is(reactor.consumed.length, 2);
});

test("cancelling the web stream drops the rest", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    await request.body?.cancel();
    return "";
  });
  const slot = reactor.request({ method: "POST", body: "x", more: true });
  await reactor.run();
  t.deepEqual(reactor.slots[slot]?.log, ["bodyDiscard", "answer"]);
});

test("an answer may stream the body that it is still reading", async (t) => {
  const reactor = FakeReactor.with((request) => request.body);
  const slot = reactor.request({ method: "POST", body: "a", more: true });
  let expected = "a";
  for (let i = 0; i < 30; i++) {
    const part = String.fromCharCode(97 + (i % 26)).repeat(7000);
    expected += part;
    reactor.body(slot, part);
    reactor.turn();
    await immediate();
    reactor.turn();
    const { answer } = reactor.slots[slot] ?? {};
    if (answer !== null && answer !== undefined && i % 4 === 3) reactor.writable(slot, 28_000);
  }
  reactor.bodyEnd(slot);
  await reactor.run();
  t.true(bodyText(reactor.answer(slot)) === expected);
  t.is(reactor.consumed.length, 30);
});

test("two readers at a time are told", async (t) => {
  const reactor = FakeReactor.with(async (request) => {
    const iterator = request[Symbol.asyncIterator]();
    const first = iterator.next();
    await t.throwsAsync(() => request.text(), { message: /already/ });
    return Buffer.from((await first).value ?? []).toString();
  });
  const slot = reactor.request({ method: "POST", more: true });
  reactor.turn();
  await immediate();
  reactor.body(slot, "x");
  await reactor.run();
  t.is(bodyText(reactor.answer(slot)), "x");
});

test("parts of a byte each that nobody reads share a block, and keep their order among larger ones", async (t) => {
  let go: () => void = () => undefined;
  const sizes: number[] = [];
  const reactor = FakeReactor.with(async (request) => {
    await new Promise<void>((resolve) => (go = resolve));
    let text = "";
    for await (const part of request) {
      sizes.push(part.length);
      text += Buffer.from(part).toString();
    }
    return text;
  });
  const slot = reactor.request({ method: "POST", more: true });
  let sent = "";
  const send = (part: string): void => {
    sent += part;
    reactor.body(slot, part);
  };
  reactor.turn();
  for (let i = 0; i < 5000; i++) {
    if (i === 700) send("L".repeat(5000));
    send(String.fromCharCode(97 + (i % 26)));
    if (i % 10 === 0) await settle(reactor);
  }
  reactor.bodyEnd(slot);
  await settle(reactor);
  go();
  await reactor.run();
  t.is(bodyText(reactor.answer(slot)), sent);
  t.deepEqual(sizes, [700, 5000, 4096, 204]);
});
