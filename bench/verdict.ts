// Goals against results.
import type { Goal, Place } from "./goals.js";
import type { Results } from "./metrics.js";
import { excessRatios, ratios, spread, type Spread } from "./statistics.js";

export interface Verdict {
  goal: Goal;
  /** Undefined: not measured in this run. */
  measured: Spread | undefined;
  /** The median decides. */
  met: boolean | undefined;
}

export function judge(goal: Goal, results: Results): Verdict {
  const measured = spread(measure(goal, results));
  if (measured === undefined) return { goal, measured, met: undefined };
  const { median } = measured;
  return {
    goal,
    measured,
    met: goal.atLeast === true ? median >= goal.limit : median <= goal.limit,
  };
}

function measure({ work, kind, ours, theirs, floors }: Goal, results: Results): number[] {
  const at = (place: Place | undefined) =>
    place === undefined ? [] : results.values(work, place.load, place.server, place.metric);
  switch (kind) {
    case "value":
      return at(ours);
    case "ratio":
      return ratios(at(ours), at(theirs));
    case "excess":
      return excessRatios(at(ours), at(floors?.[0]), at(theirs), at(floors?.[1]));
  }
}
