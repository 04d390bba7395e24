// Routes of a configuration: what answers them, their patterns, and who has a request already.
import test from "ava";
import { answered, parse, route, testRefused } from "./load.test.support.js";

testRefused([
  [
    "nothing answers",
    "routes:\n  - path: /a\n",
    `2:5: nothing answers /a; add handler or respond [config/route-answer]`,
  ],
  [
    "two answers",
    answered + "    respond: {}\n",
    `4:5: a route has handler or respond, not both; remove one [config/route-answer]`,
  ],
  [
    "options without a handler",
    route("respond: {}\n    options: 1"),
    `4:5: options is for routes with a handler; remove it [config/route-answer]`,
  ],
  [
    "missing module",
    route("handler: ./helo.ts"),
    `3:14: no file ./helo.ts in FOLDER (did you mean "./hello.ts"?) [config/missing-handler]`,
  ],
  [
    "missing folder",
    route("handler: no/hello.ts"),
    `3:14: no file ./no/hello.ts in FOLDER (did you mean "./hello.ts"?) [config/missing-handler]`,
  ],
  [
    "method given twice",
    answered + "    methods: [GET, GET]\n",
    `4:20: GET is there twice [config/duplicate-method]`,
  ],
  [
    "pattern without a slash",
    "routes: [{ path: a, respond: {} }]\n",
    `1:18: a pattern begins with / [config/bad-pattern]`,
  ],
  [
    "bad pattern, plain",
    "routes: [{ path: /a/!, respond: {} }]\n",
    `1:21: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern, quoted",
    `routes: [{ path: "/a\\x62!", respond: {} }]\n`,
    `1:25: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern, single quotes",
    "routes: [{ path: '/a''!', respond: {} }]\n",
    `1:23: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern behind two-byte letters",
    "routes: [{ path: /éé!, respond: {} }]\n",
    `1:21: no ! here [config/bad-pattern]`,
  ],
  [
    "bad pattern, folded",
    `routes:\n  - respond: {}\n    path: >-\n      /a!\n`,
    `3:11: no ! here [config/bad-pattern]`,
  ],
  [
    "route there twice",
    `${answered}    methods: [GET, POST]\n  - path: /a\n    respond: {}\n`,
    `5:11: GET /a is already answered by routes[0] (/a); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "route there twice by another name",
    "routes:\n  - { path: '/{a}', respond: {} }\n  - { path: '/{b:string}', respond: {} }\n",
    `3:13: GET /{b:string} is already answered by routes[0] (/{a}); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "route there twice, escaped",
    "routes:\n  - { path: /b, respond: {} }\n  - { path: /%62, respond: {} }\n",
    `3:13: GET /%62 is already answered by routes[0] (/b); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "route of the health check",
    "routes: [{ path: /-/live, respond: {} }]\n",
    `1:18: GET /-/live is already answered by health.live (/-/live); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "health checks at one path",
    "health: { live: /h, ready: /h }\n",
    `1:28: GET /h is already answered by health.live (/h); remove one, or give them different methods [config/duplicate-route]`,
  ],
  [
    "health check with a parameter",
    "health: { live: '/{a}' }\n",
    `1:17: health.live must be a plain path, without parameters [config/bad-pattern]`,
  ],
  [
    "body where none may be",
    route("respond: { status: 204, body: x }"),
    `3:35: a 204 has no body; remove it, or use another status [config/bad-answer]`,
  ],
  [
    "body of a 205",
    route("respond: { status: 205, body: x }"),
    `3:35: a 205 has no body; remove it, or use another status [config/bad-answer]`,
  ],
  [
    "more fields than an answer may have",
    route(`respond: { headers: { X: ${"x".repeat(40_000)} } }`),
    `3:25: the headers have 40005 bytes; make them 32768 at most [config/bad-answer]`,
  ],
  [
    "field of the server's own",
    route("respond: { headers: { Date: x } }"),
    `3:27: Date is written by the server itself; remove it [config/bad-answer]`,
  ],
  [
    "type among the fields",
    route("respond: { headers: { content-type: a/b } }"),
    `3:27: content-type is written by the server itself; use type [config/bad-answer]`,
  ],
  [
    "no field name",
    route(`respond: { headers: { "a b": x } }`),
    `3:27: "a b" is no field name [config/bad-answer]`,
  ],
  [
    "line break in a field",
    route(`respond: { headers: { a: "x\\r\\ny: z" } }`),
    `3:30: the value of a must not contain line breaks, controls or characters beyond ASCII [config/bad-answer]`,
  ],
  [
    "line break in the type",
    route(`respond: { type: "x\\ny" }`),
    `3:22: type must be a media type such as text/plain, without line breaks [config/bad-answer]`,
  ],
  [
    "status out of range",
    route("respond: { status: 100 }"),
    `3:24: routes[0].respond.status must be a whole number from 200 to 599, not 100 [config/wrong-value]`,
  ],
]);

test("options are handed over as they are", (t) => {
  const { config } = parse(answered + "    options: { a: [1, null, { b: c }] }\n");
  t.deepEqual(config.routes[0]?.options, { a: [1, null, { b: "c" }] });
});
