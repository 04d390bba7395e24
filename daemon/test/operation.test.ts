// What whoever runs the daemon sees of it.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { prepare, ROOT, startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

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

test("SIGHUP does not reload, says so, and stops nothing", async (t) => {
  const config =
    "routes: [{ path: /, respond: { body: before } }, { path: /js, handler: ./js.ts }]\n";
  const files = { "js.ts": `export default () => "before";` };
  const daemon = await startDaemon(t, { config, files });
  writeFileSync(join(daemon.folder, "pinion.yaml"), config.replace("before", "after"));
  writeFileSync(join(daemon.folder, "js.ts"), files["js.ts"].replace("before", "after"));
  daemon.signal("SIGHUP");
  await daemon.said(/"level":"warn".*SIGHUP: reloading is not there yet; restart/);
  for (const path of ["/", "/js"]) {
    const { status, body } = await fetchRaw(
      daemon.port,
      `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`,
    );
    t.deepEqual({ status, body }, { status: 200, body: "before" });
  }
  t.is(await daemon.stop(), 0);
});

test("a limit on open files that leaves next to no connections is refused, with what to do", async (t) => {
  const folder = await prepare(t, { config: "routes: []\nlimits: { connections: 1000 }\n" });
  const serve = `"${process.execPath}" "${join(ROOT, "dist/daemon/main.js")}" serve`;
  const { code, told } = await new Promise<{ code: unknown; told: string }>((ended) => {
    const command = `ulimit -n 100 && exec ${serve}`;
    execFile("sh", ["-c", command], { cwd: folder, timeout: 20_000 }, (error, _, stderr) =>
      ended({ code: error?.code, told: stderr }),
    );
  });
  t.is(code, 1);
  t.regex(told, /open files \(100\) leaves room for 3 connections in 1 shard: raise LimitNOFILE=/);
  t.regex(told, /to at least 113$/m);
});
