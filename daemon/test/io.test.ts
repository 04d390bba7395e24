// Which kernel interface serves: io_uring where it works, epoll where it is forbidden, and never one for the other
// without saying so.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { IO, launch, prepare, ROOT, runToEnd, startDaemon, uringWorks } from "./support/daemon.js";
import { shardStatus } from "./support/status.js";
import { fetchRaw } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const FILES = { "hello.ts": `export default () => "hello";` };
const ROUTES = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
`;
const TOOL = join(ROOT, "build/release/without_uring_tool");

/** What runs a program without io_uring; undefined where no seccomp filter can be set. */
function withoutUring(t: ExecutionContext, error: "EPERM" | "ENOSYS"): string[] | undefined {
  if (!existsSync(TOOL)) t.fail(`${TOOL} is missing: build it with ops/native release tools`);
  const wrapper = [TOOL, String(constants.errno[error])];
  try {
    execFileSync(TOOL, [...wrapper.slice(1), "true"], { stdio: "pipe" });
    return wrapper;
  } catch (failed) {
    t.log(`no seccomp filter can be set here: ${String(failed)}`);
    t.pass();
    return undefined;
  }
}

test("the suite runs on the interface that it is meant for, and doctor agrees", async (t) => {
  const daemon = await startDaemon(t, { config: ROUTES, files: FILES });
  const expected = (IO === "auto" ? uringWorks() : IO === "uring") ? "uring" : "epoll";
  t.is((await shardStatus(daemon)).io, expected);
  const doctor = execFileSync(process.execPath, [join(ROOT, "dist/daemon/main.js"), "doctor"], {
    encoding: "utf8",
  });
  t.regex(doctor, uringWorks() ? /^ok +io +io_uring \(/m : /^note +io +epoll \(epoll, because /m);
  t.log(`PINION_TEST_IO is ${IO}: ${/ io +(.*)$/m.exec(doctor)?.[1]}`);
});

for (const [error, reason] of [
  ["EPERM", /forbidden/],
  ["ENOSYS", /has no io_uring, or a seccomp profile hides it/],
] as const) {
  test(`where io_uring fails with ${error}, auto serves with epoll and says why`, async (t) => {
    const wrapper = withoutUring(t, error);
    if (wrapper === undefined) return;
    const config = `listen: 127.0.0.1:0\nshards: 1\nio: auto\n${ROUTES}`;
    const folder = await prepare(t, { exact: true, config, files: FILES });
    const daemon = await launch(t, folder, { wrapper });
    const [line] = await daemon.said(/io is epoll[^\n]*/);
    t.regex(line, /io is epoll, because of io_uring: io_uring_setup failed with /);
    t.regex(line, reason);
    t.is((await shardStatus(daemon)).io, "epoll");
    t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
    t.is((await fetchRaw(daemon.port, get("/native"))).body, "native");
    t.is(await daemon.stop(), 0);
  });

  test(`where io_uring fails with ${error}, uring is refused`, async (t) => {
    const wrapper = withoutUring(t, error);
    if (wrapper === undefined) return;
    const config = `listen: 127.0.0.1:0\nshards: 1\nio: uring\n${ROUTES}`;
    const folder = await prepare(t, { exact: true, config, files: FILES });
    const { code, output } = await runToEnd(t, folder, { wrapper });
    t.is(code, 1, output);
    t.regex(output, /^pinion: .*io_uring_setup failed with /m);
    t.regex(output, reason);
    t.notRegex(output, /serving/);
  });
}

test("an arena that io_uring cannot number is served by epoll, and the log says why", async (t) => {
  const config = `listen: 127.0.0.1:0\nshards: 1\nio: auto\nlimits: { arena: 257MiB }\n${ROUTES}`;
  const folder = await prepare(t, { exact: true, config, files: FILES });
  // With a wrapper it is not held against what the probe says.
  const daemon = await launch(t, folder, { wrapper: ["env"] });
  await daemon.said(/io is epoll, because io_uring cannot number an arena of more than 256 MiB/);
  t.is((await shardStatus(daemon)).io, "epoll");
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  t.is(await daemon.stop(), 0);
});

test("the largest arena that io_uring can number is served by it", async (t) => {
  if (!uringWorks()) {
    t.log("there is no io_uring here");
    t.pass();
    return;
  }
  const config = `io: uring\nlimits: { arena: 256MiB }\n${ROUTES}`;
  const daemon = await startDaemon(t, { config, files: FILES });
  t.is((await fetchRaw(daemon.port, get("/hello"))).body, "hello");
  t.is(await daemon.stop(), 0);
});
