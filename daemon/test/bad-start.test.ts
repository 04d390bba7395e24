// What is refused at start: configurations and handlers that are wrong.
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import test from "ava";
import { prepare, runToEnd } from "./support/daemon.js";
import { fetchRaw } from "./support/wire.js";

const FILES = {
  "hello.ts": `export default () => "hello";`,
};

// Name, configuration, what is said.
const BAD: [string, string, RegExp][] = [
  ["an unknown key", "routes: []\nlimit: {}\n", /pinion\.yaml:\d+:1: .*limit/],
  ["a value out of range", "limits:\n  slots: 1\n", /pinion\.yaml:\d+:\d+: .*slots/],
  ["broken YAML", "routes: [\n", /pinion\.yaml:\d+:\d+: /],
  [
    "a handler that is not there",
    "routes:\n  - { path: /, handler: ./helo.ts }\n",
    /pinion\.yaml:\d+:\d+: .*helo\.ts.*hello\.ts/,
  ],
  [
    "a bad pattern",
    'routes:\n  - { path: "/{id:integer}", handler: ./hello.ts }\n',
    /pinion\.yaml:\d+:\d+: /,
  ],
  [
    "a handler that does not compile",
    "routes:\n  - { path: /, handler: ./syntax.ts }\n",
    /syntax\.ts:2:\d+/,
  ],
];
for (const [name, config, message] of BAD) {
  test.serial(`bad configuration: ${name}`, async (t) => {
    const files = { ...FILES, "syntax.ts": "export default () => {\n  return ];\n};\n" };
    const folder = await prepare(t, { config, files, exact: true });
    const { code, output } = await runToEnd(t, folder);
    t.is(code, 2, output);
    t.regex(output, message);
  });
}

test.serial("a bad configuration is refused before a socket opens", async (t) => {
  const config = "listen: unix:s.sock\nroutes: []\nlimit: {}\n";
  const folder = await prepare(t, { config, exact: true });
  const path = join(folder, "s.sock");
  const server = createServer((_, answer) => answer.end("another"));
  t.teardown(() => server.close());
  await once(server.listen(path), "listening");
  const { code, output } = await runToEnd(t, folder);
  t.is(code, 2, output);
  t.regex(output, /pinion\.yaml:3:1: .*limit/);
  t.notRegex(output, /listens there/);
  t.is((await fetchRaw(path, "GET / HTTP/1.1\r\nHost: test\r\n\r\n")).body, "another");
});

test.serial("a handler that throws while it loads ends the start, and says where", async (t) => {
  const files = {
    ...FILES,
    "throws.ts": `throw new Error("at the top");\nexport default () => "";\n`,
  };
  const folder = await prepare(t, {
    config: "routes:\n  - { path: /, handler: ./throws.ts }\n",
    files,
  });
  const { code, output } = await runToEnd(t, folder);
  t.true(typeof code === "number" && code !== 0, `${code}`);
  t.regex(output, /at the top/);
  t.regex(output, /throws\.ts/);
});
