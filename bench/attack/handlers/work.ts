// A millisecond of JavaScript for each request, and a record of which requests have reached it.
import { performance } from "node:perf_hooks";
import type { Request } from "pinion";

const OFFSET_US = Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000;
const MOST = 200_000;
const started: [number, number][] = [];

/** `/work/{id:int}`: id 0 answers with all ids so far and when each was started, in microseconds (CLOCK_MONOTONIC). */
export default ({ params }: Request<"/work/{id:int}">): object | string => {
  if (params.id === 0) return { started };
  const now = performance.now();
  if (started.length < MOST) started.push([params.id, Math.round(now * 1000 + OFFSET_US)]);
  while (performance.now() - now < 1);
  return "done\n";
};
