import test from "ava";
import { createLog } from "../log/log.js";
import { createWorkerKeeper, type WorkerEvents } from "./worker-keeper.js";

/** A shard with two lanes, threads that do what the test says, and a clock that it turns. */
function createScene() {
  const calls: string[] = [];
  const lines: string[] = [];
  const threads: { lane: number; events: WorkerEvents }[] = [];
  const timers: { at: number; run: () => void }[] = [];
  const free = new Set([0, 1]);
  const status = { awayMs: 0, started: 0, queued: 0 };
  let clock = 0;
  const keeper = createWorkerKeeper({
    addon: {
      reserveLane: () => {
        const lane = [...free][0] ?? -1;
        free.delete(lane);
        calls.push(`reserve ${lane}`);
        return lane;
      },
      quarantineLane: (_, lane) => void calls.push(`quarantine ${lane}`),
      releaseLane: (_, lane) => {
        free.add(lane);
        calls.push(`release ${lane}`);
      },
      status: () => status as never,
    },
    shard: 1n,
    index: 0,
    spinMs: 1000,
    log: createLog({ level: "debug", format: "json" }, (line) => lines.push(line)),
    spawn: (lane, events) => {
      calls.push(`spawn ${lane}`);
      threads.push({ lane, events });
      return { terminate: () => void calls.push(`terminate ${lane}`) };
    },
    now: () => clock,
    later: (delayMs, run) => {
      const timer = { at: clock + delayMs, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
  });
  const advance = (milliseconds: number) => {
    clock += milliseconds;
    for (const timer of timers.filter(({ at }) => at <= clock)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.run();
    }
  };
  const thread = (index: number) => {
    const found = threads[index];
    if (found === undefined) throw new Error(`thread ${index} was never started`);
    return found.events;
  };
  return { keeper, calls, lines, status, advance, thread, threads, timers };
}

async function createLiveScene() {
  const scene = createScene();
  const started = scene.keeper.start();
  scene.thread(0).ready();
  await started;
  scene.calls.length = 0;
  return scene;
}

test("the start fails with what the first worker failed of", async (t) => {
  const { keeper, thread, calls } = createScene();
  const started = keeper.start();
  thread(0).failed(new Error("no such export"));
  thread(0).ended(1);
  await t.throwsAsync(started, { message: "no such export" });
  t.deepEqual(calls, ["reserve 0", "spawn 0", "quarantine 0", "release 0"]);
});

test("a first worker that just ends fails the start too", async (t) => {
  const { keeper, thread } = createScene();
  const started = keeper.start();
  thread(0).ended(7);
  await t.throwsAsync(started, { message: /exit code 7/ });
});

test("a worker that dies is replaced, its lane given up before it is released", async (t) => {
  const { thread, calls, advance, lines } = await createLiveScene();
  thread(0).failed(Object.assign(new Error("full"), { code: "ERR_WORKER_OUT_OF_MEMORY" }));
  thread(0).ended(1);
  t.deepEqual(calls, ["quarantine 0", "release 0"]);
  advance(0);
  t.deepEqual(calls.slice(2), ["reserve 1", "spawn 1"]);
  t.regex(lines.join(""), /its heap was full/);
});

test("a worker that keeps dying is replaced ever later, and called a crash loop", async (t) => {
  const { thread, threads, advance, timers, lines } = await createLiveScene();
  const delays: number[] = [];
  for (let death = 0; death < 6; death++) {
    thread(death).ended(1);
    const before = timers[0]?.at ?? 0;
    advance(0);
    delays.push(threads.length === death + 2 ? 0 : before);
    advance(10_000);
    thread(death + 1).ready();
  }
  t.is(delays[0], 0);
  t.is(threads.length, 7);
  t.is(lines.filter((line) => line.includes("again and again")).length, 2);
});

test("an overdue worker: a lane for the next first, then it is given up", async (t) => {
  const { keeper, thread, calls, status, lines } = await createLiveScene();
  Object.assign(status, { awayMs: 1001, started: 1 });
  keeper.check();
  t.deepEqual(calls, ["reserve 1", "quarantine 0", "spawn 1", "terminate 0"]);
  t.regex(lines.at(-1) ?? "", /it is replaced/);
  thread(1).ready();
  t.like(JSON.parse(lines.at(-1) ?? ""), { level: "info", message: "worker is live", lane: 1 });
  calls.length = 0;
  // The old thread ends at last: nobody is started for it.
  thread(0).ended(1);
  t.deepEqual(calls, ["release 0"]);
});

test("a worker that is away with nothing to answer is left alone", async (t) => {
  const { keeper, calls, status } = await createLiveScene();
  status.awayMs = 5000;
  keeper.check();
  Object.assign(status, { awayMs: 1000, queued: 1 });
  keeper.check();
  t.deepEqual(calls, []);
});

test("without a free lane a stuck worker stays, and it is said", async (t) => {
  const { keeper, thread, calls, status, lines } = await createLiveScene();
  Object.assign(status, { awayMs: 1001, started: 1 });
  keeper.check();
  thread(1).ready();
  calls.length = 0;
  keeper.check();
  t.deepEqual(calls, ["reserve -1"]);
  t.regex(lines.at(-1) ?? "", /cannot be replaced/);
});

test("a replacement waits for a lane to come back", async (t) => {
  const { keeper, thread, threads, calls, status, advance } = await createLiveScene();
  Object.assign(status, { awayMs: 1001, started: 1 });
  keeper.check();
  thread(1).ended(1);
  advance(100);
  t.deepEqual(calls.slice(-2), ["reserve 1", "spawn 1"]);
  thread(2).ended(1);
  calls.length = 0;
  thread(0).ended(1);
  advance(10_000);
  t.is(threads.length, 4);
});

test("a module that loads slowly is named after 5 s, then every 30 s", async (t) => {
  const { keeper, thread, advance, lines } = createScene();
  void keeper.start();
  thread(0).loading("./quick.ts");
  advance(4000);
  thread(0).loading("./slow.ts");
  advance(4000);
  keeper.check();
  t.deepEqual(lines, []);
  advance(1000);
  keeper.check();
  advance(29_000);
  keeper.check();
  t.is(lines.length, 1);
  t.regex(lines[0] ?? "", /"warn".*\.\/slow\.ts is still being loaded after 5 s/);
  advance(1000);
  keeper.check();
  t.is(lines.length, 2);
  thread(0).ready();
  advance(60_000);
  keeper.check();
  t.deepEqual(
    lines.map((line) => (JSON.parse(line) as { level: string }).level),
    ["warn", "warn", "debug"],
  );
});

test("a worker that never gets ready is ended", async (t) => {
  const { keeper, thread, calls, advance } = createScene();
  const started = keeper.start();
  thread(0).loading("./a.ts");
  advance(60_001);
  keeper.check();
  t.is(calls.at(-1), "terminate 0");
  thread(0).ended(1);
  await t.throwsAsync(started, { message: /\.\/a\.ts was not loaded within 60 s/ });
});

test("stopping ends the worker, waits for its thread, and starts no other", async (t) => {
  const { keeper, thread, calls, advance } = await createLiveScene();
  let isStopped = false;
  const stopped = keeper.stop().then(() => (isStopped = true));
  t.deepEqual(calls, ["terminate 0"]);
  await Promise.resolve();
  t.false(isStopped);
  thread(0).ended(1);
  await stopped;
  advance(100_000);
  t.deepEqual(calls, ["terminate 0", "quarantine 0", "release 0"]);
});

test("stopping during a back-off starts no other", async (t) => {
  const { keeper, thread, threads, advance } = await createLiveScene();
  thread(0).ended(1);
  await keeper.stop();
  advance(100_000);
  t.is(threads.length, 1);
});
