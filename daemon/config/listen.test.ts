// Where a configuration listens: addresses that are none, or clash.
import test from "ava";
import { join } from "node:path";
import { folder, parse, problemsOf, testRefused } from "./load.test.support.js";

testRefused([
  [
    "address without a port",
    "listen: 127.0.0.1\n",
    `1:9: the port is missing: 127.0.0.1:8080 [config/bad-address]`,
  ],
  [
    "address in a list",
    "listen:\n  - :80\n  - ::1\n",
    `3:5: an IPv6 address stands in brackets and has a port, all in quotes: "[::1]:8080" [config/bad-address]`,
  ],
  [
    "address there twice",
    "listen: [':80', ':80']\n",
    `1:17: :80 is there twice [config/duplicate-address]`,
  ],
  [
    "address there twice, in two spellings",
    "listen: [':8089', '[::]:8089']\n",
    `1:19: [::]:8089 clashes with :8089 (listen[0]): both would listen on the same address and port; remove one [config/duplicate-address]`,
  ],
  [
    "address that another one covers",
    "listen: ['127.0.0.1:80', '127.0.0.2:80', '0.0.0.0:80']\n",
    `1:42: 0.0.0.0:80 clashes with 127.0.0.1:80 (listen[0]): both would listen on the same address and port; remove one [config/duplicate-address]`,
  ],
  [
    "address in brackets without quotes",
    "listen: [::1]:8080\n",
    `1:9: an address in brackets stands in quotes: "[::1]:8080" [config/yaml]`,
  ],
  [
    "address in brackets without quotes, in a list",
    "listen:\n  - :80\n  - [::1]:80\n",
    `3:5: an address in brackets stands in quotes: "[::1]:80" [config/yaml]`,
  ],
  [
    "address in brackets only, which YAML takes for a list",
    "listen: { address: [::1] }\n",
    `1:20: listen.address must be text, not a list (did you mean "[::1]:8080", in quotes?) [config/wrong-type]`,
  ],
  [
    "address with a star",
    "listen: *:80\n",
    `1:9: an address that begins with * stands in quotes: "*:80" [config/yaml]`,
  ],
  [
    "address without brackets",
    "listen: ::1:8080\n",
    `1:9: an IPv6 address stands in brackets, and they in quotes: "[::1]:8080" [config/bad-address]`,
  ],
  [
    "port alone",
    "listen: 8080\n",
    `1:9: listen must be text, a map of keys or a list with at least one item, not 8080 (did you mean ":8080", or "127.0.0.1:8080"?) [config/wrong-type]`,
  ],
  [
    "number as an address",
    "listen: { address: 5 }\n",
    `1:20: listen.address must be text, not 5 (did you mean ":5", or "127.0.0.1:5"?) [config/wrong-type]`,
  ],
  [
    "mode of a port",
    "listen: { address: ':80', mode: '0660' }\n",
    `1:27: mode is for unix: addresses only; remove it [config/bad-address]`,
  ],
  [
    "mode as a number",
    "listen: { address: 'unix:a', mode: 660 }\n",
    `1:36: listen.mode must be text, not 660 [config/wrong-type]`,
  ],
  [
    "empty list of addresses",
    "listen: []\n",
    `1:9: listen must be text, a map of keys or a list with at least one item, not a list [config/wrong-value]`,
  ],
]);

test("addresses that do not clash", (t) => {
  for (const listen of [
    "':80', ':81'",
    "'127.0.0.1:80', '127.0.0.2:80', '[::1]:80'",
    "':0', ':0'",
    "'unix:a', 'unix:b'",
  ])
    t.deepEqual(problemsOf(`listen: [${listen}]\n`), []);
});

test("every form of listen is read", (t) => {
  const { config } = parse(
    "listen:\n  - '[::1]:80'\n  - { address: 'unix:run/a.sock', mode: '0660', proxyProtocol: true, backlog: 5 }\n  - fd:3\n  - systemd:web\n",
  );
  t.deepEqual(
    config.listen.map(({ address }) => address),
    [
      { kind: "tcp", host: "::1", port: 80, anyHost: false },
      { kind: "unix", path: join(folder, "run/a.sock") },
      { kind: "fd", fd: 3 },
      { kind: "systemd", name: "web" },
    ],
  );
  t.like(config.listen[1], { mode: 0o660, proxyProtocol: true, backlog: 5 });
});
