// The works: what is measured, under which load, with whom.
import { HANDLED, type RouteName } from "./routes.js";

/**
 * `closed`: each connection sends its next burst when the last is answered. `rate`: requests on a fixed schedule.
 * `idle`: memory of open connections. `resident`: memory of the whole server. `blocked`: latency of a native route, with
 * JavaScript idle and with JavaScript spinning.
 */
export type LoadKind = "closed" | "rate" | "idle" | "resident" | "blocked";

export interface Load {
  name: string;
  kind: LoadKind;
  route: RouteName;
  connections: number;
  depth?: number;
  idle?: number;
  rate?: number;
  /** Requests/s for wrk2's latencies; left out: none are taken. */
  wrk2Rate?: number;
}

export interface Work {
  name: string;
  title: string;
  servers: readonly string[];
  loads: readonly Load[];
}

const FLOORS = ["floor-uring", "floor-epoll"];
const PINION = ["pinion-uring", "pinion-epoll"];
const JAVASCRIPT = ["node-http", "fastify", "express", "bun", "deno"];
const HANDLERS = [...PINION, ...JAVASCRIPT];

function closed(route: RouteName, connections: number, more: Partial<Load> = {}): Load {
  return {
    name: String(connections),
    kind: "closed",
    route,
    connections,
    wrk2Rate: connections >= 16 ? 4000 : 500,
    ...more,
  };
}

export const WORKS: readonly Work[] = [
  {
    name: "hello",
    title: "A short string",
    servers: [...FLOORS, ...HANDLERS, "nginx", "pinion-uring-access"],
    loads: [1, 4, 64, 512].map((connections) => closed("hello", connections)),
  },
  {
    name: "json",
    title: "JSON with a path parameter, from a request with twelve header fields",
    servers: [...FLOORS, ...HANDLERS],
    loads: [closed("user", 64)],
  },
  {
    name: "html",
    title: "10 KiB of HTML (nginx: a file)",
    servers: [...FLOORS, ...HANDLERS, "nginx"],
    loads: [64, 400].map((connections) => closed("page", connections)),
  },
  {
    name: "post",
    title: "1 KiB of JSON, parsed and answered",
    servers: [...FLOORS, ...HANDLERS],
    loads: [closed("order", 64)],
  },
  {
    name: "pipeline",
    title: "The short string, 16 requests in each burst",
    servers: [...FLOORS, ...HANDLERS, "nginx"],
    loads: [closed("hello", 64, { depth: 16, wrk2Rate: 0 })],
  },
  {
    name: "async",
    title: "A handler that awaits: a resolved promise, or a timer of 5 ms",
    servers: HANDLERS,
    loads: [
      closed("hello", 64, { name: "sync", wrk2Rate: 0 }),
      closed("promise", 64, { name: "promise" }),
      closed("timer", 64, { name: "timer" }),
    ],
  },
  {
    name: "upload",
    title: "1 MiB of request body, read and counted",
    servers: [...FLOORS, ...HANDLERS],
    loads: [closed("upload", 8, { wrk2Rate: 0 })],
  },
  {
    name: "download",
    title: "1 MiB of answer (nginx: a file)",
    servers: [...FLOORS, ...HANDLERS, "nginx"],
    loads: [closed("download", 8, { wrk2Rate: 100 })],
  },
  {
    name: "latency",
    title: "The short string at 1,000 requests/s",
    servers: [...FLOORS, ...HANDLERS, "nginx"],
    loads: [{ name: "1000/s", kind: "rate", route: "hello", connections: 16, rate: 1000 }],
  },
  {
    name: "connections",
    title: "Cost by open connections: 64 carry the load, alone or beside 15,000 idle ones",
    servers: [...FLOORS, ...PINION],
    loads: [
      closed("hello", 64, { name: "0 idle", wrk2Rate: 0 }),
      closed("hello", 64, { name: "15000 idle", idle: 15_000, wrk2Rate: 0 }),
    ],
  },
  {
    name: "routes",
    title: "Cost by routes: the few of the benchmark, or 10,000 more",
    servers: ["floor-uring", "pinion-uring", "pinion-uring-10000-routes"],
    loads: [closed("user", 64, { wrk2Rate: 0 })],
  },
  {
    name: "idle",
    title: "User memory of an idle connection that has had one answer",
    servers: [...HANDLERS, "nginx"],
    loads: [{ name: "15000", kind: "idle", route: "hello", connections: 0, idle: 15_000 }],
  },
  {
    name: "resident",
    title: "Resident memory of the whole server, idle and after load",
    servers: [...HANDLERS, "nginx"],
    loads: [{ name: "64", kind: "resident", route: "hello", connections: 64 }],
  },
  {
    name: "blocked",
    title: "A native route at 4,000 requests/s, with JavaScript idle and spinning on the same core",
    servers: [...PINION, "pinion-uring-unprivileged"],
    loads: [{ name: "4000/s", kind: "blocked", route: "fixed", connections: 16, rate: 4000 }],
  },
];

/** Every server with every route, under little load: shows that the benchmark works, measures nothing. */
export function checkWorks(): Work[] {
  const light = (route: RouteName) => closed(route, 8, { name: route, wrk2Rate: 0 });
  const pipeline = { ...light("hello"), name: "pipeline", depth: 16 };
  const rate: Load = { ...light("hello"), name: "rate", kind: "rate", rate: 200 };
  const idle: Load = { ...light("hello"), name: "idle", kind: "idle", connections: 0, idle: 50 };
  const blocked: Load = { ...light("fixed"), name: "blocked", kind: "blocked", rate: 200 };
  const title = "Every route of every server, under little load: nothing is measured";
  const loads = [...HANDLED.map(light), pipeline, rate];
  return [
    { name: "check", title, servers: [...HANDLERS, "nginx"], loads },
    // The floor knows one answer at a time.
    ...HANDLED.map((route) => ({
      name: `check-floor-${route}`,
      title,
      servers: FLOORS,
      loads: route === "hello" ? [light(route), pipeline, rate] : [light(route)],
    })),
    { name: "check-memory", title, servers: ["pinion-epoll", "node-http"], loads: [idle] },
    { name: "check-access", title, servers: ["pinion-uring-access"], loads: [light("hello")] },
    {
      name: "check-blocked",
      title,
      servers: ["pinion-uring-unprivileged", "pinion-epoll"],
      loads: [blocked],
    },
  ];
}
