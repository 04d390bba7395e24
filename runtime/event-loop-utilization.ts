// Event-loop utilization as it is. An io_uring ring interrupts libuv's wait when it has something, and libuv counts a wait
// that was interrupted as work: an idle shard with a request now and then would look busy.
import { performance, type EventLoopUtilization } from "node:perf_hooks";

type Utilization = Pick<EventLoopUtilization, "idle" | "active" | "utilization">;

function ratio(idle: number, active: number): Utilization {
  return { idle, active, utilization: active === 0 ? 0 : active / (idle + active) };
}

/** Makes this thread's performance.eventLoopUtilization() count `unseenSleepMs[0]` as the idle time that it was. */
export function correctEventLoopUtilization(unseenSleepMs: Float64Array): void {
  const measure = performance.eventLoopUtilization.bind(performance);
  const now = (): Utilization => {
    const { idle, active } = measure();
    const unseen = unseenSleepMs[0] ?? 0;
    return ratio(idle + unseen, Math.max(0, active - unseen));
  };
  const since = (later: Utilization, earlier: Utilization): Utilization =>
    ratio(later.idle - earlier.idle, later.active - earlier.active);
  // As Node defines it: until now; since the first; from the second to the first.
  Object.defineProperty(performance, "eventLoopUtilization", {
    configurable: true,
    writable: true,
    value: function eventLoopUtilization(first?: Utilization, second?: Utilization): Utilization {
      if (first === undefined) return now();
      return second === undefined ? since(now(), first) : since(first, second);
    },
  });
}
