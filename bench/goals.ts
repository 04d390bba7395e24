// What Pinion must reach, as data. bench/README.md says how they are read.
import type { Metric } from "./metrics.js";

export interface Place {
  server: string;
  load: string;
  metric: Metric;
}

export interface Goal {
  work: string;
  /** What is measured, as the report prints it. */
  text: string;
  /**
   * `ratio`: ours over theirs. `excess`: what ours adds to its floor over what theirs adds to its own. `value`: ours alone.
   */
  kind: "ratio" | "excess" | "value";
  ours: Place;
  theirs?: Place;
  /** The floors of ours and theirs, for `excess`. */
  floors?: readonly [Place, Place];
  /** It is met at this value or below; for `atLeast`, at it or above. */
  limit: number;
  atLeast?: boolean;
}

const place = (server: string, load: string, metric: Metric = "cpu"): Place => ({
  server,
  load,
  metric,
});

const OURS = "pinion-uring";
const FLOOR = "floor-uring";

interface RatioOptions {
  ours?: string;
  metric?: Metric;
  /** The load of theirs, where it is another. */
  theirLoad?: string;
}

/** Ours over theirs at a load; the server CPU per request if no other metric is named. */
function ratio(
  work: string,
  load: string,
  theirs: string,
  limit: number,
  { ours = OURS, metric = "cpu", theirLoad = load }: RatioOptions = {},
): Goal {
  const against = theirLoad === load ? theirs : `${theirs} ${theirLoad}`;
  return {
    work,
    text: `${metric === "cpu" ? "" : `${metric}, `}${ours} / ${against}`,
    kind: "ratio",
    ours: place(ours, load, metric),
    theirs: place(theirs, theirLoad, metric),
    limit,
  };
}

function excess(work: string, load: string, theirs: string, limit: number): Goal {
  const floor = place(FLOOR, load);
  return {
    work,
    text: `excess of ${OURS} / excess of ${theirs}`,
    kind: "excess",
    ours: place(OURS, load),
    theirs: place(theirs, load),
    floors: [floor, floor],
    limit,
  };
}

function value(
  work: string,
  load: string,
  metric: Metric,
  limit: number,
  { ours = OURS, atLeast = false } = {},
): Goal {
  return {
    work,
    text: `${metric}, ${ours}`,
    kind: "value",
    ours: place(ours, load, metric),
    limit,
    atLeast,
  };
}

const both = (make: (load: string) => Goal[], ...loads: string[]): Goal[] => loads.flatMap(make);

function blocked(server: string, limit: number): Goal[] {
  return [
    {
      work: "blocked",
      text: `p99 of ${server}, JavaScript spinning / idle`,
      kind: "ratio",
      ours: place(server, "4000/s", "blockedP99"),
      theirs: place(server, "4000/s", "p99"),
      limit,
    },
    value("blocked", "4000/s", "share", 0.5, { ours: server, atLeast: true }),
  ];
}

/** Cost must not grow: beyond this it has, below it is noise. */
const NO_GROWTH = 1.05;

export const GOALS: readonly Goal[] = [
  ...both((load) => [ratio("hello", load, FLOOR, 1.1)], "64", "512"),
  ...both(
    (load) => [ratio("hello", load, FLOOR, 1.35), ratio("hello", load, "bun", 1.0)],
    "1",
    "4",
  ),
  ...both(
    (load) => [
      excess("hello", load, "bun", 0.45),
      excess("hello", load, "nginx", 0.65),
      excess("hello", load, "node-http", 0.12),
      excess("hello", load, "fastify", 0.1),
    ],
    "64",
    "512",
  ),
  ratio("hello", "64", "floor-epoll", 1.12, { ours: "pinion-epoll" }),
  ratio("hello", "64", "nginx", 1.0, { ours: "pinion-epoll" }),
  excess("json", "64", "bun", 0.6),
  excess("json", "64", "node-http", 0.2),
  ...both(
    (load) => [
      ratio("html", load, FLOOR, 1.15),
      excess("html", load, "bun", 0.4),
      excess("html", load, "nginx", 0.3),
    ],
    "64",
    "400",
  ),
  excess("post", "64", "bun", 0.7),
  excess("post", "64", "node-http", 0.25),
  ratio("pipeline", "64", "bun", 0.22),
  ratio("async", "promise", OURS, 1.1, { theirLoad: "sync" }),
  ratio("async", "timer", "node-http", 0.6),
  ratio("upload", "8", "node-http", 0.6),
  ratio("download", "8", "node-http", 0.6),
  ...["node-http", "bun"].flatMap((peer) => [
    ratio("latency", "1000/s", peer, 1.0, { metric: "p50" }),
    ratio("latency", "1000/s", peer, 1.0, { metric: "p99" }),
  ]),
  ratio("connections", "15000 idle", OURS, NO_GROWTH, { theirLoad: "0 idle" }),
  {
    ...ratio("routes", "64", OURS, NO_GROWTH, { ours: "pinion-uring-10000-routes" }),
    text: "10,000 routes more / without them",
  },
  value("idle", "15000", "connectionBytes", 256),
  ratio("resident", "64", "node-http", 1.3, { metric: "residentIdle" }),
  ratio("resident", "64", "node-http", 1.3, { metric: "residentLoaded" }),
  ...blocked("pinion-uring", 1.5),
  ...blocked("pinion-uring-unprivileged", 4),
];
