import { performance } from "node:perf_hooks";

const OFFSET_US = Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000;

/** CLOCK_MONOTONIC in microseconds: the same clock in every process of the machine. */
export function nowUs(): number {
  return performance.now() * 1000 + OFFSET_US;
}

export function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
