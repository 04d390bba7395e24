// What is made of the rounds.

export interface Spread {
  median: number;
  least: number;
  most: number;
}

/** The median of an even count is the mean of the middle two. Undefined for no values. */
export function spread(values: readonly number[]): Spread | undefined {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  const least = sorted[0];
  const most = sorted.at(-1);
  if (least === undefined || most === undefined) return undefined;
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? most;
  const lower = sorted.length % 2 === 1 ? upper : (sorted[middle - 1] ?? least);
  return { median: (lower + upper) / 2, least, most };
}

/** Round by round: a machine that slows down slows both. Rounds that only one of them has are left out. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  const count = Math.min(ours.length, theirs.length);
  return Array.from({ length: count }, (_, round) => (ours[round] ?? NaN) / (theirs[round] ?? NaN));
}

/** What ours adds to its floor against what theirs adds to its own, round by round. A peer at its floor or below gives none. */
export function excessRatios(
  ours: readonly number[],
  oursFloor: readonly number[],
  theirs: readonly number[],
  theirsFloor: readonly number[],
): number[] {
  const count = Math.min(ours.length, oursFloor.length, theirs.length, theirsFloor.length);
  return Array.from({ length: count }, (_, round) => {
    const excess = (theirs[round] ?? NaN) - (theirsFloor[round] ?? NaN);
    return excess > 0 ? ((ours[round] ?? NaN) - (oursFloor[round] ?? NaN)) / excess : NaN;
  });
}
