// Handler modules as a whole daemon runs them: what they share, and what is said when they fail.
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { launch, prepare, run, runToEnd, startDaemon } from "./support/daemon.js";
import { fetchRaw } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

/** A cache of the test's own. */
async function cache(t: ExecutionContext): Promise<{ XDG_CACHE_HOME: string }> {
  const folder = await mkdtemp(join(tmpdir(), "pinion-cache-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return { XDG_CACHE_HOME: folder };
}

const ROUTES = `routes:\n  - { path: /a, handler: ./a.ts }\n  - { path: /b, handler: ./b.js }\n`;

test("handlers of one worker share their local modules, from TypeScript and JavaScript", async (t) => {
  const daemon = await startDaemon(t, {
    config: ROUTES,
    files: {
      "a.ts": `import { next } from "./lib/counter.js"; export const GET = () => String(next());`,
      "b.js": `import { reply } from "pinion"; import { next } from "./lib/counter.ts";
        export const GET = () => reply(201, String(next()));`,
      "lib/counter.ts": `let count: number = 0; export const next = (): number => ++count;`,
    },
  });
  t.is((await fetchRaw(daemon.port, get("/a"))).body, "1");
  const answer = await fetchRaw(daemon.port, get("/b"));
  t.is(answer.status, 201);
  t.is(answer.body, "2");
});

test("a second start compiles nothing", async (t) => {
  const env = await cache(t);
  const options = {
    config: ROUTES,
    files: {
      "a.ts": `export const GET = () => "a";`,
      "b.js": `export const GET = () => "b";`,
    },
  };
  const folder = await prepare(t, options);
  const first = await launch(t, folder, { env });
  await first.stop();
  const inCache = async (): Promise<string[]> =>
    (await readdir(env.XDG_CACHE_HOME, { recursive: true })).sort();
  const before = await inCache();
  t.true(before.length >= 3);
  // A compiler that does not run: the second start needs none.
  const second = await launch(t, folder, {
    env: { ...env, ESBUILD_BINARY_PATH: "/nonexistent" },
  });
  t.is((await fetchRaw(second.port, get("/a"))).body, "a");
  t.deepEqual(await inCache(), before);
});

const FAILING = `
const broken: string = "on purpose";

export function fail(): never {
  throw new Error(broken, { cause: new Error("underneath") });
}
`;

test("stacks name the sources: a request's error, its cause, and one that nobody catches", async (t) => {
  const daemon = await startDaemon(t, {
    config: ROUTES,
    files: {
      "a.ts": `import { fail } from "./lib/fail.js";\nexport const GET = (): never => fail();`,
      "b.js": `import { fail } from "./lib/fail.ts";
        export const GET = () => { setTimeout(fail, 1); return "later"; };`,
      "lib/fail.ts": FAILING,
    },
  });
  const place = (name: string, line: string): string =>
    `${join(daemon.folder, name)}:${line}`.replaceAll("/", "\\/").replaceAll(".", "\\.");
  await fetchRaw(daemon.port, get("/a"));
  t.truthy(
    await daemon.said(
      new RegExp(
        `on purpose.*${place("lib/fail.ts", "5:9")}.*${place("a.ts", "2:33")}.*\\[cause\\] Error: underneath.*${place("lib/fail.ts", "5:36")}`,
      ),
    ),
  );
  await fetchRaw(daemon.port, get("/b"));
  t.truthy(
    await daemon.said(
      new RegExp(
        `nobody caught.*"stack":"[^"]*${place("lib/fail.ts", "5:9")}.*\\[cause\\] Error: underneath.*${place("lib/fail.ts", "5:36")}`,
      ),
    ),
  );
  t.truthy(await daemon.said(/worker is live/));
});

test("a module that throws as it is loaded: its name, the source's line, and why", async (t) => {
  const folder = await prepare(t, {
    config: `routes:\n  - { path: /a, handler: ./a.ts }\n`,
    files: {
      "a.ts": `import { fail } from "./lib/fail.js";\nfail();\nexport const GET = () => "never";`,
      "lib/fail.ts": FAILING,
    },
  });
  const { code, output } = await runToEnd(t, folder);
  t.is(code, 1);
  t.regex(output, /\.\/a\.ts: Error: on purpose/);
  t.true(output.includes(`${join(folder, "lib/fail.ts")}:5:9`), output);
  t.true(output.includes(`${join(folder, "a.ts")}:2:1`), output);
  t.regex(output, /\[cause\] Error: underneath/);
});

test("a module without a handler is refused without a stack, at its place if that can be told", async (t) => {
  const start = async (text: string): Promise<{ code: number | string; output: string }> =>
    runToEnd(
      t,
      await prepare(t, {
        config: `routes:\n  - { path: /a, handler: ./a.ts }\n`,
        files: { "a.ts": text },
      }),
    );
  const told = await start(`export const get = () => "a";`);
  t.is(told.code, 2);
  t.regex(told.output, /pinion\.yaml:\d+:\d+: \.\/a\.ts exports get \(did you mean "GET"\?\)/);
  const untold = await start(`export default 5;`);
  t.is(untold.code, 1);
  t.regex(untold.output, /pinion: \.\/a\.ts exports default: export a default function/);
  t.notRegex(untold.output, /^ {4}at /m);
});

test("a module that never finishes loading is named, and the start goes on meanwhile", async (t) => {
  const folder = await prepare(t, {
    config: `routes:\n  - { path: /a, handler: ./a.ts }\n`,
    files: { "a.ts": `await new Promise(() => setInterval(() => {}, 1000)); export default 1;` },
  });
  const daemon = run(t, folder, {});
  await daemon.said(/io is [^]*\.\/a\.ts is still being loaded after [5-9] s/);
  daemon.signal("SIGTERM");
  t.is(await daemon.exited, 0);
});
