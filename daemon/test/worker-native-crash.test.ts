// Native code that crashes in a worker ends the process, by the signal: there is nothing to go on with (SECURITY.md).
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { ROOT, startDaemon } from "./support/daemon.js";
import { Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const FILES = {
  "hello.ts": `export default () => "hello";`,
  "crash.ts": `const { loadAddon } = await import(${JSON.stringify(join(ROOT, "dist/runtime/addon-loader.js"))});
    const ways = {
      // A shard where there is no memory; a shard that is none.
      segfault: () => loadAddon().status(8n),
      assertion: () => loadAddon().status(0n),
    };
    export default (request) => ways[request.params.way]();`,
};
const CONFIG = `
routes:
  - { path: /hello, handler: ./hello.ts }
  - { path: "/crash/{way}", handler: ./crash.ts }
`;

async function refuses(t: ExecutionContext, port: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const refused = await Wire.connect(port).then(
      (late) => (late.close(), false),
      (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
    );
    if (refused) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  t.fail(`port ${port} still accepts`);
}

for (const [way, signal] of [
  ["segfault", "SIGSEGV"],
  ["assertion", "SIGABRT"],
] as const) {
  test.serial(`a native crash in a worker ends the process: ${way}`, async (t) => {
    // No core file: it would be large, and written slowly.
    const wrapper = ["sh", "-c", 'ulimit -c 0 && exec "$@"', "sh"];
    const daemon = await startDaemon(t, { config: CONFIG, files: FILES, wrapper });
    const [kept, crashes] = [await Wire.connect(daemon.port), await Wire.connect(daemon.port)];
    kept.send(get("/hello"));
    t.is((await kept.answer()).body, "hello");
    crashes.send(get(`/crash/${way}`));
    t.is(await daemon.exited, signal, daemon.output());
    t.is(await kept.closed(), "");
    t.is(await crashes.closed(), "");
    if (way === "assertion") t.regex(daemon.output(), /control\.cpp:\d+/);
    // The kernel takes a ring apart after its process has ended: until then it may still accept.
    await refuses(t, daemon.port);
    for (const wire of [kept, crashes]) wire.close();
  });
}
