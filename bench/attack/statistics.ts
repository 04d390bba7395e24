/** Nearest-rank percentile of values in any order; 0 < share <= 1. NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

export interface Latencies {
  count: number;
  /** Milliseconds; null of nothing, since JSON has no NaN. */
  p50: number | null;
  p99: number | null;
  max: number | null;
}

export function latenciesOf(values: readonly number[]): Latencies {
  if (values.length === 0) return { count: 0, p50: null, p99: null, max: null };
  return {
    count: values.length,
    p50: percentile(values, 0.5),
    p99: percentile(values, 0.99),
    max: percentile(values, 1),
  };
}

export interface Timed {
  /** Milliseconds since the end of what disturbed. */
  atMs: number;
  latencyMs: number;
}

/**
 * Milliseconds until latency is normal: until, from then on, at least 98 in 100 of the requests scheduled within any
 * second are answered within the limit. Infinity: not within what was seen.
 */
export function recoveryMs(samples: readonly Timed[], limitMs: number): number {
  const sorted = [...samples].sort((a, b) => a.atMs - b.atMs);
  if (sorted.length === 0) return Infinity;
  const last = sorted[sorted.length - 1]?.atMs ?? 0;
  let recovered = Infinity;
  // Backwards in steps of 50 ms, as long as the second that begins there is normal. The last ones are shorter.
  for (let from = Math.floor(last / 50) * 50; from >= 0; from -= 50) {
    const window = sorted.filter((each) => each.atMs >= from && each.atMs < from + 1000);
    const slow = window.filter((each) => each.latencyMs > limitMs).length;
    if (slow > Math.max(1, window.length * 0.02)) break;
    recovered = from;
  }
  return recovered;
}
