// The client's latencies: log-linear buckets, 128 for each power of two (client/histogram.h).

const SUB_BITS = 7;
const SUB_COUNT = 1 << SUB_BITS;

/** Counts by bucket, ascending. */
export type Histogram = readonly (readonly [bucket: number, count: number])[];

/** The middle of a bucket, in nanoseconds. */
export function bucketValue(bucket: number): number {
  if (bucket < SUB_COUNT) return bucket;
  const shift = Math.floor(bucket / SUB_COUNT) - 1;
  const width = 2 ** shift;
  return (SUB_COUNT + (bucket % SUB_COUNT)) * width + (width - 1) / 2;
}

/** Nanoseconds that `fraction` of the values do not exceed; NaN for an empty histogram. */
export function percentile(histogram: Histogram, fraction: number): number {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0);
  const rank = Math.max(1, Math.ceil(total * fraction));
  let seen = 0;
  for (const [bucket, count] of histogram) {
    seen += count;
    if (seen >= rank) return bucketValue(bucket);
  }
  return NaN;
}
