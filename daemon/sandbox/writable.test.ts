import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { ListenConfig } from "../config/types.js";
import { writablePaths } from "./writable.js";

function temporary(t: ExecutionContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "pinion-writable-")));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const unix = (path: string): ListenConfig => ({
  address: { kind: "unix", path },
  text: `unix:${path}`,
  proxyProtocol: false,
  backlog: 1,
});

test("what is configured, temporary files, systemd's folders and harmless devices", (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, "data"));
  symlinkSync("data", join(folder, "link"));
  const { write, remove } = writablePaths(
    { write: [{ path: join(folder, "link"), text: "./link" }], listen: [] },
    {
      STATE_DIRECTORY: `${folder}:${join(folder, "none")}`,
      LOGS_DIRECTORY: "",
      CACHE_DIRECTORY: "/usr",
    },
  );
  t.deepEqual(
    write.filter((path) => !path.startsWith("/dev/")),
    [join(folder, "data"), realpathSync(tmpdir()), folder],
  );
  t.true(write.includes("/dev/null"));
  t.deepEqual(remove, []);
});

test("a socket's folder is one to remove from only if there is nothing else", async (t) => {
  const folder = temporary(t);
  const server = createServer().listen(join(folder, "app.sock"));
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const listen = [unix(join(folder, "app.sock")), unix(join(folder, "other.sock"))];
  t.deepEqual(writablePaths({ write: [], listen }, {}).remove, [folder]);
  writeFileSync(join(folder, "file"), "");
  t.deepEqual(writablePaths({ write: [], listen }, {}).remove, []);
});
