import { nowUs } from "./clock.js";

/**
 * Calls `each` at a fixed rate until it is stopped or `mostSeconds` have passed, however long the calls take and however
 * late the timer is: what is due is caught up with, with the time at which it was due.
 */
export function atRate(
  perSecond: number,
  mostSeconds: number,
  each: (scheduledUs: number, seenUs: number) => void,
): () => void {
  const start = nowUs();
  const most = Math.floor(perSecond * mostSeconds);
  let done = 0;
  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    const now = nowUs();
    const due = Math.min(most, Math.floor(((now - start) * perSecond) / 1e6));
    for (; done < due; done++) each(start + ((done + 1) * 1e6) / perSecond, now);
    timer = done < most ? setTimeout(tick, 1) : undefined;
  };
  tick();
  return () => clearTimeout(timer);
}
