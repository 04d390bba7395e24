// What the runtime costs for each request, without native code and network: the model of the reactor refills
// slots that stay as they are, so that little but the dispatcher's own path is measured.
// Run: npx tsc && node dist/runtime/dispatcher.test.bench.js [requests]
import { EntryType, SlotState, SLOT_STATE_WORD, SLOT_WORDS } from "./layout.generated.js";
import { FakeReactor, type FakeRequest } from "./fake-reactor.test.support.js";
import type { Handler } from "./handler.js";
import { reply } from "./reply.js";

const total = Number(process.argv[2] ?? 1_000_000);
const BATCH = 32;

async function measure(name: string, handler: Handler, request: FakeRequest = {}): Promise<void> {
  const options = { slots: BATCH, ringEntries: 256, routes: ["/hello/{name}"] };
  const reactor = FakeReactor.with(handler, options);
  for (let slot = 0; slot < BATCH; slot++) reactor.fill(slot, request);
  const { words, slots, dispatcher } = reactor;
  const refill = (): void => {
    for (let slot = 0; slot < BATCH; slot++) {
      const { generation } = slots[slot] ?? { generation: 0 };
      words[slot * SLOT_WORDS + SLOT_STATE_WORD] = (generation << 8) | SlotState.queued;
      reactor.push(EntryType.request, slot, generation);
    }
  };
  const run = async (requests: number, idle: boolean): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < requests; i += BATCH) {
      refill();
      if (idle) reactor.skipRequests();
      else {
        while (reactor.unread > 0) dispatcher.dispatch();
        await Promise.resolve();
        await Promise.resolve();
        await Promise.resolve();
        reactor.skipAnswers(BATCH);
      }
    }
    return ((performance.now() - start) * 1e6) / requests;
  };
  await run(total / 5, false);
  const runs: number[] = [];
  const idle: number[] = [];
  for (let i = 0; i < 3; i++) {
    idle.push(await run(total, true));
    runs.push(await run(total, false));
  }
  const nanoseconds = Math.min(...runs) - Math.min(...idle);
  console.log(`${name.padEnd(40)} ${nanoseconds.toFixed(0).padStart(6)} ns`);
}

const TEXT = "Hello, World!";
const KIB = "x".repeat(1024);
const parameter: FakeRequest = {
  target: "/hello/world?a=1",
  parameters: [{ kind: "string", text: "world" }],
  fields: [
    ["Host", "localhost:8080"],
    ["User-Agent", "curl/8.5.0"],
    ["Accept", "*/*"],
  ],
};

await measure("sync, constant string", () => TEXT);
await measure(
  "sync, string with a parameter",
  (request) => `Hello, ${request.params["name"]}!`,
  parameter,
);
await measure("sync, one header", (request) => request.headers.get("user-agent") ?? "", parameter);
await measure("sync, JSON", () => ({ hello: "world", roll: 6 }));
await measure("sync, reply with a field", () => reply(200, TEXT, { "X-Answer": "42" }));
await measure("async, constant string", async () => TEXT);
await measure("sync, 1 KiB string", () => KIB);
