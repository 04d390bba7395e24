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
  const status = { awayMs: 0, started: 0, queued: 0, brokenLanes: {} as Record<number, string> };
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
    onCrashLoop: (stands) => void calls.push(`crash loop ${stands}`),
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

/** The current worker spins until it is given up. */
function spins({ keeper, status }: ReturnType<typeof createScene>): void {
  Object.assign(status, { awayMs: 1001, started: 1 });
  keeper.check();
  status.awayMs = 0;
}

test("workers that spin, one after the other, are replaced ever later", async (t) => {
  const scene = await createLiveScene();
  const { keeper, thread, threads, calls, advance } = scene;
  spins(scene);
  t.is(threads.length, 2);
  thread(0).ended(1);
  // Health is time in which it has served: it has been live for long, and stuck for nearly all of that.
  thread(1).ready();
  advance(31_000);
  Object.assign(scene.status, { awayMs: 30_500, started: 1 });
  calls.length = 0;
  keeper.check();
  t.deepEqual(calls, ["reserve 0", "quarantine 1", "terminate 1"]);
  t.regex(scene.lines.at(-1) ?? "", /it is replaced.*"restartMs":100/);
  // Whatever is looked at meanwhile, and when the old thread ends: the next one waits for its time.
  keeper.check();
  thread(1).ended(1);
  advance(99);
  t.is(threads.length, 2);
  advance(1);
  t.deepEqual(calls.slice(3), ["release 1", "spawn 0"]);
  t.is(threads[2]?.lane, 0);
  thread(2).ready();
  advance(31_001);
  scene.status.awayMs = 0;
  spins(scene);
  t.is(threads.length, 4, "it was healthy before: its successor starts at once");
});

test("stopping while a lane is kept for the next worker gives it back", async (t) => {
  const scene = await createLiveScene();
  spins(scene);
  scene.thread(0).ended(1);
  scene.thread(1).ready();
  spins(scene);
  scene.calls.length = 0;
  const stopped = scene.keeper.stop();
  scene.thread(1).ended(1);
  await stopped;
  t.deepEqual(scene.calls, ["release 0", "terminate 1", "release 1"]);
  scene.advance(100_000);
  t.is(scene.threads.length, 2);
});

test("a worker whose lane breaks is ended and replaced, its lane free once its thread has ended", async (t) => {
  const { keeper, thread, threads, calls, status, lines, advance } = await createLiveScene();
  status.brokenLanes = { 0: "a count that cannot be" };
  keeper.check();
  t.deepEqual(calls, ["quarantine 0", "terminate 0"]);
  t.like(JSON.parse(lines.at(-1) ?? ""), {
    level: "error",
    message: "worker broke the rules of shared memory: a count that cannot be; it is replaced",
    lane: 0,
    restartMs: 0,
  });
  // Its thread sits in native code, say.
  keeper.check();
  advance(0);
  t.deepEqual(calls.slice(2), ["reserve 1", "spawn 1"]);
  thread(1).ready();
  keeper.check();
  thread(0).ended(1);
  t.deepEqual(calls.slice(4), ["release 0"]);
  // Again and again: later and later.
  status.brokenLanes = { 1: "a count that cannot be" };
  keeper.check();
  t.regex(lines.at(-1) ?? "", /"restartMs":100/);
  advance(99);
  t.is(threads.length, 2);
  advance(1);
  t.is(threads.length, 3);
});

test("a lane may break before the worker's own word that it is live has come", async (t) => {
  const { keeper, thread, threads, calls, status, advance } = await createLiveScene();
  thread(0).ended(1);
  advance(0);
  status.brokenLanes = { 1: "no such slot" };
  calls.length = 0;
  keeper.check();
  thread(1).ready();
  thread(1).ended(1);
  advance(100);
  t.deepEqual(calls, ["quarantine 1", "terminate 1", "release 1", "reserve 0", "spawn 0"]);
  t.is(threads.length, 3);
});

test("the start fails if the first worker's lane breaks", async (t) => {
  const { keeper, thread, calls, status } = createScene();
  const started = keeper.start();
  status.brokenLanes = { 0: "no such slot" };
  keeper.check();
  thread(0).ended(1);
  await t.throwsAsync(started, { message: /rules of shared memory: no such slot/ });
  t.deepEqual(calls.slice(2), ["quarantine 0", "terminate 0", "release 0"]);
});

test("no lane is free when a lane breaks: its worker is ended all the same", async (t) => {
  const scene = await createLiveScene();
  const { keeper, thread, threads, calls, status, advance } = scene;
  spins(scene);
  thread(1).ready();
  status.brokenLanes = { 1: "no such slot" };
  calls.length = 0;
  keeper.check();
  advance(100);
  t.deepEqual(calls, ["quarantine 1", "terminate 1", "reserve -1"]);
  thread(1).ended(1);
  advance(1000);
  t.deepEqual(calls.slice(3), ["release 1", "reserve 1", "spawn 1"]);
  t.is(threads.length, 3);
});

test("a crash loop stands until a worker has served for half a minute", async (t) => {
  const scene = await createLiveScene();
  const { keeper, thread, calls, advance, status, lines } = scene;
  const loops = () => calls.filter((call) => call.startsWith("crash loop"));
  for (let death = 0; death < 4; death++) {
    thread(death).ended(1);
    advance(10_000);
    thread(death + 1).ready();
  }
  t.deepEqual([loops(), keeper.crashLoop], [[], false]);
  thread(4).ended(1);
  t.deepEqual([loops(), keeper.crashLoop], [["crash loop true"], true]);
  advance(10_000);
  keeper.check();
  thread(5).ready();
  advance(29_999);
  keeper.check();
  t.true(keeper.crashLoop);
  thread(5).ended(1);
  advance(10_000);
  thread(6).ready();
  // It hangs in JavaScript for some of that time.
  advance(30_500);
  status.awayMs = 501;
  keeper.check();
  t.true(keeper.crashLoop);
  Object.assign(status, { awayMs: 0 });
  keeper.check();
  t.deepEqual([loops(), keeper.crashLoop], [["crash loop true", "crash loop false"], false]);
  t.regex(lines.at(-1) ?? "", /no crash loop any more/);
  thread(6).ended(1);
  t.false(keeper.crashLoop);
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
  t.deepEqual(calls, ["quarantine 0", "terminate 0"]);
  await Promise.resolve();
  t.false(isStopped);
  thread(0).ended(1);
  await stopped;
  advance(100_000);
  t.deepEqual(calls, ["quarantine 0", "terminate 0", "release 0"]);
});

test("stopping during a back-off starts no other", async (t) => {
  const { keeper, thread, threads, advance } = await createLiveScene();
  thread(0).ended(1);
  await keeper.stop();
  advance(100_000);
  t.is(threads.length, 1);
});
