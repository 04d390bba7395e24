// What a handler puts into an AsyncLocalStorage is seen by its own request, and by no other: each request runs in an
// async context of its own.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// `before`: what the handler finds when it is called; has to be nothing. `seen`: what it finds later; has to be its own.
const HANDLER = `import { HttpError } from "pinion";
import { AsyncLocalStorage } from "node:async_hooks";
import { readFile } from "node:fs";
import { Readable } from "node:stream";

const storage = new AsyncLocalStorage();
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const see = () => storage.getStore() ?? null;
const aborted = [];
let waiting = 0;

const kinds = {
  enter: (id, seen) => { storage.enterWith(id); seen.push(see()); },
  run: (id, seen) => storage.run(id, () => { seen.push(see()); }),
  throw: (id) => { storage.enterWith(id); throw new HttpError(409, String(see())); },
  enterThenAwait: async (id, seen) => {
    storage.enterWith(id);
    await null;
    seen.push(see());
    await pause(id % 7);
    seen.push(see());
  },
  awaitThenEnter: async (id, seen) => {
    await pause(id % 3);
    storage.enterWith(id);
    seen.push(see());
    await pause(id % 5);
    seen.push(see());
  },
  runAwait: (id, seen) => storage.run(id, async () => {
    await pause(id % 5);
    seen.push(see());
    await null;
    seen.push(see());
  }),
  reject: async (id) => { storage.enterWith(id); await null; throw new HttpError(409, String(see())); },
  callbacks: async (id, seen) => {
    storage.enterWith(id);
    await Promise.all([
      new Promise((done) => setTimeout(() => { seen.push(see()); done(); }, id % 4)),
      new Promise((done) => setImmediate(() => { seen.push(see()); done(); })),
      new Promise((done) => process.nextTick(() => { seen.push(see()); done(); })),
      new Promise((done) => queueMicrotask(() => { seen.push(see()); done(); })),
      new Promise((done) => readFile("/proc/self/stat", () => { seen.push(see()); done(); })),
    ]);
    seen.push(see());
  },
};

const readable = (first) => {
  let count = 0;
  return new Readable({
    read() {
      this.push(count === 0 ? first() : see() + ",");
      if (++count === 5) this.push(null);
    },
  });
};
const web = (first) => {
  let count = 0;
  return new ReadableStream({
    async pull(controller) {
      await pause(1);
      controller.enqueue(Buffer.from(count === 0 ? first() : see() + ","));
      if (++count === 5) controller.close();
    },
  });
};

export default (request) => {
  const before = see();
  const { kind, id } = request.params;
  const seen = [];
  const answer = () => ({ before, seen });
  switch (kind) {
    case "thenable":
      storage.enterWith(id);
      return { then: (done) => { seen.push(see()); setTimeout(() => { seen.push(see()); done(answer()); }, 1); } };
    case "generator":
      storage.enterWith(id);
      return (async function* () {
        yield before + ":";
        for (let i = 0; i < 4; i++) { yield see() + ","; await pause(i % 2); yield see() + ","; }
      })();
    case "largeGenerator": // More than the window: later parts are pulled when earlier ones have left.
      storage.enterWith(id);
      return (async function* () {
        yield before + ":";
        for (let i = 0; i < 20; i++) yield (see() + ",").padStart(16 * 1024);
      })();
    case "iterator":
      storage.enterWith(id);
      return (function* () { yield before + ":"; for (let i = 0; i < 20; i++) yield (see() + ",").padStart(16 * 1024); })();
    case "readable":
      storage.enterWith(id);
      return readable(() => before + ":");
    case "web":
      storage.enterWith(id);
      return web(() => before + ":");
    case "abort":
      storage.enterWith(id);
      request.signal.addEventListener("abort", () => { aborted.push([id, see()]); });
      waiting++;
      return new Promise(() => {});
    case "waiting": return { waiting };
    case "aborted": return { before, aborted };
  }
  const result = kinds[kind](id, seen);
  return result instanceof Promise ? result.then(answer) : answer();
};
`;

const BODY = `
import { AsyncLocalStorage } from "node:async_hooks";
const storage = new AsyncLocalStorage();
export default async (request) => {
  const before = storage.getStore() ?? null;
  storage.enterWith(request.params.id);
  const seen = [];
  let bytes = 0;
  for await (const part of request) { bytes += part.length; seen.push(storage.getStore() ?? null); }
  return { before, seen, bytes };
};`;

const CONFIG = `
routes:
  - { path: "/{kind}/{id:int}", handler: ./context.ts }
  - { path: "/body/{id:int}", handler: ./body.ts, methods: [POST] }
limits: { slots: 512, queue: 512 }
`;
const FILES = { "context.ts": HANDLER, "body.ts": BODY };

const STREAMS = ["generator", "largeGenerator", "iterator", "readable", "web"];
const KINDS = [
  ...["enter", "run", "throw", "enterThenAwait", "awaitThenEnter", "runAwait", "reject"],
  ...["callbacks", "thenable", ...STREAMS],
];

/** What is wrong with an answer; undefined: nothing. */
function wrong(kind: string, id: number, status: number, body: string): string | undefined {
  const problem = `${kind}/${id}: ${status} ${body.replace(/ +/g, " ").slice(0, 300)}`;
  if (kind === "throw" || kind === "reject") {
    const found = status === 409 && (JSON.parse(body) as { error: string }).error === String(id);
    return found ? undefined : problem;
  }
  if (status !== 200) return problem;
  if (STREAMS.includes(kind)) {
    const [before, seen = ""] = body.split(":");
    const values = seen.split(",").slice(0, -1);
    const own = values.length >= 3 && values.every((value) => value.trim() === String(id));
    return before === "null" && own ? undefined : problem;
  }
  const { before, seen } = JSON.parse(body) as { before: unknown; seen: unknown[] };
  const own = seen.length > 0 && seen.every((value) => value === id);
  return before === null && own ? undefined : problem;
}

test("one after the other on one connection", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  let id = 0;
  for (const kind of KINDS.flatMap((each) => [each, each, each])) {
    wire.send(get(`/${kind}/${++id}`));
    const { status, body } = await wire.answer();
    t.is(wrong(kind, id, status, body), undefined);
  }
  wire.close();
});

test("every kind among all others, pipelined on many connections", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const DEPTH = 8;
  const problems: string[] = [];
  let answers = 0;
  await Promise.all(
    Array.from({ length: 24 }, async (_, client) => {
      const wire = await Wire.connect(daemon.port);
      for (let round = 0; round < 6; round++) {
        const sent = Array.from({ length: DEPTH }, (_, i) => {
          const id = (client * 100 + round) * DEPTH + i;
          return { id, kind: KINDS[(client * 5 + round * 3 + i) % KINDS.length] as string };
        });
        wire.send(sent.map(({ kind, id }) => get(`/${kind}/${id}`)).join(""));
        for (const { kind, id } of sent) {
          const { status, body } = await wire.answer();
          answers++;
          const problem = wrong(kind, id, status, body);
          if (problem !== undefined) problems.push(problem);
        }
      }
      wire.close();
    }),
  );
  t.deepEqual(problems, []);
  t.is(answers, 24 * 6 * DEPTH);
});

test("request bodies that arrive in pieces come in their own request's context", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  await Promise.all(
    Array.from({ length: 12 }, async (_, id) => {
      const wire = await Wire.connect(daemon.port);
      wire.send(`POST /body/${id} HTTP/1.1\r\nHost: test\r\nContent-Length: 40\r\n\r\n`);
      for (let i = 0; i < 4; i++) {
        await sleep(3);
        wire.send("0123456789");
      }
      const { before, seen, bytes } = JSON.parse((await wire.answer()).body) as {
        before: unknown;
        seen: unknown[];
        bytes: number;
      };
      t.is(before, null);
      t.is(bytes, 40);
      t.true(seen.every((value) => value === id));
      wire.close();
    }),
  );
});

test("listeners of the abort signal run in their own request's context, once", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const COUNT = 20;
  const wires = await Promise.all(Array.from({ length: COUNT }, () => Wire.connect(daemon.port)));
  wires.forEach((wire, id) => {
    wire.send(get(`/abort/${id}`));
  });
  const ask = async (
    kind: string,
  ): Promise<{ before: unknown; waiting: number; aborted: [number, unknown][] }> =>
    JSON.parse((await fetchRaw(daemon.port, get(`/${kind}/0`))).body) as never;
  while ((await ask("waiting")).waiting < COUNT) await sleep(10);
  for (const wire of wires) wire.reset();
  let found = await ask("aborted");
  for (let i = 0; i < 500 && found.aborted.length < COUNT; i++) {
    await sleep(10);
    found = await ask("aborted");
  }
  t.is(found.before, null);
  const ids = found.aborted.sort(([a], [b]) => a - b);
  t.deepEqual(
    ids,
    Array.from({ length: COUNT }, (_, id) => [id, id]),
  );
});
