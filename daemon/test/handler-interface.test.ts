// What a module may export as its handler, and the parameters that a handler is given.
import test, { type ExecutionContext } from "ava";
import { type Daemon, type DaemonOptions, startDaemon } from "./support/daemon.js";
import { fetchRaw } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

async function serves(
  t: ExecutionContext,
  module: string,
  options: Partial<DaemonOptions> = {},
  route = "",
): Promise<Daemon> {
  return startDaemon(t, {
    files: { "module.ts": module },
    config: `routes: [{ path: "/m/{id:int}/{name}", handler: ./module.ts${route} }]`,
    ...options,
  });
}
const ask = (method: string): string =>
  `${method} /m/7/na%20me HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n`;

test("a module may export a default function, functions by method, an object of them, or a factory", async (t) => {
  const all = await serves(t, `export default (request) => request.method;`);
  for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    t.is((await fetchRaw(all.port, ask(method))).body, method);
  }
  t.is((await fetchRaw(all.port, ask("HEAD"), "HEAD")).status, 200);

  const byMethod = await serves(
    t,
    `export const GET = () => "got"; export function POST() { return "posted"; }`,
  );
  t.is((await fetchRaw(byMethod.port, ask("GET"))).body, "got");
  t.is((await fetchRaw(byMethod.port, ask("POST"))).body, "posted");
  t.is((await fetchRaw(byMethod.port, ask("HEAD"), "HEAD")).status, 200);
  const refused = await fetchRaw(byMethod.port, ask("PUT"));
  t.is(refused.status, 405);
  t.regex(refused.fields.get("allow") ?? "", /GET.*POST/);

  const object = await serves(
    t,
    `export default { GET: () => "got", DELETE: async () => "deleted" };`,
  );
  t.is((await fetchRaw(object.port, ask("GET"))).body, "got");
  t.is((await fetchRaw(object.port, ask("DELETE"))).body, "deleted");
  const refusedToo = await fetchRaw(object.port, ask("POST"));
  t.is(refusedToo.status, 405);
  t.regex(refusedToo.fields.get("allow") ?? "", /GET/);

  const factory = await serves(
    t,
    `let made = 0;
     export const factory = async (options, context) => {
       await null;
       made++;
       return { GET: () => ({ options, made, folder: context.directory }) };
     };`,
    {},
    `, options: { greeting: hello, list: [1, 2] }`,
  );
  for (let i = 0; i < 2; i++) {
    const answer = await fetchRaw(factory.port, ask("GET"));
    const { options, made, folder } = JSON.parse(answer.body) as {
      options: unknown;
      made: number;
      folder: string;
    };
    t.deepEqual(options, { greeting: "hello", list: [1, 2] });
    t.is(made, 1);
    t.is(folder, factory.folder);
  }
});

test("parameters come as the pattern says: numbers, texts, decoded", async (t) => {
  const daemon = await startDaemon(t, {
    files: {
      "params.ts": `export default ({ params, route }) => ({ params, types: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, typeof value])), route });`,
    },
    config: `
routes:
  - { path: "/int/{value:int}", handler: ./params.ts }
  - { path: "/float/{value:float}", handler: ./params.ts }
  - { path: "/uuid/{value:uuid}", handler: ./params.ts }
  - { path: "/string/{value}", handler: ./params.ts }
  - { path: "/two/{a:int}/{b:string}", handler: ./params.ts }
  - { path: "/rest/{value:path}", handler: ./params.ts }
`,
  });
  const found = async (target: string): Promise<unknown> => {
    const answer = await fetchRaw(daemon.port, get(target));
    const text = Buffer.from(answer.body, "latin1").toString();
    return answer.status === 200 ? (JSON.parse(text) as { params: unknown }).params : answer.status;
  };
  t.deepEqual(await found("/int/42"), { value: 42 });
  t.deepEqual(await found("/int/-7"), { value: -7 });
  t.deepEqual(await found("/int/0"), { value: 0 });
  t.is(await found("/int/x"), 404);
  t.is(await found("/int/1.5"), 404);
  t.is(await found("/int/99999999999999999999"), 404);
  t.deepEqual(await found("/float/1.5"), { value: 1.5 });
  t.deepEqual(await found("/float/-2"), { value: -2 });
  t.is(await found("/float/nan"), 404);
  const uuid = "123e4567-e89b-12d3-a456-426614174000";
  t.deepEqual(await found(`/uuid/${uuid}`), { value: uuid });
  t.is(await found("/uuid/123e4567"), 404);
  t.deepEqual(await found("/string/na%20me%C3%A9%2Fx"), { value: "na meé/x" });
  t.deepEqual(await found("/two/1/b%25"), { a: 1, b: "b%" });
  t.deepEqual(await found("/rest/a/b/c.txt"), { value: "a/b/c.txt" });
});
