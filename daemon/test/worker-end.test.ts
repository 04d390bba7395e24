// How a worker may end, in each state that it may be in: it ends alone. Native routes are answered all the while, the
// connections stay, what was queued is served by the next worker, and the process is the same one.
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { startDaemon, type Daemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const HOWS = ["exit", "throw", "reject", "heap", "spin"] as const;
const STATES = ["asleep", "in JavaScript", "in a callback of poll", "under load"] as const;
type How = (typeof HOWS)[number];
type State = (typeof STATES)[number];

// Files say what has happened and what may: "begun" that the handler holds the thread, "end" that it may end, "hold"
// that the next worker has to wait while it loads.
const FILES = {
  "end.ts": `
    import { existsSync, readFile, writeFileSync } from "node:fs";
    const ends = {
      exit() { process.exit(7); },
      throw() { throw new Error("thrown where nobody catches it"); },
      reject() { void Promise.reject(new Error("nobody catches it")); },
      heap() { const hoard = []; for (;;) hoard.push(new Array(100_000).fill(hoard.length)); },
      spin() { for (;;); },
    };
    const end = (how) => setTimeout(() => ends[how](), 0);
    export default async (request) => {
      const { how, state } = request.params;
      if (state === "asleep") {
        // By a timer, when nothing else is under way: the answer has left.
        const timer = setInterval(() => { if (existsSync("end")) { clearInterval(timer); end(how); } }, 5);
        return "will end";
      }
      if (state === "in-javascript") {
        writeFileSync("begun", "");
        while (!existsSync("end"));
        // A throw of a handler is a 500: it has to come from elsewhere to end the worker.
        if (how === "throw") queueMicrotask(ends.throw);
        else ends[how]();
      } else if (state === "in-a-callback-of-poll") {
        readFile("end.ts", () => {
          writeFileSync("begun", "");
          while (!existsSync("end"));
          ends[how]();
        });
      } else end(how);
      await new Promise(() => {});
    };`,
  "id.ts": `import { existsSync } from "node:fs";
    import { threadId } from "node:worker_threads";
    while (existsSync("hold")) await new Promise((done) => setTimeout(done, 5));
    export default () => String(threadId);`,
};
const CONFIG = `
routes:
  - { path: "/end/{how:string}/{state:string}", handler: ./end.ts }
  - { path: /id, handler: ./id.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
timeouts: { spin: 500ms, handler: 10m }
limits: { heap: 64MiB }
`;

/** Asks for the native route and for /-/ready, again and again, on kept connections, until it is told to stop. */
class Watch {
  readonly wrong: string[] = [];
  natives = 0;
  /** What /-/ready has said, each answer once. */
  readonly ready = new Set<string>();
  #running = true;
  #done: Promise<unknown>;

  constructor(port: number) {
    this.#done = Promise.all([
      this.#ask(port, "/native", (status, body) => {
        if (status === 200 && body === "native") this.natives++;
        else this.wrong.push(`/native: ${status} ${body}`);
      }),
      this.#ask(port, "/-/ready", (status, body) => this.ready.add(`${status} ${body.trim()}`)),
    ]);
    this.#done.catch((error: unknown) => this.wrong.push(String(error)));
  }
  async #ask(port: number, target: string, take: (status: number, body: string) => void) {
    const wire = await Wire.connect(port);
    while (this.#running) {
      wire.send(get(target));
      const { status, body } = await wire.answer();
      take(status, body);
    }
    wire.close();
  }
  /** Until the native route has been answered some more times. */
  async goesOn(): Promise<void> {
    for (const from = this.natives; this.natives < from + 20 && this.wrong.length === 0;)
      await sleep(5);
  }
  async says(what: string): Promise<void> {
    for (let i = 0; i < 6000 && !this.ready.has(what); i++) await sleep(5);
  }
  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }
}

async function appears(daemon: Daemon, name: string): Promise<void> {
  for (let i = 0; i < 6000 && !existsSync(join(daemon.folder, name)); i++) await sleep(5);
  if (!existsSync(join(daemon.folder, name))) throw new Error(`no ${name}:\n${daemon.output()}`);
}

/** Clients that ask for /id without a pause; how often each status has come. */
function load(port: number, clients: number) {
  const statuses = new Map<number, number>();
  let running = true;
  const done = Promise.all(
    Array.from({ length: clients }, async () => {
      const wire = await Wire.connect(port);
      while (running) {
        wire.send(get("/id"));
        const { status } = await wire.answer();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      wire.close();
    }),
  );
  done.catch(() => {}); // stop() says it
  return {
    statuses,
    async goesOn(): Promise<void> {
      const from = statuses.get(200) ?? 0;
      for (let i = 0; i < 4000 && (statuses.get(200) ?? 0) < from + 50; i++) await sleep(5);
    },
    async stop(): Promise<void> {
      running = false;
      await done;
    },
  };
}

async function endsAlone(t: ExecutionContext, how: How, state: State): Promise<void> {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const kept = await Wire.connect(daemon.port);
  kept.send(get("/id"));
  const before = (await kept.answer()).body;
  const watch = new Watch(daemon.port);
  const clients = state === "under load" ? load(daemon.port, 4) : undefined;
  await clients?.goesOn();
  await watch.goesOn();
  t.deepEqual([...watch.ready], ["200 ready"]);

  // Nothing but loading looks at it: the next worker, whenever it comes, waits for it to go.
  await writeFile(join(daemon.folder, "hold"), "");
  const ending = fetchRaw(
    daemon.port,
    get(`/end/${how}/${state.replaceAll(" ", "-").toLowerCase()}`),
  );
  let queued: Promise<string> | undefined;
  // An idle worker that spins is not replaced, as nobody waits for it: here somebody does.
  const queue = async (): Promise<string> => (await fetchRaw(daemon.port, get("/id"))).body;
  if (state === "asleep") t.is((await ending).body, "will end");
  if (state === "in JavaScript" || state === "in a callback of poll") {
    await appears(daemon, "begun");
    // It cannot have been started: the thread is in the handler.
    queued = queue();
    await watch.goesOn();
  }
  await writeFile(join(daemon.folder, "end"), "");
  if (state === "asleep" && how === "spin") {
    // It may still be answered; the next one is not, by this worker.
    for (queued = queue(); (await Promise.race([queued, sleep(100)])) === before;) queued = queue();
  }
  await daemon.said(/worker (ended|stays in JavaScript)/);
  await watch.says("503 no live worker");
  await watch.goesOn();

  // The connection outlived the worker; its next request waits for the new one.
  kept.send(get("/native") + get("/id"));
  t.is((await kept.answer()).body, "native");
  t.is(kept.unread, "");
  await rm(join(daemon.folder, "hold"));
  const after = await kept.answer();
  t.is(after.status, 200);
  t.regex(after.body, /^\d+$/);
  t.not(after.body, before);
  if (state !== "asleep") t.is((await ending).status, 502);
  // What nobody catches is only found behind the handlers that have been taken up together.
  const servers = ["throw", "reject"].includes(how) ? [before, after.body] : [after.body];
  if (queued !== undefined) t.true(servers.includes(await queued), `${how}, ${state}`);
  await clients?.goesOn();
  await clients?.stop();
  // Only what had been started is lost: at most one for each client.
  t.true((clients?.statuses.get(502) ?? 0) <= 4);
  const others = [...(clients?.statuses.keys() ?? [])].filter(
    (status) => ![200, 502].includes(status),
  );
  t.deepEqual(others, []);
  await watch.goesOn();
  await watch.stop();
  t.deepEqual(watch.wrong, []);
  t.deepEqual([...watch.ready].sort(), ["200 ready", "503 no live worker"]);
  kept.close();
  // Nobody has started it anew.
  t.notThrows(() => process.kill(daemon.pid, 0));
  t.is(await daemon.stop(), 0);
}

for (const how of HOWS) {
  test.serial(`a worker that ends by ${how} ends alone, ${STATES.join(", ")}`, async (t) => {
    await Promise.all(STATES.map((state) => endsAlone(t, how, state)));
  });
}

test.serial("/-/ready says that it is draining, on a connection that is still there", async (t) => {
  const daemon = await startDaemon(t, { config: CONFIG, files: FILES });
  const [kept, busy] = [await Wire.connect(daemon.port), await Wire.connect(daemon.port)];
  kept.send(get("/-/ready"));
  t.is((await kept.answer()).status, 200);
  // The handler keeps the drain from its end.
  busy.send(get("/end/exit/in-javascript"));
  await appears(daemon, "begun");
  kept.send("GET /-/ready HTTP/1.1\r\n");
  daemon.signal("SIGTERM");
  // From the moment on when nobody listens any more.
  while (
    await Wire.connect(daemon.port).then(
      (late) => (late.close(), true),
      () => false,
    )
  )
    await sleep(5);
  kept.send("Host: test\r\n\r\n");
  const answer = await kept.answer();
  t.is(answer.status, 503);
  t.is(answer.body, "draining\n");
  t.is(answer.fields.get("connection"), "close");
  t.is(await kept.closed(), "");
  await writeFile(join(daemon.folder, "end"), "");
  t.is((await busy.answer()).status, 502);
  t.is(await daemon.exited, 0);
  kept.close();
  busy.close();
});
