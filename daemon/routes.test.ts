import test from "ava";
import { parseConfig } from "./config/load.js";
import type { HandlerModules } from "./modules.js";
import { describeMethods, planRoutes } from "./routes.js";

// Modules that exist: this file and its neighbour.
const modules: HandlerModules["byName"] = new Map([
  ["./routes.js", { url: "file:///a.js", exports: null }],
  ["./main.js", { url: "file:///b.js", exports: ["GET", "POST"] }],
  ["./check.js", { url: "file:///c.js", exports: ["get", "helper"] }],
  ["./plan.js", { url: "file:///d.js", exports: ["factory"] }],
  ["./modules.js", { url: "file:///e.js", exports: [] }],
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

test("a handler without methods does not answer where a health check does", (t) => {
  t.throws(
    () => plan("health: { live: /healthz }\nroutes: [{ path: /healthz, handler: ./routes.js }]\n"),
    { message: /:2:18: GET \/healthz is already answered by health\.live/ },
  );
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

test("eight times as many handlers take about eight times as long, not sixty-four", (t) => {
  const route = (n: number) => `  - { path: /r${n}, handler: ./plan.js, options: { n: ${n} } }\n`;
  const best = (count: number) => {
    const loaded = load(`routes:\n${Array.from({ length: count }, (_, n) => route(n)).join("")}`);
    const times = [1, 2, 3].map(() => {
      const began = performance.now();
      t.is(planRoutes(loaded, modules).handlers.length, count);
      return performance.now() - began;
    });
    return Math.min(...times);
  };
  const few = best(1000);
  const many = best(8000);
  t.true(many < 24 * few, `${many} ms instead of ${few}`);
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

const refused: [name: string, rest: string, message: RegExp][] = [
  [
    "a method that the module does not export",
    "handler: ./main.js, methods: [GET, HEAD, PUT]",
    /:2:58: \.\/main\.js exports no PUT, only GET, POST; .* \[handler\/method\]/,
  ],
  [
    "a module without a handler",
    "handler: ./check.js",
    /:2:26: \.\/check\.js exports get, helper \(did you mean "GET"\?\): export a default function/,
  ],
  ["a module that exports nothing", "handler: ./modules.js", /:2:26: .* exports nothing: export a/],
  [
    "options for a module without a factory",
    "handler: ./main.js, options: { a: 1 }",
    /:2:37: \.\/main\.js exports no factory, .* \[handler\/options\]/,
  ],
];
for (const [name, rest, message] of refused) {
  test(`refused at its place: ${name}`, (t) => {
    const error = t.throws(() => plan(`routes:\n  - { path: /a, ${rest} }\n`));
    t.regex(error.message, message);
  });
}

test("what the exports do not show is left to the worker", (t) => {
  t.notThrows(() =>
    plan(
      "routes:\n  - { path: /a, handler: ./plan.js, options: 1, methods: [PUT] }\n  - { path: /b, handler: ./routes.js, options: 1, methods: [PUT] }\n",
    ),
  );
});

test("methods for people: HEAD where GET is, and a factory says it later", (t) => {
  const { config } = load(
    "routes:\n  - { path: /a, handler: ./main.js }\n  - { path: /b, handler: ./plan.js }\n  - { path: /c, handler: ./plan.js, methods: [POST] }\n  - { path: /d, respond: {} }\n",
  );
  t.deepEqual(
    config.routes.map((route) => describeMethods(route, modules)),
    ["GET HEAD POST", "(from its factory)", "POST", "GET HEAD"],
  );
});
