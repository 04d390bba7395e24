import test from "ava";
import { parseConfig } from "./config/load.js";
import type { HandlerModule } from "./modules.js";
import { planRoutes } from "./routes.js";

// Modules that exist: this file and its neighbour.
const modules = new Map<string, HandlerModule>([
  ["./routes.js", { url: "file:///a.js", methods: undefined }],
  ["./main.js", { url: "file:///b.js", methods: ["GET", "POST"] }],
]);

const load = (yaml: string) =>
  parseConfig(yaml, new URL("./pinion.yaml", import.meta.url).pathname, () => null);
const plan = (yaml: string) => planRoutes(load(yaml), modules);

const GET = 1;
const POST = 4;

test("methods: as configured, as exported, or all that a function may be asked for", (t) => {
  const { native } = plan(
    "routes:\n  - { path: /a, handler: ./routes.js, methods: [POST] }\n  - { path: /b, handler: ./main.js }\n  - { path: /c, handler: ./routes.js }\n  - { path: /d, respond: {} }\n",
  );
  t.deepEqual(
    native.map(({ methods }) => methods),
    [POST, GET | POST, 0b101011111, GET, GET, GET],
  );
});

test("health routes come last and can be left out", (t) => {
  t.deepEqual(
    plan("health: { live: /l }\n").native.map(({ pattern, respond }) => [pattern, respond]),
    [
      ["/l", "live"],
      ["/-/ready", "ready"],
    ],
  );
  t.deepEqual(plan("health: { enabled: false }\n").native, []);
});

test("routes with the same module and options share a handler", (t) => {
  const { native, handlers } = plan(
    "routes:\n  - { path: /a, handler: ./routes.js }\n  - { path: /b, handler: ./routes.js, options: 1 }\n  - { path: /c, handler: ./routes.js }\n",
  );
  t.deepEqual(
    native.slice(0, 3).map(({ handler }) => handler),
    [0, 1, 0],
  );
  t.deepEqual(handlers, [
    { name: "./routes.js", url: "file:///a.js", options: undefined },
    { name: "./routes.js", url: "file:///a.js", options: 1 },
  ]);
});

test("a fixed answer has its type and fields", (t) => {
  const { native } = plan(
    "routes:\n  - { path: /a, respond: { status: 201, type: a/b, headers: { x: y }, body: é } }\n  - { path: /b, respond: { body: b } }\n  - { path: /c, respond: { status: 204 } }\n",
  );
  t.deepEqual(native[0]?.respond, {
    status: 201,
    fields: [
      ["Content-Type", "a/b"],
      ["x", "y"],
    ],
    body: new Uint8Array([0xc3, 0xa9]),
  });
  t.like(native[1]?.respond, { fields: [["Content-Type", "text/plain; charset=utf-8"]] });
  t.like(native[2]?.respond, { fields: [] });
});

test("time and body limit of a route", (t) => {
  const { native } = plan(
    "routes:\n  - { path: /a, handler: ./routes.js, timeout: 2s, body: 0 }\n  - { path: /b, handler: ./routes.js }\n",
  );
  t.like(native[0], { handlerTimeoutMs: 2000, bodyLimit: 0 });
  t.like(native[1], { handlerTimeoutMs: 0, bodyLimit: -1 });
});

test("clashes that only the modules' methods show are refused", (t) => {
  const error = t.throws(() =>
    plan(
      "routes:\n  - { path: /a, handler: ./main.js }\n  - { path: /a, handler: ./routes.js, methods: [POST] }\n",
    ),
  );
  t.regex(error.message, /:3:13: POST \/a is already answered by routes\[0\]/);
  t.notThrows(() =>
    plan(
      "routes:\n  - { path: /a, handler: ./main.js }\n  - { path: /a, handler: ./routes.js, methods: [PUT] }\n",
    ),
  );
});
