// Holds the core, and says how much of it this thread got: nanoseconds by the clock, nanoseconds of CPU.
import { readFileSync } from "node:fs";
import { handler } from "pinion";

const cpuNs = () => Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]);

export default handler<"/spin/{milliseconds:int}">(({ params }) => {
  const began = process.hrtime.bigint();
  const before = cpuNs();
  const end = began + BigInt(params.milliseconds) * 1_000_000n;
  while (process.hrtime.bigint() < end);
  return { clockNs: Number(process.hrtime.bigint() - began), cpuNs: cpuNs() - before };
});
