import test from "ava";
import { LogGate, MOST_LINES } from "./log-gate.js";
import type { WorkerMessage } from "./messages.js";

test("lines that nobody takes are counted, and the count is said before the next line", (t) => {
  const said: WorkerMessage[] = [];
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const gate = new LogGate(taken, (message) => said.push(message));
  const entry = {
    level: "error" as const,
    ...{ message: "no", requestId: "id", method: "GET", path: "/", route: "/" },
  };
  for (let i = 0; i < MOST_LINES + 5; i++) gate.write(entry);
  t.is(said.length, MOST_LINES);
  Atomics.add(taken, 0, 2);
  for (let i = 0; i < 3; i++) gate.write(entry);
  t.deepEqual(
    said.slice(MOST_LINES).map(({ type }) => type),
    ["leftOut", "log", "log"],
  );
  t.like(said[MOST_LINES], { lines: 5 });
  Atomics.add(taken, 0, MOST_LINES);
  gate.write(entry);
  t.like(said.at(-2), { type: "leftOut", lines: 1 });
});
