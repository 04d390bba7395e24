// The worker's event loop stays Node's own: timers, files, sockets, messages and processes lose nothing, on an idle shard,
// under load, and right after a handler has blocked. What becomes of their timing is in event-loop-timing.test.ts.
import test, { type ExecutionContext } from "ava";
import { type Daemon, startDaemon } from "./support/daemon.js";
import { startPeers } from "./support/peers.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

// Each activity resolves with what the test expects, or with what it found instead.
const ACTIVITIES = `
import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFile, rmSync, writeFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import { Agent, get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";

const range = (count) => Array.from({ length: count }, (_, i) => i);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const same = (found, wanted) => JSON.stringify(found) === JSON.stringify(wanted) ? "complete" : { found, wanted };

export const activities = {
  async timers() {
    const early = [], fired = [];
    await Promise.all(range(60).map((i) => new Promise((done) => {
      const due = performance.now() + (i % 6) * 5;
      setTimeout(() => { fired.push(i); if (performance.now() < due - 1.5) early.push(i); done(); }, (i % 6) * 5);
    })));
    let ticks = 0;
    await new Promise((done) => { const timer = setInterval(() => { if (++ticks === 10) { clearInterval(timer); done(); } }, 2); });
    const cancelled = setTimeout(() => fired.push("cancelled"), 1);
    clearTimeout(cancelled);
    await pause(5);
    const inOrder = range(6).every((delay) => { const own = fired.filter((i) => i % 6 === delay); return own.every((i, at) => at === 0 || own[at - 1] < i); });
    return same({ early, count: fired.length, ticks, inOrder }, { early: [], count: 60, ticks: 10, inOrder: true });
  },
  async files() {
    const folder = mkdtempSync(join(tmpdir(), "pinion-loop-"));
    try {
      const text = (i) => String(i).repeat(3000);
      await Promise.all(range(20).map((i) => fs.writeFile(join(folder, String(i)), text(i))));
      const byPromise = await Promise.all(range(20).map((i) => fs.readFile(join(folder, String(i)), "utf8")));
      const byCallback = await Promise.all(range(20).map((i) => new Promise((done, failed) =>
        readFile(join(folder, String(i)), "utf8", (error, found) => error ? failed(error) : done(found)))));
      return same([byPromise.every((found, i) => found === text(i)), byCallback.every((found, i) => found === text(i))], [true, true]);
    } finally { rmSync(folder, { recursive: true }); }
  },
  async http({ http }) {
    const agent = new Agent({ keepAlive: true });
    const ask = (i) => new Promise((done, failed) => get({ port: http, host: "127.0.0.1", path: "/" + i, agent }, (answer) => {
      let text = "";
      answer.on("data", (chunk) => { text += chunk; }).on("end", () => done(text)).on("error", failed);
    }).on("error", failed));
    const found = await Promise.all(range(12).map(ask));
    const fetched = await Promise.all(range(4).map(async (i) => (await fetch("http://127.0.0.1:" + http + "/f" + i)).text()));
    agent.destroy();
    return same([found.map((text) => text.trim()), fetched.map((text) => text.trim())], [range(12).map((i) => "/" + i), range(4).map((i) => "/f" + i)]);
  },
  async datagrams({ udp }) {
    const socket = createSocket("udp4");
    const found = [];
    // One at a time: the kernel drops nothing then.
    for (const i of range(40)) {
      const reply = once(socket, "message");
      socket.send("datagram " + i, udp, "127.0.0.1");
      found.push(String((await reply)[0]));
    }
    socket.close();
    return same(found, range(40).map((i) => "datagram " + i));
  },
  async threads() {
    const code = 'const { parentPort } = require("node:worker_threads"); parentPort.on("message", (m) => m === "end" ? parentPort.close() : parentPort.postMessage(m));';
    const worker = new Worker(code, { eval: true });
    const found = [];
    const all = new Promise((done) => worker.on("message", (message) => { if (found.push(message) === 200) done(); }));
    for (const i of range(200)) worker.postMessage(i);
    await all;
    worker.postMessage("end");
    const [code0] = await once(worker, "exit");
    return same([found, code0], [range(200), 0]);
  },
  async messages() {
    const { port1, port2 } = new MessageChannel();
    const found = [];
    const all = new Promise((done) => port2.on("message", (message) => { if (found.push(message) === 200) done(); }));
    for (const i of range(200)) port1.postMessage(i);
    await all;
    port1.close();
    return same(found, range(200));
  },
  async processes() {
    const echoed = await new Promise((done, failed) => execFile("/bin/sh", ["-c", "echo out; echo err >&2; exit 3"], (error, out, err) => done([error?.code, out, err])));
    const child = spawn("cat", [], { stdio: ["pipe", "pipe", "inherit"] });
    let bytes = 0;
    child.stdout.on("data", (chunk) => { bytes += chunk.length; });
    child.stdin.end(Buffer.alloc(300_000));
    const [code] = await once(child, "close");
    return same([echoed, bytes, code], [[3, "out\\n", "err\\n"], 300_000, 0]);
  },
  async immediates() {
    const found = [];
    await new Promise((done) => { for (const i of range(500)) setImmediate(() => { if (found.push(i) === 500) done(); }); });
    // Each one in a turn of the loop of its own.
    let turns = 0;
    await new Promise((done) => { const next = () => { if (++turns === 50) done(); else setImmediate(next); }; next(); });
    return same([found, turns], [range(500), 50]);
  },
  async order() {
    const log = [];
    await new Promise((done) => {
      setTimeout(() => { log.push("timer"); if (log.length === 6) done(); }, 0);
      setImmediate(() => { log.push("immediate"); if (log.length === 6) done(); });
      queueMicrotask(() => { log.push("microtask"); });
      process.nextTick(() => { log.push("tick"); queueMicrotask(() => log.push("microtask of tick")); });
      log.push("synchronous");
    });
    // Which of immediate and timer comes first depends on the clock, in Node too.
    return same([log.slice(0, 4), log.slice(4).sort()], [["synchronous", "tick", "microtask", "microtask of tick"], ["immediate", "timer"]]);
  },
};
`;

const FILES = {
  "activities.mjs": ACTIVITIES,
  "activity.ts": `import { activities } from "./activities.mjs";
    export default async (request) => {
      const { query } = request;
      return { result: await activities[request.params.name]({ http: Number(query.get("http")), udp: Number(query.get("udp")) }) };
    };`,
  // The order of a handler's own synchronous part.
  "order.ts": `export default (request) => {
      const log = [];
      const done = new Promise((resolve) => setImmediate(() => { log.push("immediate"); resolve(log); }));
      queueMicrotask(() => log.push("microtask"));
      process.nextTick(() => { log.push("tick"); Promise.resolve().then(() => log.push("microtask of tick")); });
      log.push("synchronous");
      return done;
    };`,
  "hello.ts": `export default () => "hello";`,
  "spin.ts": `export default (request) => {
      const start = performance.now();
      while (performance.now() - start < request.params.ms);
      return "spun";
    };`,
};
const CONFIG = `
routes:
  - { path: "/activity/{name}", handler: ./activity.ts }
  - { path: /order, handler: ./order.ts }
  - { path: /hello, handler: ./hello.ts }
  - { path: "/spin/{ms:int}", handler: ./spin.ts }
`;
const NAMES = [
  ...[
    "timers",
    "files",
    "http",
    "datagrams",
    "threads",
    "messages",
    "processes",
    "immediates",
    "order",
  ],
];

/** Servers that the activities talk to; the query that names them. */
const peers = (t: ExecutionContext): Promise<string> =>
  startPeers(t, (request, answer) => {
    // In two parts and not at once, so that the client's loop has to come back for it.
    answer.write(" ".repeat(2000));
    setTimeout(() => answer.end(request.url), 3);
  });

/** 64 requests at a time, 8 on each of 8 connections, until stopped. */
function load(port: number): { stop: () => Promise<number> } {
  let running = true;
  let answers = 0;
  const clients = Array.from({ length: 8 }, async () => {
    const wire = await Wire.connect(port);
    wire.send(get("/hello").repeat(8));
    while (running) {
      await wire.answer();
      answers++;
      wire.send(get("/hello"));
    }
    for (let i = 0; i < 8; i++) await wire.answer();
    wire.close();
  });
  return {
    stop: async () => {
      running = false;
      await Promise.all(clients);
      return answers;
    },
  };
}

async function all(
  t: ExecutionContext,
  daemon: Daemon,
  query: string,
  before = () => {},
): Promise<void> {
  for (const name of NAMES) {
    before();
    const answer = await fetchRaw(daemon.port, get(`/activity/${name}${query}`));
    t.is(answer.body, '{"result":"complete"}', name);
  }
}

test.serial("nothing is lost on an idle shard", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  await all(t, daemon, await peers(t));
});

test.serial("nothing is lost when all goes on at once", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const query = await peers(t);
  const names = [...NAMES, ...NAMES, ...NAMES];
  const answers = await Promise.all(
    names.map((name) => fetchRaw(daemon.port, get(`/activity/${name}${query}`))),
  );
  for (const answer of answers) t.is(answer.body, '{"result":"complete"}');
});

test.serial("nothing is lost under load", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const query = await peers(t);
  const clients = load(daemon.port);
  await all(t, daemon, query);
  t.true((await clients.stop()) > 500);
});

test.serial(
  "nothing is lost right after a handler has blocked, and while others block",
  async (t) => {
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
    const query = await peers(t);
    const spinning: Promise<unknown>[] = [];
    // Before the activity begins, and again while it is under way.
    await all(t, daemon, query, () => {
      spinning.push(fetchRaw(daemon.port, get("/spin/300")));
      spinning.push(sleep(310).then(() => fetchRaw(daemon.port, get("/spin/100"))));
    });
    await Promise.all(spinning);
  },
);

test.serial("ticks and microtasks of a handler run before anything else of the loop", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const wire = await Wire.connect(daemon.port);
  wire.send(get("/order").repeat(40));
  for (let i = 0; i < 40; i++) {
    const { body } = await wire.answer();
    t.deepEqual(JSON.parse(body), [
      "synchronous",
      "tick",
      "microtask",
      "microtask of tick",
      "immediate",
    ]);
  }
  wire.close();
});
