// Values of a configuration: of the wrong type, out of range, or not fitting each other.
import { answered, route, testRefused } from "./load.test.support.js";

testRefused([
  // --- types and values ---
  [
    "routes are no list",
    "routes: /a\n",
    `1:9: routes must be a list of at most 20000, not "/a" [config/wrong-type]`,
  ],
  [
    "routes are nothing",
    "routes:\n",
    `1:1: routes must be a list of at most 20000, not nothing [config/wrong-type]`,
  ],
  [
    "the whole is a list",
    "- 1\n",
    `1:1: the configuration must be a map of keys, not a list [config/wrong-type]`,
  ],
  [
    "the whole is text",
    "hello\n",
    `1:1: the configuration must be a map of keys, not "hello" [config/wrong-type]`,
  ],
  [
    "an item is text",
    "routes:\n  - /a\n",
    `2:5: routes[0] must be a map of keys, not "/a" [config/wrong-type]`,
  ],
  [
    "wrong word",
    "io: urin\n",
    `1:5: io must be auto, uring or epoll, not "urin" (did you mean "uring"?) [config/wrong-value]`,
  ],
  [
    "method in small letters",
    answered + "    methods: [get]\n",
    `4:15: routes[0].methods[0] must be GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE or PATCH, not "get" (did you mean "GET"?) [config/wrong-value]`,
  ],
  [
    "methods are a word",
    answered + "    methods: GET\n",
    `4:14: routes[0].methods must be a list with at least one item, not "GET" [config/wrong-type]`,
  ],
  [
    "too many shards",
    "shards: 1000\n",
    `1:9: shards must be "auto" or a whole number from 1 to 256, not 1000 [config/wrong-value]`,
  ],
  [
    "shards in words",
    "shards: many\n",
    `1:9: shards must be "auto" or a whole number from 1 to 256, not "many" [config/wrong-value]`,
  ],
  [
    "number with a fraction",
    "limits: { fields: 1.5 }\n",
    `1:19: limits.fields must be a whole number from 1 to 200, not 1.5 [config/wrong-type]`,
  ],
  [
    "number beyond reason",
    "limits: { pipeline: 1e999 }\n",
    `1:21: limits.pipeline must be a whole number from 1 to 65535, not null [config/wrong-type]`,
  ],
  [
    "boolean in words",
    "log: { access: yes }\n",
    `1:16: log.access must be true or false, not "yes" [config/wrong-type]`,
  ],
  [
    "module without an ending",
    route("handler: ./hello"),
    `3:14: routes[0].handler must be the path of a .ts, .mts, .js or .mjs module, not "./hello" (did you mean "./hello.ts"?) [config/wrong-value]`,
  ],
  [
    "module without an ending that is nowhere",
    route("handler: ./nothing-like-it"),
    `3:14: routes[0].handler must be the path of a .ts, .mts, .js or .mjs module, not "./nothing-like-it" [config/wrong-value]`,
  ],
  [
    "count with a unit",
    "limits: { connections: 10K }\n",
    `1:24: limits.connections must be a whole number from 1 to 1000000, not "10K" (did you mean 10000?) [config/wrong-type]`,
  ],
  [
    "count with a separator",
    "limits: { connections: 20_000, slots: '16' }\n",
    `1:24: limits.connections must be a whole number from 1 to 1000000, not "20_000" (did you mean 20000?) [config/wrong-type]`,
    `1:39: limits.slots must be a whole number from 2 to 65536, not "16" (did you mean 16?) [config/wrong-type]`,
  ],
  [
    "count that cannot be",
    "limits: { connections: 10M }\n",
    `1:24: limits.connections must be a whole number from 1 to 1000000, not "10M" [config/wrong-type]`,
  ],
  [
    "package as a module",
    route("handler: ms"),
    `3:14: routes[0].handler must be the path of a .ts, .mts, .js or .mjs module, not "ms"; a file is written with ./ and its ending, such as ./ms.ts (a package is no handler) [config/wrong-value]`,
  ],
  [
    "map as a path, which braces without quotes are",
    "routes:\n  - path: {id}\n    respond: {}\n",
    `2:11: routes[0].path must be text, not a map [config/wrong-type]`,
  ],
  [
    "number as a path",
    "routes:\n  - path: 5\n    respond: {}\n",
    `2:11: routes[0].path must be text, not 5 [config/wrong-type]`,
  ],
  // --- units ---
  [
    "size without sense",
    "limits: { body: big }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not "big" [config/wrong-value]`,
  ],
  [
    "size in small letters",
    "limits: { body: 1mib }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not "1mib" (did you mean 1MiB?) [config/wrong-value]`,
  ],
  [
    "size with a short unit",
    "limits: { body: 10M }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not "10M" (did you mean 10MiB?) [config/wrong-value]`,
  ],
  [
    "negative size",
    "limits: { body: -1 }\n",
    `1:17: limits.body must be a size such as 16KiB, 1MiB, 10MB or 4096, not -1 [config/wrong-value]`,
  ],
  [
    "size beyond its bound",
    "limits: { head: 64KiB }\n",
    `1:17: limits.head must be 256 bytes to 65535 bytes, not 64KiB [config/out-of-range]`,
  ],
  [
    "duration without unit",
    "timeouts: { head: 10 }\n",
    `1:19: timeouts.head must be a duration such as 500ms, 10s, 2m or 1h, not 10 (did you mean 10s?) [config/wrong-type]`,
  ],
  [
    "duration of nothing, without unit",
    "timeouts: { head: 0 }\n",
    `1:19: timeouts.head must be a duration such as 500ms, 10s, 2m or 1h, not 0 [config/wrong-type]`,
  ],
  [
    "duration of nothing, where it may be",
    "timeouts: { drain: 0 }\n",
    `1:20: timeouts.drain must be a duration such as 500ms, 10s, 2m or 1h, not 0 (did you mean 0s?) [config/wrong-type]`,
  ],
  [
    "duration with a long unit",
    "timeouts: { head: 10 sec }\n",
    `1:19: timeouts.head must be a duration such as 500ms, 10s, 2m or 1h, not "10 sec" (did you mean 10s?) [config/wrong-value]`,
  ],
  [
    "duration below its bound",
    "timeouts: { spin: 1ms }\n",
    `1:19: timeouts.spin must be 100ms to 168h, not 1ms [config/out-of-range]`,
  ],
  [
    "duration of nothing",
    "timeouts: { head: 0s }\n",
    `1:19: timeouts.head must be 1ms to 168h, not 0s [config/out-of-range]`,
  ],
  // --- what must fit ---
  [
    "head smaller than target",
    "limits: { head: 1KiB }\n",
    `1:17: limits.head must be at least 8KiB: limits.target must fit into it [config/limits-clash]`,
  ],
  [
    "connection smaller than head",
    "limits: { connection: 16KiB }\n",
    `1:23: limits.connection must be at least 20KiB: a whole head (limits.head) and a segment must fit into it [config/limits-clash]`,
  ],
  [
    "arena smaller than its parts",
    "limits: { slots: 16, arena: 256KiB }\n",
    `1:29: limits.arena must be at least 512KiB: two connections (limits.connection) and 16 segments must fit into it [config/limits-clash]`,
  ],
  [
    "arena smaller than its slots",
    "limits: { arena: 1MiB }\n",
    `1:18: limits.arena must be at least 8MiB: two segments for each of 1024 slots (limits.slots) must fit into it [config/limits-clash]`,
  ],
  [
    "arena larger than io_uring can have",
    "io: uring\nlimits: { arena: 257MiB }\n",
    `2:18: limits.arena must be at most 256MiB with io: uring, which cannot number more; lower it, or write io: epoll [config/limits-clash]`,
  ],
]);
