// When a dead worker is replaced: at once the first time, later and later while it keeps dying.

const FIRST_MS = 100;
const LONGEST_MS = 10_000;
const HEALTHY_MS = 30_000;
const LOOP_DEATHS = 5;
const LOOP_WINDOW_MS = 60_000;

export interface BackOff {
  /** A worker that was live for `livedMs` died at `nowMs`: how long to wait, and whether it is a crash loop. */
  died(nowMs: number, livedMs: number): { delayMs: number; deaths: number; isLoop: boolean };
}

export function createBackOff(): BackOff {
  let delayMs = 0;
  let deaths: number[] = [];
  return {
    died(nowMs, livedMs) {
      if (livedMs >= HEALTHY_MS) delayMs = 0;
      const current = delayMs;
      delayMs = Math.min(LONGEST_MS, Math.max(FIRST_MS, delayMs * 2));
      deaths = [...deaths.filter((at) => nowMs - at < LOOP_WINDOW_MS), nowMs];
      return { delayMs: current, deaths: deaths.length, isLoop: deaths.length >= LOOP_DEATHS };
    },
  };
}
