// What whoever runs the daemon sees of it.
import { readFileSync } from "node:fs";
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { Wire } from "./support/wire.js";

const NEVER = {
  config: `routes:\n  - { path: /never, handler: ./never.ts }\n`,
  files: {
    "never.ts": `export default () => { console.error("begun"); return new Promise(() => {}); };`,
  },
};

test("a process list tells which configuration an instance serves", async (t) => {
  const daemon = await startDaemon(t, NEVER);
  const title = readFileSync(`/proc/${daemon.pid}/cmdline`, "utf8").split("\0", 1)[0] ?? "";
  t.is(title.trimEnd(), "pinion serve pinion.yaml");
});

test("a second signal ends it at once, and says so", async (t) => {
  const daemon = await startDaemon(t, NEVER);
  const wire = await Wire.connect(daemon.port);
  wire.send("GET /never HTTP/1.1\r\nHost: test\r\n\r\n");
  await daemon.said(/begun/);
  daemon.signal("SIGTERM");
  await daemon.said(/SIGTERM: draining/);
  daemon.signal("SIGTERM");
  t.is(await daemon.exited, "SIGTERM");
  t.regex(daemon.output(), /SIGTERM again: stopping at once/);
  wire.close();
});
