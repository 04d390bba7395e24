// What is asked of a server under attack.
import type { GoodResult, RoutePhase } from "./good-client.js";

/** Of the rate before. */
export const LEAST_RATE = 0.8;
/** Times the p99 before. */
export const MOST_P99 = 3;
/**
 * Memory beyond what the server had before: the arena, and the new generation of a JavaScript heap (up to 16 MiB in Node's
 * default), which grows with any load.
 */
export const HEAP_BYTES = 16 * 1024 * 1024;

export interface Verdict {
  pass: boolean;
  /** Each says what was asked and what was found. */
  failures: string[];
}

export function verdictOf(failures: readonly (string | undefined)[]): Verdict {
  const found = failures.filter((each) => each !== undefined);
  return { pass: found.length === 0, failures: found };
}

/** Compares the phases `during` and `after` with `before`, route by route. `coarse`: only whether all got 200. */
export function judgeGoodClients(result: GoodResult, coarse = false): (string | undefined)[] {
  const { before = {} } = result.phases;
  const failures: string[] = [];
  if (Object.keys(before).length === 0) failures.push("before: no good clients");
  for (const [route, was] of Object.entries(before)) {
    for (const phase of ["during", "after"]) {
      const is = result.phases[phase]?.[route];
      if (is === undefined) {
        failures.push(`${route} ${phase}: no good clients`);
        continue;
      }
      if (!coarse) failures.push(...judgeTimes(`${route} ${phase}`, was, is));
      failures.push(...judgeAnswers(`${route} ${phase}`, is));
    }
  }
  return failures;
}

function judgeTimes(what: string, was: RoutePhase, is: RoutePhase): string[] {
  const failures: string[] = [];
  if (is.rate < was.rate * LEAST_RATE) {
    failures.push(`${what}: rate ${percent(is.rate / was.rate)} of before`);
  }
  // Slower by both measures: as scheduled, and less what the client itself was late.
  const ratios = [slower(was.p99, is.p99), slower(was.ownP99, is.ownP99)];
  if (ratios.every((ratio) => ratio > MOST_P99)) {
    failures.push(`${what}: p99 x${Math.min(...ratios).toFixed(1)}`);
  }
  return failures;
}

function judgeAnswers(what: string, is: RoutePhase): string[] {
  const failed = Object.entries(is.others).map(([key, count]) => `${count} ${key}`);
  return is.failed > 0 ? [`${what}: ${failed.join(", ")} of ${is.offered}`] : [];
}

function slower(was: number | null, is: number | null): number {
  return was === null || is === null ? Infinity : is / was;
}

export function judgeMemory(
  beforeBytes: number,
  peakBytes: number,
  allowedBytes: number,
): string | undefined {
  if (peakBytes <= beforeBytes + allowedBytes) return undefined;
  return `memory: ${mebibytes(peakBytes - beforeBytes)} MiB more, ${mebibytes(allowedBytes)} allowed`;
}

/** What the shard itself says of its arena, looked at from time to time. */
export interface ArenaUse {
  /** Of the whole, as far as it was ever seen. */
  totalBytes: number;
  /** In use or lent, at the most. */
  peakBytes: number;
}

/** It has the size that was configured, and the last of it was nobody's. */
export function judgeArena(use: ArenaUse, configuredBytes: number): string | undefined {
  if (use.totalBytes !== configuredBytes) {
    return `arena: ${use.totalBytes} bytes, ${configuredBytes} configured`;
  }
  if (use.peakBytes >= use.totalBytes) return "arena: all of it was in use";
  return undefined;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`;
}

export function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0);
}
