import test from "ava";
import { AbandonedRequests } from "./abandoned.js";
import type { Exchange } from "./exchange.js";

/** What of an exchange is needed: 10 bytes each. */
class Held {
  view: object | null = {};
  detached = 0;
  readonly region = { bytes: Buffer.alloc(10) };
  readonly detachedBytes = (): number => 10;
  readonly detach = (): void => void this.detached++;
  readonly exchange = this as unknown as Exchange;
}
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

test("a handler that never settles keeps its slot for a time, not for ever", async (t) => {
  const requests = new AbandonedRequests(25, () => undefined, 20);
  const held = Array.from({ length: 5 }, () => new Held());
  for (const { exchange } of held) requests.add(exchange);
  const detached = (): number[] => held.map((each) => each.detached);
  t.deepEqual(detached(), [1, 1, 0, 0, 0]);
  for (let i = 0; i < 500 && detached().includes(0); i++) await sleep(10);
  t.deepEqual(detached(), [1, 1, 1, 1, 1]);
});

test("who has given its slot back meanwhile is left alone, and the oldest of the others comes first", (t) => {
  const seen: Exchange[] = [];
  const requests = new AbandonedRequests(10, (exchange) => seen.push(exchange), 1e6);
  const [first, over, second, third] = [new Held(), new Held(), new Held(), new Held()];
  for (const { exchange } of [first, over, second, third]) requests.add(exchange);
  over.view = {};
  requests.settled(first.exchange);
  t.deepEqual([first.detached, over.detached, second.detached, third.detached], [1, 0, 1, 0]);
  requests.settled(first.exchange); // counts once
  t.is(third.detached, 0);
  requests.settled(second.exchange);
  t.deepEqual(
    seen,
    [first, second, third].map(({ exchange }) => exchange),
  );
});
