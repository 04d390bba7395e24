// What needs no handler is answered while JavaScript holds the core, while no worker lives, and before the first one does.
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { prepare, run, startDaemon, uringWorks } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const request = (method: string, target: string): string =>
  `${method} ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n`;
const get = (target: string): string => request("GET", target);
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
const INTERFACES = uringWorks() ? ["uring", "epoll"] : ["epoll"];

// Every way in which a module says what it answers. `load` waits, as long as a file called "hold" is there.
const FILES = {
  "function.ts": `export default (request) => request.method;`,
  "named.ts": `export const GET = () => "named"; export const PUT = () => "named";`,
  "object.ts": `export default { GET: () => "object", PUT: () => "object" };`,
  "factory-function.ts": `export const factory = () => (request) => request.method;`,
  "factory-object.ts": `import { existsSync } from "node:fs";
    export const factory = async () => existsSync("other-methods")
      ? { POST: () => "factory", HEAD: () => null } : { GET: () => "factory", PUT: () => "factory" };`,
  "load.ts": `import { existsSync, writeFileSync } from "node:fs";
    writeFileSync("loading", "");
    while (existsSync("hold")) await new Promise((done) => setTimeout(done, 5));
    export default () => "loaded";`,
  "block.ts": `import { existsSync, writeFileSync } from "node:fs";
    export default () => { writeFileSync("begun", ""); while (!existsSync("end")); return "blocked"; };`,
  "exit.ts": `export default () => process.exit(7);`,
};
const ROUTES = `
routes:
  - { path: /function, handler: ./function.ts }
  - { path: /named, handler: ./named.ts }
  - { path: /object, handler: ./object.ts }
  - { path: /configured, methods: [GET, PATCH], handler: ./object.ts }
  - { path: /factory-function, handler: ./factory-function.ts }
  - { path: /factory-object, handler: ./factory-object.ts }
  - { path: "/number/{id:int}", handler: ./object.ts }
  - { path: "/number/{id:int}/{rest:path}", handler: ./object.ts }
  - { path: /load, handler: ./load.ts }
  - { path: /block, handler: ./block.ts }
  - { path: /exit, handler: ./exit.ts }
  - path: /native
    respond: { status: 200, type: text/plain, body: "native" }
timeouts: { spin: 10m, handler: 10m }
`;

const EVERY = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
type Expected = [method: string, target: string, status: number, allow?: string];
const ALWAYS: Expected[] = [
  ["GET", "/native", 200],
  ["GET", "/none", 404],
  ["POST", "/none", 404],
  ["GET", "/number/five", 404],
  ["GET", "/number/5/a/../b", 400],
  ["GET", "/object%zz", 400],
  ["POST", "/native", 405, "GET, HEAD"],
  ["TRACE", "/function", 405, EVERY],
  ["POST", "/named", 405, "GET, HEAD, PUT"],
  ["GET", "/-/live", 200],
];
const ONCE_LOADED: Expected[] = [
  ["POST", "/object", 405, "GET, HEAD, PUT"],
  ["OPTIONS", "/object", 405, "GET, HEAD, PUT"],
  ["POST", "/configured", 405, "GET, HEAD"],
  ["PATCH", "/configured", 405, "GET, HEAD"],
  ["TRACE", "/factory-function", 405, EVERY],
  ["DELETE", "/number/5", 405, "GET, HEAD, PUT"],
];
const FIRST_METHODS: Expected = ["POST", "/factory-object", 405, "GET, HEAD, PUT"];

/** All of them on one connection, and each on one of its own. */
async function answered(
  t: ExecutionContext,
  to: number | string,
  expected: readonly Expected[],
): Promise<void> {
  const wire = await Wire.connect(to);
  for (const [method, target, status, allow] of expected) {
    wire.send(request(method, target));
    for (const answer of [await wire.answer(), await fetchRaw(to, request(method, target))]) {
      t.is(answer.status, status, `${method} ${target}`);
      const found = answer.fields.get("allow")?.split(", ").sort().join(", ");
      t.is(found, allow, `${method} ${target}`);
    }
  }
  wire.close();
}

async function appears(path: string): Promise<void> {
  for (let i = 0; i < 6000 && !existsSync(path); i++) await sleep(5);
  if (!existsSync(path)) throw new Error(`${path} has not appeared`);
}

for (const io of INTERFACES) {
  test.serial(`404, 400 and 405 are answered while a handler blocks, ${io}`, async (t) => {
    const daemon = await startDaemon(t, { config: `io: ${io}\n${ROUTES}`, files: FILES });
    const blocked = fetchRaw(daemon.port, get("/block"));
    await appears(join(daemon.folder, "begun"));
    await answered(t, daemon.port, [...ALWAYS, ...ONCE_LOADED, FIRST_METHODS]);
    await writeFile(join(daemon.folder, "end"), "");
    t.is((await blocked).body, "blocked");
    // What is left of each is answered by the handler.
    for (const [target, body] of [
      ["/object", "object"],
      ["/configured", "object"],
      ["/number/5", "object"],
      ["/factory-object", "factory"],
      ["/factory-function", "GET"],
    ] as const) {
      t.is((await fetchRaw(daemon.port, get(target))).body, body);
      const head = await fetchRaw(daemon.port, request("HEAD", target), "HEAD");
      t.is(head.status, 200, target);
    }
  });

  test.serial(`and while no worker lives; the next one may answer others, ${io}`, async (t) => {
    const daemon = await startDaemon(t, { config: `io: ${io}\n${ROUTES}`, files: FILES });
    await writeFile(join(daemon.folder, "hold"), "");
    await writeFile(join(daemon.folder, "other-methods"), "");
    await rm(join(daemon.folder, "loading"));
    t.is((await fetchRaw(daemon.port, get("/exit"))).status, 502);
    await appears(join(daemon.folder, "loading"));
    t.is((await fetchRaw(daemon.port, get("/-/ready"))).status, 503);
    await answered(t, daemon.port, [...ALWAYS, ...ONCE_LOADED, FIRST_METHODS]);
    // It waits for the next worker, which has no GET any more.
    const early = fetchRaw(daemon.port, get("/factory-object"));
    for (let i = 0; i < 3; i++) await answered(t, daemon.port, [["GET", "/native", 200]]);
    await rm(join(daemon.folder, "hold"));
    t.is((await fetchRaw(daemon.port, get("/load"))).body, "loaded");
    const refused = await early;
    t.is(refused.status, 405);
    t.is(refused.fields.get("allow"), "HEAD, POST");
    t.is((await fetchRaw(daemon.port, request("POST", "/factory-object"))).body, "factory");
    const blocked = fetchRaw(daemon.port, get("/block"));
    await appears(join(daemon.folder, "begun"));
    await answered(t, daemon.port, [
      ...ALWAYS,
      ...ONCE_LOADED,
      ["GET", "/factory-object", 405, "HEAD, POST"],
    ]);
    await writeFile(join(daemon.folder, "end"), "");
    t.is((await blocked).body, "blocked");
  });

  test.serial(`and while the first worker is loading, ${io}`, async (t) => {
    const options = { config: `io: ${io}\nlisten: "unix:./app.sock"\n${ROUTES}`, files: FILES };
    const folder = await prepare(t, { ...options, ownListen: true });
    await writeFile(join(folder, "hold"), "");
    const daemon = run(t, folder, {});
    const socket = join(folder, "app.sock");
    await appears(join(folder, "loading"));
    const ready = await fetchRaw(socket, get("/-/ready"));
    t.is(ready.status, 503);
    t.is(ready.body, "no live worker\n");
    // Requests for handlers wait, and do not keep the others waiting.
    const targets = ["/load", "/object", "/function"];
    const waiting = targets.map(async (target) => fetchRaw(socket, get(target)));
    const wire = await Wire.connect(socket);
    wire.send(request("POST", "/object"));
    for (let i = 0; i < 5; i++) await answered(t, socket, ALWAYS);
    t.is(wire.unread, "");
    await rm(join(folder, "hold"));
    const bodies = (await Promise.all(waiting)).map(({ body }) => body);
    t.deepEqual(bodies, ["loaded", "object", "GET"]);
    const refused = await wire.answer();
    t.is(refused.status, 405);
    t.is(refused.fields.get("allow"), "GET, HEAD, PUT");
    wire.close();
    await daemon.said(/serving unix/);
    t.is((await fetchRaw(socket, get("/-/ready"))).status, 200);
    daemon.signal("SIGTERM");
    t.is(await daemon.exited, 0);
  });
}
