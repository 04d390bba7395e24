// When a dead worker is replaced: at once the first time, later and later while they keep dying.

const FIRST_MS = 100;
const LONGEST_MS = 10_000;
const LOOP_DEATHS = 5;

/** A worker that has lived for so long is healthy: whatever came before it is forgotten. */
export const HEALTHY_MS = 30_000;

export interface BackOff {
  /**
   * A worker that served for `livedMs` died: how long to wait, how many have died since one was healthy, and whether that
   * is a crash loop. By their number, not by deaths a minute: those that take long to load, or to hang, loop slowly.
   */
  died(livedMs: number): { delayMs: number; deaths: number; isLoop: boolean };
}

export function createBackOff(): BackOff {
  let delayMs = 0;
  let deaths = 0;
  return {
    died(livedMs) {
      if (livedMs >= HEALTHY_MS) delayMs = deaths = 0;
      const current = delayMs;
      delayMs = Math.min(LONGEST_MS, Math.max(FIRST_MS, delayMs * 2));
      deaths++;
      return { delayMs: current, deaths, isLoop: deaths >= LOOP_DEATHS };
    },
  };
}
