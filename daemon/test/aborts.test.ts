// Clients that vanish, or close their sending side, in every state of a connection: the server stays well, the abort
// signal fires once where a handler runs, what it answers is sent to a client that still listens, and everything that was taken comes back.
import test, { type ExecutionContext } from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// Some of them count, others say what has been counted: they meet in globalThis.
const COUNTS = `const counts = (globalThis.counts ??= { started: 0, aborted: 0, finished: 0, broken: 0, cleaned: 0 });`;
const FILES = {
  "hello.ts": `export default () => "hello";`,
  "counts.ts": `${COUNTS} export default () => counts;`,
  "release.ts": `export default () => { const go = globalThis.release ?? []; globalThis.release = []; for (const each of go) each(); return "released"; };`,
  // Waits until the client is gone, or /release.
  "hold.ts": `${COUNTS}
    export default async (request) => {
      counts.started++;
      await new Promise((done) => {
        request.signal.addEventListener("abort", () => { counts.aborted++; done(undefined); });
        (globalThis.release ??= []).push(done);
      });
      counts.finished++;
      return "held " + request.params.id;
    };`,
  "stream.ts": `${COUNTS}
    const chunk = new Uint8Array(16 * 1024).fill(120);
    export default async function* (request) {
      counts.started++;
      request.signal.addEventListener("abort", () => { counts.aborted++; });
      try {
        for (let i = 0; i < request.params.chunks; i++) yield chunk;
        counts.finished++;
      } finally {
        counts.cleaned++;
      }
    }`,
  "large.ts": `${COUNTS} const text = "l".repeat(1024 * 1024); export default () => { counts.started++; return text; };`,
  "upload.ts": `${COUNTS}
    export default async (request) => {
      counts.started++;
      request.signal.addEventListener("abort", () => { counts.aborted++; });
      let bytes = 0;
      try {
        for await (const part of request) bytes += part.length;
      } catch (error) {
        counts.broken++;
        throw error;
      }
      return { bytes };
    };`,
  "block.ts": `export default () => { const end = Date.now() + 300; while (Date.now() < end); return "blocked"; };`,
};
const CONFIG = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: /counts, handler: ./counts.ts }
  - { path: /release, handler: ./release.ts }
  - { path: "/hold/{id:int}", handler: ./hold.ts }
  - { path: "/stream/{chunks:int}", handler: ./stream.ts }
  - { path: /large, handler: ./large.ts }
  - { path: /upload, methods: [POST], handler: ./upload.ts }
  - { path: /block, handler: ./block.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "${"n".repeat(5000)}" }
limits: { slots: 512, queue: 512 }
`;
const BODY_BEGUN =
  "POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 50000\r\n\r\nthe first bytes";
const CHUNKS_BEGUN =
  "POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\nff\r\nsecond";
const TRAILERS_BEGUN =
  "POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\nA: b\r\nC: d";
const expects = (target: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n`;
const ENDLESS = 1_000_000;

interface Counts {
  started: number;
  aborted: number;
  finished: number;
  broken: number;
  cleaned: number;
}
const NONE: Counts = { started: 0, aborted: 0, finished: 0, broken: 0, cleaned: 0 };

async function counts(daemon: Daemon): Promise<Counts> {
  return JSON.parse((await fetchRaw(daemon.port, get("/counts"))).body) as Counts;
}

/** Waits until so much more has been counted than before, and fails the test if it does not come to that. */
async function counted(
  t: ExecutionContext,
  daemon: Daemon,
  before: Counts,
  more: Partial<Counts>,
  what: string,
): Promise<void> {
  const wanted = { ...before };
  for (const key of Object.keys(more) as (keyof Counts)[]) wanted[key] += more[key] ?? 0;
  let found = before;
  for (let i = 0; i < 500; i++) {
    found = await counts(daemon);
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    await sleep(10);
  }
  t.deepEqual(found, wanted, what);
}

const CLIENTS = 10;

interface State {
  name: string;
  /** Brings a connection into the state. */
  enter: (wire: Wire, id: number) => void | Promise<void>;
  /** Before the clients: what goes on beside them. */
  beside?: (daemon: Daemon) => Promise<unknown>;
  /** For each client: what is counted when all are in the state. */
  entered?: Partial<Counts>;
  /** For each client: what is counted beyond that when it resets the connection. */
  onReset?: Partial<Counts>;
  /** For each client that closes its sending side: what it receives, and what is counted. */
  onHalfClose?: (t: ExecutionContext, wire: Wire, id: number) => Promise<void>;
  halfCloseCounts?: Partial<Counts>;
}

const answers = async (t: ExecutionContext, wire: Wire, bodies: string[]): Promise<void> => {
  for (const body of bodies) {
    const answer = await wire.answer();
    t.is(answer.status, 200);
    t.is(answer.body, body);
    t.true(answer.complete);
  }
  t.is(await wire.closed(), "");
  t.is(wire.error, undefined);
};
const nothing = async (t: ExecutionContext, wire: Wire): Promise<void> => {
  t.is(await wire.closed(), "");
  t.is(wire.error, undefined);
};
// What cannot be a whole request any more may be refused, or just closed.
const refusal = async (t: ExecutionContext, wire: Wire): Promise<void> => {
  t.regex(await wire.closed(), /^(HTTP\/1\.1 4\d\d [^]*)?$/);
  t.is(wire.error, undefined);
};
const aborted: Partial<Counts> = { aborted: 1, finished: 1 };

const STATES: State[] = [
  { name: "connected", enter: () => {}, onHalfClose: nothing },
  {
    name: "idle after an answer",
    async enter(wire) {
      wire.send(get("/hello"));
      await wire.answer();
    },
    onHalfClose: nothing,
  },
  {
    name: "in the head",
    enter(wire) {
      wire.send("GET /hello HTTP/1.1\r\nHost: te");
    },
    onHalfClose: refusal,
  },
  {
    name: "in a body of known length",
    enter(wire) {
      wire.send(BODY_BEGUN);
    },
    entered: { started: 1 },
    onReset: { aborted: 1, broken: 1 },
    onHalfClose: refusal,
    halfCloseCounts: { aborted: 1, broken: 1 },
  },
  {
    name: "in a body, an earlier handler running",
    enter(wire, id) {
      wire.send(get(`/hold/${id}`) + BODY_BEGUN);
    },
    entered: { started: 2 },
    onReset: { aborted: 2, finished: 1, broken: 1 },
    async onHalfClose(t, wire, id) {
      t.is((await wire.answer()).body, `held ${id}`);
      t.is((await wire.answer()).status, 400);
      t.is(await wire.closed(), "");
    },
    halfCloseCounts: { aborted: 2, finished: 1, broken: 1 },
  },
  {
    name: "in a chunk",
    enter(wire) {
      wire.send(CHUNKS_BEGUN);
    },
    entered: { started: 1 },
    onReset: { aborted: 1, broken: 1 },
    onHalfClose: refusal,
    halfCloseCounts: { aborted: 1, broken: 1 },
  },
  {
    name: "in the trailers",
    enter(wire) {
      wire.send(TRAILERS_BEGUN);
    },
    entered: { started: 1 },
    onReset: { aborted: 1, broken: 1 },
    onHalfClose: refusal,
    halfCloseCounts: { aborted: 1, broken: 1 },
  },
  {
    name: "told to continue",
    async enter(wire) {
      wire.send(expects("/upload"));
      if ((await wire.answer()).status !== 100) throw new Error("not told to continue");
    },
    entered: { started: 1 },
    onReset: { aborted: 1, broken: 1 },
    onHalfClose: refusal,
    halfCloseCounts: { aborted: 1, broken: 1 },
  },
  {
    name: "not told to continue yet",
    enter(wire, id) {
      wire.send(expects(`/hold/${id}`));
    },
    entered: { started: 1 },
    onReset: aborted,
    onHalfClose: refusal,
    halfCloseCounts: aborted,
  },
  {
    name: "refused",
    async enter(wire) {
      wire.send("nonsense\r\n\r\n");
      if ((await wire.answer()).status !== 400) throw new Error("not refused");
    },
    onHalfClose: nothing,
  },
  {
    name: "handler running",
    enter(wire, id) {
      wire.send(get(`/hold/${id}`));
    },
    entered: { started: 1 },
    onReset: aborted,
    onHalfClose: (t, wire, id) => answers(t, wire, [`held ${id}`]),
    halfCloseCounts: aborted,
  },
  {
    name: "handler running, the next head begun",
    enter(wire, id) {
      wire.send(`${get(`/hold/${id}`)}GET /hel`);
    },
    entered: { started: 1 },
    onReset: aborted,
    async onHalfClose(t, wire, id) {
      t.is((await wire.answer()).body, `held ${id}`);
      await refusal(t, wire);
    },
    halfCloseCounts: aborted,
  },
  {
    name: "pipelined",
    enter(wire, id) {
      wire.send(
        get("/hello") +
          get(`/hold/${id}`) +
          get("/native") +
          get(`/hold/${id + 1}`) +
          get("/hello"),
      );
    },
    entered: { started: 2 },
    onReset: { aborted: 2, finished: 2 },
    onHalfClose: (t, wire, id) =>
      answers(t, wire, ["hello", `held ${id}`, "n".repeat(5000), `held ${id + 1}`, "hello"]),
    halfCloseCounts: { aborted: 2, finished: 2 },
  },
  {
    name: "an endless stream that is not read",
    async enter(wire) {
      wire.socket.pause();
      wire.send(get(`/stream/${ENDLESS}`));
    },
    entered: { started: 1 },
    onReset: { aborted: 1, cleaned: 1 },
  },
  {
    name: "an endless stream that is read",
    enter(wire) {
      wire.socket.removeAllListeners("data");
      wire.socket.on("data", () => {});
      wire.send(get(`/stream/${ENDLESS}`));
    },
    entered: { started: 1 },
    onReset: { aborted: 1, cleaned: 1 },
  },
  {
    name: "a stream that ends",
    enter(wire) {
      wire.send(get("/stream/20"));
    },
    onHalfClose: (t, wire) => answers(t, wire, ["x".repeat(20 * 16 * 1024)]),
    halfCloseCounts: { started: 1, finished: 1, cleaned: 1 },
  },
  {
    name: "large answers that are not read",
    enter(wire) {
      wire.socket.pause();
      wire.send(get("/large").repeat(3));
    },
    entered: { started: 3 },
    async onHalfClose(t, wire) {
      wire.socket.resume();
      await answers(
        t,
        wire,
        Array.from({ length: 3 }, () => "l".repeat(1024 * 1024)),
      );
    },
  },
  {
    name: "native answers that are not read",
    enter(wire) {
      wire.socket.pause();
      wire.send(get("/native").repeat(400));
    },
    async onHalfClose(t, wire) {
      wire.socket.resume();
      await answers(
        t,
        wire,
        Array.from({ length: 400 }, () => "n".repeat(5000)),
      );
    },
  },
];

async function into(t: ExecutionContext, daemon: Daemon, state: State): Promise<Wire[]> {
  const wires = await Promise.all(Array.from({ length: CLIENTS }, () => Wire.connect(daemon.port)));
  t.teardown(() => {
    for (const wire of wires) wire.close();
  });
  await Promise.all(wires.map(async (wire, id) => state.enter(wire, id)));
  return wires;
}

const times = (part: Partial<Counts>): Partial<Counts> =>
  Object.fromEntries(Object.entries(part).map(([key, value]) => [key, value * CLIENTS]));

test.serial("a reset in every state", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  await counts(daemon);
  const before = await shardStatus(daemon);
  for (const state of STATES) {
    if (state.name === "a stream that ends") continue; // when that is over depends on the reader
    const then = await counts(daemon);
    const wires = await into(t, daemon, state);
    await counted(t, daemon, then, times(state.entered ?? NONE), `${state.name}: entered`);
    const there = await counts(daemon);
    for (const wire of wires) wire.reset();
    await counted(t, daemon, there, times(state.onReset ?? NONE), `${state.name}: reset`);
    t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
    await fetchRaw(daemon.port, get("/release"));
    await settlesTo(t, daemon, before, `after a reset: ${state.name}`);
    // No second signal, nothing that goes on after its client has gone.
    await counted(t, daemon, there, times(state.onReset ?? NONE), `${state.name}: after the reset`);
  }
  t.is(await daemon.stop(), 0);
});

test.serial("a half-close in every state", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  await counts(daemon);
  const before = await shardStatus(daemon);
  for (const state of STATES) {
    const { onHalfClose } = state;
    if (onHalfClose === undefined) continue;
    const then = await counts(daemon);
    const wires = await into(t, daemon, state);
    await counted(
      t,
      daemon,
      then,
      { ...times(state.entered ?? NONE), ...streamed(state) },
      `${state.name}: entered`,
    );
    const there = await counts(daemon);
    for (const wire of wires) wire.end();
    await sleep(50);
    await fetchRaw(daemon.port, get("/release"));
    await Promise.all(wires.map((wire, id) => onHalfClose(t, wire, id)));
    if (streamed(state).started === undefined) {
      await counted(
        t,
        daemon,
        there,
        times(state.halfCloseCounts ?? NONE),
        `${state.name}: half-closed`,
      );
    }
    t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
    for (const wire of wires) wire.close();
    await settlesTo(t, daemon, before, `after a half-close: ${state.name}`);
  }
  t.is(await daemon.stop(), 0);
});

// A stream that ends does so whether or not anybody waits for it.
function streamed(state: State): Partial<Counts> {
  return state.name === "a stream that ends" ? times(state.halfCloseCounts ?? NONE) : {};
}

test.serial("clients that close both sides at once while their handlers run", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  await counts(daemon);
  const before = await shardStatus(daemon);
  for (const name of [
    "handler running",
    "pipelined",
    "an endless stream that is not read",
    "large answers that are not read",
  ]) {
    const state = STATES.find((each) => each.name === name) as State;
    const then = await counts(daemon);
    const wires = await into(t, daemon, state);
    await counted(t, daemon, then, times(state.entered ?? NONE), `${state.name}: entered`);
    for (const wire of wires) wire.close();
    await sleep(20);
    t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
    await fetchRaw(daemon.port, get("/release"));
    await settlesTo(t, daemon, before, `after a close: ${name}`);
    const found = await counts(daemon);
    t.true(
      found.aborted - then.aborted <= found.started - then.started,
      "at most one signal for each request",
    );
  }
  t.is(await daemon.stop(), 0);
});

test.serial(
  "queued behind a handler that blocks: a reset request is dropped, a half-closed one answered",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const then = await counts(daemon);
    const before = await shardStatus(daemon);
    for (let round = 0; round < 3; round++) {
      const blocked = fetchRaw(daemon.port, get("/block"));
      await sleep(50);
      const reset = await into(t, daemon, {
        name: "",
        enter: (wire, id) => wire.send(get(`/hold/${id}`)),
      });
      const uploads = await into(t, daemon, { name: "", enter: (wire) => wire.send(BODY_BEGUN) });
      const halfClosed = await into(t, daemon, {
        name: "",
        enter: (wire) => wire.send(get("/hello").repeat(2)),
      });
      await sleep(50);
      for (const wire of [...reset, ...uploads]) wire.reset();
      for (const wire of halfClosed) wire.end();
      await Promise.all(halfClosed.map((wire) => answers(t, wire, ["hello", "hello"])));
      t.is((await blocked).body, "blocked");
      for (const wire of halfClosed) wire.close();
      await settlesTo(t, daemon, before, "after requests that were queued");
    }
    // A handler that was called before the reset was seen has got its signal, once.
    const found = await counts(daemon);
    t.is(found.aborted - then.aborted, found.started - then.started);
  },
);

test.serial("with http.halfOpen: false a half-closed client is gone", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${CONFIG}\nhttp: { halfOpen: false }\n`,
    files: FILES,
  });
  const then = await counts(daemon);
  const before = await shardStatus(daemon);
  for (const state of STATES) {
    if (state.onReset === undefined) continue;
    const there = await counts(daemon);
    const wires = await into(t, daemon, state);
    await counted(t, daemon, there, times(state.entered ?? NONE), `${state.name}: entered`);
    const entered = await counts(daemon);
    for (const wire of wires) wire.end();
    await counted(t, daemon, entered, times(state.onReset), `${state.name}: half-closed`);
    for (const wire of wires) wire.close();
    await settlesTo(t, daemon, before, `halfOpen: false, ${state.name}`);
  }
  t.true((await counts(daemon)).aborted > then.aborted);
});

test.serial("many clients that come and vanish at any moment leave nothing behind", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  await counts(daemon);
  const before = await shardStatus(daemon);
  // Not random: each run does the same.
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const text = [
    get("/hello"),
    get("/native"),
    get("/large"),
    get("/stream/30"),
    get("/hold/1"),
    BODY_BEGUN,
  ].join("");
  for (let round = 0; round < 30; round++) {
    const wires = await Promise.all(Array.from({ length: 10 }, () => Wire.connect(daemon.port)));
    for (const wire of wires) {
      const from =
        [0, text.indexOf("GET /large"), text.indexOf("GET /stream"), text.indexOf("POST")][
          next(4)
        ] ?? 0;
      wire.send(text.slice(from, from + 1 + next(text.length - from)));
      if (next(3) === 0) wire.socket.pause();
    }
    if (next(2) === 0) await sleep(next(8));
    for (const wire of wires) {
      const how = next(3);
      if (how === 0) wire.end();
      if (how === 1) wire.close();
      // Not a reset after an end: libuv's own client does not survive that.
      else setTimeout(() => (how === 0 ? wire.close() : wire.reset()), next(20));
    }
  }
  await sleep(50);
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  await fetchRaw(daemon.port, get("/release"));
  await settlesTo(t, daemon, before, "after many clients");
  t.is(await daemon.stop(), 0);
});
