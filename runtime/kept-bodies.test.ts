import test from "ava";
import { bodyText, type FakeAnswer, FakeReactor } from "./fake-reactor.test.support.js";
import { KEPT_LEAST } from "./kept-bodies.js";
import { AnswerFlag, ContentType, KEPT_BODIES, SEGMENT_BYTES } from "./layout.generated.js";
import { type Answer, reply } from "./reply.js";

const isKept = (answer: FakeAnswer): boolean => (answer.flags & AnswerFlag.keptBody) !== 0;

// Texts of different lengths, that nothing but their content tells apart from what else may lie there.
const page = (number: number): string => `page ${number};`.repeat(900).slice(0, 5000 + number);

test("a text is kept from the second time on, and is the same each time", async (t) => {
  const texts = [
    "x".repeat(KEPT_LEAST),
    "é".repeat(5000),
    "𝄞€x".repeat(3000),
    "\ud800".repeat(4096),
  ];
  for (const answerBytes of [2048, 0]) {
    for (const text of texts) {
      const reactor = FakeReactor.with(() => text, { answerBytes });
      for (let i = 0; i < 40; i++) {
        const answer = await reactor.fetch();
        t.is(bodyText(answer), Buffer.from(text).toString());
        t.is(answer.length, Buffer.byteLength(text));
        t.is(isKept(answer), i > 0);
      }
    }
  }
});

test("what is short, or longer than a run of credits, is not kept", async (t) => {
  for (const text of ["x".repeat(KEPT_LEAST - 1), "€".repeat(22_000), "x".repeat(70_000)]) {
    const reactor = FakeReactor.with(() => text);
    for (let i = 0; i < 3; i++) {
      const answer = await reactor.fetch();
      t.is(bodyText(answer), text);
      t.false(isKept(answer));
    }
  }
  const most = "x".repeat(16 * SEGMENT_BYTES);
  const reactor = FakeReactor.with(() => most, { keptBytes: 17 * SEGMENT_BYTES });
  await reactor.fetch();
  const answer = await reactor.fetch();
  t.true(isKept(answer));
  t.is(bodyText(answer), most);
});

test("status, content type and fields are each answer's own", async (t) => {
  const text = page(0);
  let answers = 0;
  const reactor = FakeReactor.with((): Answer => {
    if (answers++ % 2 === 0) return text;
    return reply(404, text, {
      "Content-Type": "text/html; charset=utf-8",
      "X-Count": `${answers}`,
    });
  });
  for (let i = 0; i < 6; i++) {
    const answer = await reactor.fetch({ method: i === 4 ? "HEAD" : "GET" });
    t.is(isKept(answer), i > 0);
    t.is(answer.length, text.length);
    t.is(bodyText(answer), text);
    const odd = i % 2 === 1;
    t.is(answer.status, odd ? 404 : 200);
    t.is(answer.contentType, odd ? ContentType.html : ContentType.textPlain);
    t.deepEqual(answer.fields, odd ? [["X-Count", `${i + 1}`]] : []);
  }
});

test("equal JSON is one text", async (t) => {
  const reactor = FakeReactor.with(() => ({ list: Array.from({ length: 2000 }, (_, i) => i) }));
  const first = await reactor.fetch();
  const second = await reactor.fetch();
  t.true(isKept(second));
  t.is(second.contentType, ContentType.json);
  t.is(bodyText(second), bodyText(first));
});

test("pages that never come back are not kept, whether their lengths differ or not", async (t) => {
  let number = 0;
  const fixed = (): string => `${page(0)}${String(number).padStart(8, "0")}`;
  for (const make of [fixed, () => page(number)]) {
    const reactor = FakeReactor.with(() => make());
    for (number = 0; number < 200; number++) {
      const answer = await reactor.fetch();
      t.false(isKept(answer));
      t.is(bodyText(answer), make());
    }
    t.is(reactor.keptBytes(), 0);
  }
});

test("a page that is no longer asked for gives way, also to one of its length", async (t) => {
  let text = page(0);
  const reactor = FakeReactor.with(() => text);
  const fetch = async (next: string): Promise<boolean> => {
    text = next;
    const answer = await reactor.fetch();
    t.is(bodyText(answer), next);
    return isKept(answer);
  };
  const other = page(0).replaceAll("p", "q");
  await fetch(page(0));
  t.true(await fetch(page(0)));
  let answers = 0;
  while (answers < 200 && !(await fetch(other))) answers++;
  t.true(answers > 10 && answers < 200, `${answers}`);
  t.true(await fetch(other));
});

test("more pages than may be kept: the bound holds, and those that are kept stay", async (t) => {
  const pages = Array.from({ length: 4 * KEPT_BODIES }, (_, i) => page(i));
  // By number, and by memory: each of these lies in two segments or three.
  for (const keptBytes of [64 * SEGMENT_BYTES, 16 * SEGMENT_BYTES]) {
    let text = "";
    const reactor = FakeReactor.with(() => text, { keptBytes });
    const round = async (from: number, to: number): Promise<number> => {
      let kept = 0;
      for (let i = from; i < to; i++) {
        text = pages[i] as string;
        const answer = await reactor.fetch();
        t.is(bodyText(answer), text);
        if (isKept(answer)) kept++;
      }
      t.true(reactor.keptBytes() <= keptBytes);
      return kept;
    };
    await round(0, 5);
    t.is(await round(0, 5), 5);
    // So many that none of the five has rested when it comes again.
    for (let i = 0; i < 5; i++) {
      for (let other = 5; other < 5 + 28; other++) {
        await round(other, other + 1);
        await round(other, other + 1);
      }
      t.is(await round(0, 5), 5);
    }
    // And now none of them comes again.
    for (let i = 0; i < 20; i++) await round(20, 20 + 5);
    t.is(await round(20, 20 + 5), 5);
  }
});

test("nothing is kept where the reactor has no room for it, or the lane's runs are short", async (t) => {
  const text = page(3);
  for (const options of [
    { keptBytes: 0 },
    { keptBytes: SEGMENT_BYTES },
    { runBytes: SEGMENT_BYTES },
  ]) {
    const reactor = FakeReactor.with(() => text, options);
    for (let i = 0; i < 5; i++) {
      const answer = await reactor.fetch();
      t.is(bodyText(answer), text);
      t.false(isKept(answer));
    }
    t.is(reactor.keptBytes(), 0);
  }
});

test("credits that run out while pages are kept are waited for", async (t) => {
  const pages = Array.from({ length: 6 }, (_, i) => page(i));
  let next = 0;
  const reactor = FakeReactor.with(() => pages[next++ % pages.length] as string, {
    answerBytes: 0,
    runs: 2,
    runBytes: 4 * SEGMENT_BYTES,
  });
  let kept = 0;
  for (let round = 0; round < 60; round++) {
    const first = next;
    const slots = Array.from({ length: 8 }, () => reactor.request());
    await reactor.run();
    slots.forEach((slot, i) => {
      const answer = reactor.answer(slot);
      t.is(bodyText(answer), pages[(first + i) % pages.length] as string);
      if (isKept(answer)) kept++;
    });
  }
  t.true(kept > 100, `${kept}`);
});
