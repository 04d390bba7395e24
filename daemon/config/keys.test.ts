// Keys of a configuration: unknown, twice, missing.
import { testRefused } from "./load.test.support.js";

testRefused([
  [
    "unknown key",
    "lissten: :80\n",
    `1:1: unknown key "lissten" (did you mean "listen"?) [config/unknown-key]`,
  ],
  [
    "unknown key without a near one",
    "xyzzy: 1\n",
    `1:1: unknown key "xyzzy"; the keys here are listen, shards, io, routes, write, cache, limits, admission, timeouts, health, http, log [config/unknown-key]`,
  ],
  [
    "misspelt handler",
    "routes:\n  - path: /a\n    handlr: ./hello.ts\n",
    `3:5: unknown key "handlr" (did you mean "handler"?) [config/unknown-key]`,
  ],
  [
    "unknown key in a flow map",
    "limits: { body: 1MiB, conections: 5 }\n",
    `1:23: unknown key "conections" (did you mean "connections"?) [config/unknown-key]`,
  ],
  [
    "prototype as key",
    "__proto__: 1\n",
    `1:1: unknown key "__proto__"; the keys here are listen, shards, io, routes, write, cache, limits, admission, timeouts, health, http, log [config/unknown-key]`,
  ],
  [
    "merge key",
    "health:\n  <<: { live: /a }\n",
    `2:3: unknown key "<<"; the keys here are enabled, live, ready [config/unknown-key]`,
  ],
  [
    "key given twice",
    "limits:\n  body: 1\n  body: 2\n",
    `3:3: key "body" is there twice [config/duplicate-key]`,
  ],
  [
    "keys given twice in a map within a list",
    `routes:\n  - { path: /a, path: /b, "path": /c }\n`,
    `2:17: key "path" is there twice [config/duplicate-key]`,
    `2:27: key "path" is there twice [config/duplicate-key]`,
  ],
  [
    "a number and text that are the same key",
    `routes:\n  - path: /a\n    respond: { headers: { 1: a, "1": b } }\n`,
    `3:33: key "1" is there twice [config/duplicate-key]`,
  ],
  [
    "missing path",
    "routes:\n  - handler: ./hello.ts\n",
    `2:5: routes[0] needs the key "path" [config/missing-key]`,
  ],
]);
