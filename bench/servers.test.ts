import test from "ava";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { floorMissing } from "./servers.js";

test("a floor that is missing: what was not built is, what was left out of the build needs another liburing", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-floor-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const build = (name: string, text: string) =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  t.is(floorMissing("epoll", folder), "ops/native release floor");
  t.is(floorMissing("uring", folder), "ops/native release floor");

  build("floor_epoll", "exit 0");
  t.is(floorMissing("epoll", folder), undefined);
  t.regex(floorMissing("uring", folder) ?? "", /^liburing 2\.3 or newer .*release addon floor$/);

  build("floor_uring", "echo 'io_uring_setup: Operation not permitted' >&2; exit 1");
  t.regex(floorMissing("uring", folder) ?? "", /^kernel 6\.1 .*: io_uring_setup: Operation/);
  build("floor_uring", "exit 0");
  t.is(floorMissing("uring", folder), undefined);
});
