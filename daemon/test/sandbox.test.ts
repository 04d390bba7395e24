// What handlers may write to: nothing but what the configuration names, by whatever way they try.
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { loadAddon } from "../../runtime/addon-loader.js";
import { type Daemon, launch, prepare, ROOT, runToEnd } from "./support/daemon.js";
import { fetchRaw } from "./support/wire.js";

const MAIN = join(ROOT, "dist/daemon/main.js");
const TOOL = join(ROOT, "build/release/without_landlock_tool");
const { abi } = loadAddon().tryWriteRestriction();
// The kernel's own word decides, so that a machine without Landlock shows that serving goes on.
const sandboxed = abi >= 3 ? test.serial : test.serial.skip;

/** One way each to write to a path. */
const WAYS = `import { execFile, execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";

const touch = 'const { writeFileSync } = require("node:fs"); const { workerData } = require("node:worker_threads"); writeFileSync(workerData, "x");';
const existing = (path: string) => join(dirname(path), "existing");
export const ways: Record<string, (path: string) => unknown> = {
  sync: (path) => fs.writeFileSync(path, "x"),
  // More at once than the pool has threads.
  pool: async (path) => {
    const all = await Promise.allSettled(Array.from({ length: 16 }, (_, n) => fs.promises.writeFile(path + (n || ""), "x")));
    const refused = all.filter(({ status }) => status === "rejected");
    if (refused.length === 16) throw (refused[0] as PromiseRejectedResult).reason;
    if (refused.length > 0) throw new Error(refused.length + " of 16 are refused");
  },
  stream: (path) => new Promise((done, failed) => fs.createWriteStream(path).on("error", failed).on("finish", () => done(undefined)).end("x")),
  childSync: (path) => execFileSync("sh", ["-c", 'echo x > "$1"', "sh", path], { stdio: "pipe" }),
  child: (path) => promisify(execFile)("touch", [path]),
  thread: (path) => new Promise((done, failed) => {
    const worker = new Worker(touch, { eval: true, workerData: path });
    worker.on("error", failed).on("exit", done);
  }),
  append: (path) => { fs.appendFileSync(existing(path), "x"); fs.writeFileSync(path, "x"); },
  truncate: (path) => { fs.truncateSync(existing(path)); fs.writeFileSync(path, "x"); },
  mkdir: (path) => fs.mkdirSync(path),
  symlink: (path) => fs.symlinkSync("/", path),
  link: (path) => fs.linkSync(existing(path), path),
  rename: (path) => fs.renameSync(existing(path), path),
  remove: (path) => { fs.unlinkSync(existing(path)); fs.writeFileSync(path, "x"); },
  copy: (path) => fs.promises.copyFile(existing(path), path),
};
`;
const NAMES = [...WAYS.matchAll(/^ {2}(\w+): \(|^ {2}(\w+): async \(/gm)].map(
  ([, plain, async]) => plain ?? async ?? "",
);

const FILES = {
  "ways.ts": WAYS,
  "write.ts": `import { ways } from "./ways.ts";
    export default async (request) => {
      await ways[request.params.way](request.query.get("path"));
      return "written";
    };`,
  "late.ts": `import { writeFile } from "node:fs/promises";
    export default async (request) => {
      void writeFile(request.query.get("path"), "x");
      await new Promise(() => {});
    };`,
  "read.ts": `import { readFile } from "node:fs/promises";
    export default async (request) => (await readFile(request.query.get("path"))).length + " bytes";`,
};
const ROUTES = `
routes:
  - { path: "/write/{way}", handler: ./write.ts }
  - { path: /late, handler: ./late.ts }
  - { path: /read, handler: ./read.ts }
`;
const FOLDERS = ["data", "out", "tmp", "home"];

/** A folder outside what the daemon takes for temporary: that one is in it. */
async function project(t: ExecutionContext, config: string, ownListen = false): Promise<string> {
  const folder = await prepare(t, { config: config + ROUTES, files: FILES, ownListen });
  for (const name of FOLDERS) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, "existing"), "there before\n");
  }
  return folder;
}

/** Whatever the daemon might write on its own account goes into the project. */
const environment = (folder: string) => ({
  TMPDIR: join(folder, "tmp"),
  HOME: join(folder, "home"),
  XDG_CACHE_HOME: join(folder, "home/cache"),
});

const start = (t: ExecutionContext, folder: string): Promise<Daemon> =>
  launch(t, folder, { env: environment(folder) });

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const write = (at: number | string, way: string, path: string) =>
  fetchRaw(at, get(`/write/${way}?path=${encodeURIComponent(path)}`));

/** One field of the status of each thread. */
function ofThreads(pid: number, field: string): string[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    return new RegExp(`^${field}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
  });
}

sandboxed("writing is refused by every way but where it is allowed", async (t) => {
  const folder = await project(t, "write: [./data]\n");
  const daemon = await start(t, folder);
  t.is(NAMES.length, 14);
  for (const way of NAMES) {
    const path = join(folder, "out", way);
    const refused = await write(daemon.port, way, path);
    t.is(refused.status, 500, way);
    t.false(existsSync(path), way);
    const { requestId } = JSON.parse(refused.body) as { requestId: string };
    const line = (await daemon.said(new RegExp(`.*"requestId":"${requestId}".*`)))[0];
    t.regex(line, /EACCES|EXDEV|Permission denied/, way);
    t.regex(
      line,
      /hint: handlers may write to [^,]+\/data, [^,]+\/tmp only; .*`write: \[\.\/data/,
      way,
    );
    t.true(line.includes(join(folder, "pinion.yaml")), way);
    for (const allowed of ["data", "tmp"]) {
      writeFileSync(join(folder, allowed, "existing"), "there before\n");
      const written = await write(daemon.port, way, join(folder, allowed, way));
      t.is(written.status, 200, `${way} to ${allowed}: ${daemon.output()}`);
      t.truthy(lstatSync(join(folder, allowed, way)), way);
    }
  }
  t.is(readFileSync(join(folder, "out/existing"), "utf8"), "there before\n");
  t.deepEqual(readdirSync(join(folder, "out")), ["existing"]);
  t.is((await write(daemon.port, "sync", "/dev/null")).status, 200);
  t.is((await fetchRaw(daemon.port, get("/read?path=/etc/passwd"))).status, 200);
  t.is(await daemon.stop(), 0);
});

sandboxed("every thread is held to it", async (t) => {
  const folder = await project(t, "write: [./data]\n");
  const daemon = await start(t, folder);
  await write(daemon.port, "pool", join(folder, "data/x"));
  const threads = ofThreads(daemon.pid, "NoNewPrivs");
  t.true(threads.length > 10);
  t.deepEqual(new Set(threads), new Set(["1"]));
  t.regex(
    daemon.output(),
    /writing is restricted to .*\/data, .*\/tmp \(Landlock, ABI \d+, \d+ threads\)/,
  );
});

sandboxed("nothing that was compiled, and no handler, can be changed by a handler", async (t) => {
  const folder = await project(t, "");
  const daemon = await start(t, folder);
  const compiled = join(folder, "home/cache/pinion");
  t.true(readdirSync(compiled).length > 0);
  for (const path of [join(compiled, "new"), join(folder, "write.ts"), join(folder, "pinion.yaml")])
    t.is((await write(daemon.port, "sync", path)).status, 500, path);
});

sandboxed(
  "what a handler does not await, and what a module does as it loads, gets the hint too",
  async (t) => {
    const folder = await project(t, "write: [./data]\n");
    const daemon = await start(t, folder);
    const late = await fetchRaw(daemon.port, get(`/late?path=${join(folder, "out/late")}`));
    t.is(late.status, 502);
    await daemon.said(
      /worker ended.*EACCES.*hint: handlers may write to .*`write: \[\.\/data, \.\/out\]`/,
    );
    // The next worker is held to it as well.
    t.is((await write(daemon.port, "sync", join(folder, "out/again"))).status, 500);
    await daemon.stop();

    writeFileSync(
      join(folder, "write.ts"),
      `import { mkdirSync } from "node:fs"; mkdirSync(${JSON.stringify(join(folder, "uploads"))}); export default () => "";`,
    );
    const { code, output } = await runToEnd(t, folder, { env: environment(folder) });
    t.is(code, 1);
    t.regex(output, /EACCES.*mkdir/);
    t.regex(output, /hint: handlers may write to .*`write: \[\.\/data, \.\/uploads\]`/);
  },
);

test.serial("write: any switches it off, and the log says so", async (t) => {
  const folder = await project(t, "write: any\n");
  const daemon = await start(t, folder);
  t.regex(daemon.output(), /writing is not restricted: write is any in the configuration/);
  for (const way of ["sync", "pool", "child", "thread"])
    t.is((await write(daemon.port, way, join(folder, "out", way))).status, 200, way);
  t.deepEqual(
    new Set(ofThreads(daemon.pid, "NoNewPrivs")),
    new Set(ofThreads(process.pid, "NoNewPrivs").slice(0, 1)),
  );
});

test.serial(
  "a Unix socket outside: its folder is no place to write; stale ones are replaced",
  async (t) => {
    const folder = await project(t, "listen: [unix:app.sock, unix:run/app.sock]\n", true);
    mkdirSync(join(folder, "run"));
    const path = join(folder, "app.sock");
    const own = join(folder, "run/app.sock");
    const first = await start(t, folder);
    if (abi > 0) t.is((await write(path, "sync", join(folder, "run/new"))).status, 500);
    t.is((await write(own, "sync", join(folder, "tmp/new"))).status, 200);
    if (abi > 0) t.is((await write(path, "remove", join(folder, "out/x"))).status, 500);
    t.is(await first.stop(), 0);
    // Where there is nothing else, it may be removed; else it stays, and the next start replaces it.
    t.false(existsSync(own));
    t.is(existsSync(path), abi > 0);
    const second = await start(t, folder);
    t.is((await fetchRaw(path, get("/read?path=/etc/passwd"))).status, 200);
    second.signal("SIGKILL");
    await second.exited;
    t.true(existsSync(own));
    const third = await start(t, folder);
    t.is((await fetchRaw(own, get("/read?path=/etc/passwd"))).status, 200);
    t.is(await third.stop(), 0);
  },
);

test.serial(
  "cache: names where compiled handlers are kept, and a folder that cannot be is refused",
  async (t) => {
    const folder = await project(t, "cache: ./compiled/here\n");
    const first = await start(t, folder);
    t.is((await write(first.port, "sync", join(folder, "tmp/x"))).status, 200);
    await first.stop();
    const before = readdirSync(join(folder, "compiled/here"));
    t.true(before.length >= 2);
    t.false(existsSync(join(folder, "home/cache")));
    // A compiler that does not run: the second start needs none.
    const second = await launch(t, folder, {
      env: { ...environment(folder), ESBUILD_BINARY_PATH: "/nonexistent" },
    });
    t.is((await write(second.port, "sync", join(folder, "tmp/y"))).status, 200);
    t.deepEqual(readdirSync(join(folder, "compiled/here")), before);
    await second.stop();

    writeFileSync(
      join(folder, "pinion.yaml"),
      readFileSync(join(folder, "pinion.yaml"), "utf8").replace("./compiled/here", "./write.ts/no"),
    );
    const { code, output } = await runToEnd(t, folder, { env: environment(folder) });
    t.is(code, 2);
    t.regex(
      output,
      /pinion\.yaml:\d+:8: cache is .*write\.ts\/no, which this user cannot write to \(ENOTDIR\)/,
    );
  },
);

for (const [call, number, error, reason] of [
  ["landlock_create_ruleset", 444, "ENOSYS", /this kernel has no Landlock/],
  ["landlock_create_ruleset", 444, "EOPNOTSUPP", /switched off at boot/],
  ["landlock_restrict_self", 446, "EPERM", /forbidden, most likely by a seccomp profile/],
] as const) {
  test.serial(
    `where ${call} fails with ${error} it serves, and says why in log and doctor`,
    async (t) => {
      if (!existsSync(TOOL))
        return void t.fail(`${TOOL} is missing: build it with ops/native release tools`);
      const wrapper = [TOOL, String(number), String(constants.errno[error])];
      if (spawnSync(TOOL, [...wrapper.slice(1), "true"]).status !== 0) {
        t.log("no seccomp filter can be set here");
        return void t.pass();
      }
      const folder = await project(t, "");
      const daemon = await launch(t, folder, { env: environment(folder), wrapper });
      t.is((await write(daemon.port, "pool", join(folder, "out/x"))).status, 200);
      const [line] = await daemon.said(/.*writing is not restricted: .*/);
      t.regex(line, /"level":"warn"/);
      t.regex(line, reason);
      const doctor = spawnSync(TOOL, [...wrapper.slice(1), process.execPath, MAIN, "doctor"], {
        encoding: "utf8",
        cwd: folder,
      });
      t.regex(
        doctor.stdout,
        new RegExp(`^note +writing +cannot be restricted.*${reason.source}`, "m"),
      );
    },
  );
}

test.serial("the daemon itself writes nothing but compiled handlers", async (t) => {
  const folder = await project(t, "");
  const files = (): string[] =>
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((name) => !name.startsWith("home/cache"))
      .sort();
  const before = files();
  const trace = join(folder, "out/existing");
  const traced = spawnSync("strace", ["-V"]).status === 0;
  // Those with a question mark are not on every architecture, or not known to every strace.
  const calls =
    "?open,openat,?creat,?mkdir,mkdirat,?unlink,unlinkat,?rename,?renameat,renameat2,?link,linkat,?symlink,symlinkat,truncate,?rmdir,?mknod,mknodat,bind,?landlock_restrict_self,io_uring_setup";
  const daemon = await launch(t, folder, {
    env: environment(folder),
    ...(traced ? { wrapper: ["strace", "-f", "-qq", "-e", `trace=${calls}`, "-o", trace] } : {}),
  });
  t.is((await fetchRaw(daemon.port, get("/read?path=/etc/passwd"))).status, 200);
  // A daemon that is traced does not get the signals of its tracer.
  const [pid = 0] = traced ? childrenOf(daemon.pid) : [daemon.pid];
  process.kill(pid, "SIGTERM");
  t.is(await daemon.exited, 0);
  t.deepEqual(files(), before);
  if (!traced) return;
  const lines = readFileSync(trace, "utf8").split("\n");
  // Newer libuv has rings of its own, without a size of the completion queue: they carry epoll_ctl(2), nothing of a client's.
  const ring = lines.findIndex((line) => /io_uring_setup.*IORING_SETUP_CQSIZE/.test(line));
  const restricted = lines.findLastIndex((line) => line.includes("landlock_restrict_self"));
  t.true(ring === -1 || restricted < ring, "rings are made afterwards");
  t.true(abi === 0 || restricted !== -1);
  const writes = lines
    .filter((line) => !/= -1 |O_RDONLY|O_PATH|exited|resumed|unfinished|sin_addr/.test(line))
    .map((line) => /"([^"]*)"/.exec(line)?.[1] ?? "")
    .filter((path) => path !== "");
  t.true(writes.some((path) => path.startsWith(join(folder, "home/cache/pinion"))));
  t.deepEqual(
    [...new Set(writes)].filter(
      (path) => !path.startsWith(join(folder, "home/cache")) && path !== "/dev/null",
    ),
    [],
  );
});

function childrenOf(pid: number): number[] {
  const text = execFileSync("cat", [`/proc/${pid}/task/${pid}/children`], { encoding: "utf8" });
  return text.trim().split(" ").map(Number);
}
