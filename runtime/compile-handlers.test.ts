import test, { type ExecutionContext } from "ava";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileHandlers, keepCompiled } from "./compile-handlers.js";

function project(t: ExecutionContext, files: Record<string, string>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "compile handlers % #-")));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

async function loadAll(
  folder: string,
  ...names: string[]
): Promise<Record<string, Record<string, unknown>>> {
  const files = names.map((name) => join(folder, name));
  const { modules, errors } = await compileHandlers(files, join(folder, ".cache"));
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  const loaded: Record<string, Record<string, unknown>> = {};
  for (const [index, name] of names.entries()) {
    const url = modules.get(files[index] ?? "")?.url ?? "";
    loaded[name] = (await import(url)) as Record<string, unknown>;
  }
  return loaded;
}

async function load(folder: string, name: string): Promise<Record<string, unknown>> {
  return (await loadAll(folder, name))[name] ?? {};
}

// The check of imports reads this file as text too.
const quoted = (name: string): string => JSON.stringify(name);

test("TypeScript with local files, packages, built-in modules and the public API", async (t) => {
  const folder = project(t, {
    "src/hello.ts": `
      import { join } from "node:path";
      import { readFileSync } from ${quoted("fs")};
      import value, { named } from ${quoted("a-package/sub")};
      import { reply } from ${quoted("pinion")};
      import { helper } from "./helper.js";
      enum Kind { a = 41 }
      export default () => reply(200, helper(join("a", "b")) + value + named + (Kind.a as number));
      export const here = import.meta.url;
      export const text = readFileSync(new URL("./data.txt", import.meta.url), "utf8");`,
    "src/helper.ts": "export const helper = (text: string): string => `<${text}>`;",
    "src/data.txt": "data",
    "node_modules/a-package/package.json":
      '{"type":"module","exports":{"./sub":{"import":"./import.js","require":"./require.cjs"}}}',
    "node_modules/a-package/import.js": 'export default "default"; export const named = "named";',
    "node_modules/a-package/require.cjs": 'throw new Error("the wrong condition")',
  });
  const module = await load(folder, "src/hello.ts");
  const answer = (module["default"] as () => { status: number; body: string })();
  t.is(answer.body, "<a/b>defaultnamed41");
  t.is(module["text"], "data");
  t.regex(String(module["here"]), /src\/hello\.ts$/);
  const { Reply } = await import("./reply.js");
  t.true(answer instanceof Reply);
});

test("JavaScript is imported as it is", async (t) => {
  const folder = project(t, {
    "plain.mjs": 'import { one } from "./part.mjs"; export default () => one;',
    "part.mjs": "export const one = 1; export const here = import.meta.url;",
    "old.cjs": "exports.GET = () => __filename;",
  });
  const files = ["plain.mjs", "old.cjs"].map((name) => join(folder, name));
  const { modules, errors } = await compileHandlers(files, join(folder, ".cache"));
  t.deepEqual(errors, []);
  t.deepEqual(
    files.map((file) => modules.get(file)),
    [
      { url: pathToFileURL(files[0] ?? "").href, exports: ["default"] },
      { url: pathToFileURL(files[1] ?? "").href, exports: null },
    ],
  );
});

test("JavaScript that imports TypeScript or pinion is compiled", async (t) => {
  const folder = project(t, {
    "a.js": 'import { one } from "./part.ts"; export default () => one;',
    "b.js": `import { reply } from ${quoted("pinion")}; export default () => reply(201).status;`,
    "part.ts": "export const one: number = 1;",
    "package.json": '{ "type": "module" }',
  });
  const loaded = await loadAll(folder, "a.js", "b.js");
  t.is((loaded["a.js"]?.["default"] as () => unknown)(), 1);
  t.is((loaded["b.js"]?.["default"] as () => unknown)(), 201);
});

test("CommonJS that requires TypeScript or pinion is compiled, other CommonJS is not", async (t) => {
  const folder = project(t, {
    "a.js": `const { one } = require("./part.ts"); const { reply } = require(${quoted("pinion")});
      const other = require("./other"); const data = require("./data.json");
      exports.GET = () => [one, reply(201).status, other.name, data.text, __filename, __dirname];`,
    "part.ts": "export const one: number = 1;",
    "other.js": 'const data = require("./data.json"); exports.name = data.text + __filename;',
    "data.json": '{ "text": "json" }',
    "b.cjs": 'exports.GET = () => require("./other").name;',
  });
  const { "a.js": a, "b.cjs": b } = await loadAll(folder, "a.js", "b.cjs");
  const other = `json${join(folder, "other.js")}`;
  t.deepEqual((a?.["default"] as { GET(): unknown }).GET(), [
    1,
    201,
    other,
    "json",
    join(folder, "a.js"),
    folder,
  ]);
  t.is((b?.["default"] as { GET(): unknown }).GET(), other);
  const { modules } = await compileHandlers([join(folder, "b.cjs")], join(folder, ".cache"));
  t.is(modules.get(join(folder, "b.cjs"))?.url, pathToFileURL(join(folder, "b.cjs")).href);
});

test("names that mean something else in a URL", async (t) => {
  const folder = project(t, {
    "[id]#1?%20.ts": 'import { one } from "./part%23.ts"; export default one;',
    "part%23.ts": "export const one = 1;",
  });
  t.is((await load(folder, "[id]#1?%20.ts"))["default"], 1);
});

test("a local module exists once, whoever imports it", async (t) => {
  const folder = project(t, {
    "a.ts": 'import { next, Kind, plain } from "./lib/all.ts"; export { next, Kind, plain };',
    "b.ts":
      'import { next } from "./lib/counter.js"; import { Kind } from "./lib/kind.js"; import { plain } from "./lib/plain.mjs"; export { next, Kind, plain }; export const later = async () => (await import("./lib/counter.js")).next;',
    "c.mjs":
      'import { next } from "./lib/counter.ts"; import { Kind } from "./lib/kind.ts"; import { plain } from "./lib/plain.mjs"; export { next, Kind, plain };',
    "lib/all.ts":
      'export * from "./counter.js"; export { Kind } from "./kind.js"; export { plain } from "./plain.mjs";',
    "lib/counter.ts": "let count = 0; export const next = (): number => ++count;",
    "lib/kind.ts": "export class Kind {}",
    "lib/plain.mjs": "export const plain = {};",
  });
  const { "a.ts": a, "b.ts": b, "c.mjs": c } = await loadAll(folder, "a.ts", "b.ts", "c.mjs");
  t.truthy(a?.["next"]);
  for (const name of ["next", "Kind", "plain"]) {
    t.is(a?.[name], b?.[name], name);
    t.is(a?.[name], c?.[name], name);
  }
  t.is(await (b?.["later"] as () => Promise<unknown>)(), a?.["next"]);
  const own = (await import(pathToFileURL(join(folder, "lib/plain.mjs")).href)) as object;
  t.is(a?.["plain"], (own as { plain: unknown }).plain);
});

test("modules run in the order in which they are imported", async (t) => {
  const folder = project(t, {
    "a.ts": 'import "./first.js"; import { seen } from "./second.js"; export { seen };',
    "b.ts": 'import { seen } from "./second.js"; export { seen };',
    "first.ts": "(globalThis as any).pinionTestFirst = true;",
    "second.ts": "export const seen: unknown = (globalThis as any).pinionTestFirst;",
  });
  const { "a.ts": a } = await loadAll(folder, "a.ts", "b.ts");
  t.true(a?.["seen"]);
});

test("import.meta names each source file, and text that looks like it stays as it is", async (t) => {
  const folder = project(t, {
    "src/a.ts":
      'import { b } from "./deep/b.js"; export const all = [import.meta.url, import.meta.dirname, import.meta.filename, `say "import.meta.url"`, b];',
    "src/deep/b.ts": "export const b = import.meta.url;",
  });
  const { all } = await load(folder, "src/a.ts");
  const file = join(folder, "src/a.ts");
  t.deepEqual(all, [
    pathToFileURL(file).href,
    dirname(file),
    file,
    'say "import.meta.url"',
    pathToFileURL(join(folder, "src/deep/b.ts")).href,
  ]);
});

test("types that are passed on by name are no exports", async (t) => {
  const folder = project(t, {
    "a.ts": 'export { Shape, size } from "./middle.ts"; export default 1;',
    "middle.ts": 'export { Shape, size } from "./types.ts";',
    "types.ts": "export interface Shape { size: number }\nexport const size = 3;",
  });
  t.is((await load(folder, "a.ts"))["size"], 3);
});

test("what a module really lacks is an error at its place", async (t) => {
  const folder = project(t, {
    "a.ts": 'import { twice } from "./b.ts";\nexport default () => twice(1);',
    "b.ts": "export const once = 1;",
  });
  const { errors } = await compileHandlers([join(folder, "a.ts")], join(folder, ".cache"));
  t.deepEqual(
    errors.map(({ file, line, column }) => [file, line, column]),
    [[join(folder, "a.ts"), 1, 10]],
  );
  t.regex(errors[0]?.text ?? "", /twice/);
});

test("JSON, require() and CommonJS written in TypeScript", async (t) => {
  const folder = project(t, {
    "a.ts": `import data from "./data.json" with { type: "json" };
      import { list } from "./data.json";
      import old, { name } from "./old.cts";
      const late = (await import("./data.json", { with: { type: "json" } })).default;
      const fs = require(${quoted("node:fs")});
      const required = require("./old.cts");
      export default [data.text, list, data === late, old.name, name, required.name, typeof fs.readFileSync];`,
    "data.json": '{ "text": "json", "list": [1] }',
    "old.cts": 'export = { name: "old" };',
  });
  t.deepEqual((await load(folder, "a.ts"))["default"], [
    "json",
    [1],
    true,
    "old",
    "old",
    "old",
    "function",
  ]);
});

test("a module that is put together of parts has to be named, unless Node finds it itself", async (t) => {
  const folder = project(t, {
    "a.ts": "const x: string = 'one';\nexport default () =>\n  import(`./parts/${x}.ts`);",
    "parts/one.ts": "export const one = 1;",
    "b.mjs": "export default (name) => import(`./parts/${name}.mjs`);",
    "parts/two.mjs": "export const two = 2;",
  });
  const { errors } = await compileHandlers([join(folder, "a.ts")], join(folder, ".cache"));
  t.deepEqual(
    errors.map(({ line, column }) => [line, column]),
    [[3, 3]],
  );
  t.regex(errors[0]?.text ?? "", /\.\/parts\/.*: name each, as in/);
  const plain = (await load(folder, "b.mjs"))["default"] as (name: string) => Promise<object>;
  t.like(await plain("two"), { two: 2 });
});

test("a tsconfig.json that comes later counts", async (t) => {
  const folder = project(t, {
    "src/a.ts":
      "class A { x?: number; constructor() { this.x = 1; } }\nclass B extends A { override x?: number }\nexport default new B().x;",
  });
  t.is((await load(folder, "src/a.ts"))["default"], undefined);
  writeFileSync(
    join(folder, "src/tsconfig.json"),
    '{ "compilerOptions": { "useDefineForClassFields": false } }',
  );
  t.is((await load(folder, "src/a.ts"))["default"], 1);
});

test("paths of the tsconfig, and what it is based on", async (t) => {
  const folder = project(t, {
    "src/a.ts": 'import { one } from "@lib/one"; export default one;',
    "lib/one.ts": "export const one = 1;",
    "lib2/one.ts": "export const one = 2;",
    "tsconfig.json": '{ "extends": "./base" }',
    "base.json": '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }',
  });
  t.is((await load(folder, "src/a.ts"))["default"], 1);
  writeFileSync(
    join(folder, "base.json"),
    '{ "compilerOptions": { "paths": { "@lib/*": ["./lib2/*"] } } }',
  );
  t.is((await load(folder, "src/a.ts"))["default"], 2);
});

test("a package that has moved is found again", async (t) => {
  const folder = project(t, {
    "app/a.ts": 'import value from "a-package"; export default value;',
    "app/node_modules/a-package/index.mjs": "export default 1;",
    "app/node_modules/a-package/package.json": '{ "exports": "./index.mjs" }',
    "node_modules/a-package/index.mjs": "export default 2;",
    "node_modules/a-package/package.json": '{ "exports": "./index.mjs" }',
  });
  t.is((await load(folder, "app/a.ts"))["default"], 1);
  rmSync(join(folder, "app/node_modules"), { recursive: true });
  t.is((await load(folder, "app/a.ts"))["default"], 2);
});

test("exports are known, also those that are passed on", async (t) => {
  const folder = project(t, {
    "a.ts": 'export * from "./b.ts"; export const GET = 1;',
    "b.ts": "export const POST = 1; export interface T {}",
    "c.ts": 'export * from "a-package";',
    "node_modules/a-package/index.mjs": "export const GET = 1;",
    "node_modules/a-package/package.json": '{ "exports": "./index.mjs" }',
  });
  const files = ["a.ts", "b.ts", "c.ts"].map((name) => join(folder, name));
  const { modules } = await compileHandlers(files, join(folder, ".cache"));
  t.deepEqual(
    files.map((file) => modules.get(file)?.exports),
    [["GET", "POST"], ["POST"], null],
  );
});

test("a second time nothing is compiled; a change of any input is seen", async (t) => {
  const folder = project(t, {
    "handler.ts": 'import { text } from "./part.js"; export default () => text;',
    "part.ts": 'export const text = "first";',
  });
  const file = join(folder, "handler.ts");
  const cache = join(folder, ".cache");
  const url = async (): Promise<string | undefined> => {
    return (await compileHandlers([file], cache)).modules.get(file)?.url;
  };
  const first = await url();
  const written = statSync(fileURLToPath(first ?? "")).mtimeMs;
  t.is(await url(), first);
  t.is(statSync(fileURLToPath(first ?? "")).mtimeMs, written);
  t.is(readdirSync(cache).length, 2);
  writeFileSync(join(folder, "part.ts"), 'export const text = "second";');
  const second = await url();
  t.not(second, first);
  const module = (await import(second ?? "")) as { default: () => string };
  t.is(module.default(), "second");
  writeFileSync(join(folder, "part.ts"), 'export const text = "first";');
  t.is(await url(), first);
});

test("what nobody has used for long leaves the cache, what a daemon keeps stays", async (t) => {
  const folder = project(t, { "a.ts": "export default 1;" });
  const cache = join(folder, ".cache");
  mkdirSync(cache);
  const days = (count: number): Date => new Date(Date.now() - count * 24 * 3600 * 1000);
  const old = join(cache, `handlers-${"a".repeat(20)}`);
  const kept = join(cache, `handlers-${"b".repeat(20)}`);
  const foreign = join(cache, "somebody-elses");
  for (const path of [old, kept, foreign]) {
    mkdirSync(path);
    utimesSync(path, days(31), days(31));
  }
  keepCompiled(kept);
  const recent: string[] = [];
  for (let i = 0; i < 100; i++) {
    recent[i] = join(cache, `handlers-${String(i).padStart(20, "0")}`);
    mkdirSync(recent[i] ?? "");
    utimesSync(recent[i] ?? "", days(2 + i / 100), days(2 + i / 100));
  }
  await load(folder, "a.ts");
  t.false(existsSync(old));
  t.true(existsSync(kept));
  t.true(existsSync(foreign));
  t.true(existsSync(recent[0] ?? ""));
  t.false(existsSync(recent[99] ?? ""));
});

test("a damaged cache is only a cache", async (t) => {
  const folder = project(t, { "handler.ts": "export default () => 1;" });
  const file = join(folder, "handler.ts");
  const cache = join(folder, ".cache");
  await compileHandlers([file], cache);
  for (const name of readdirSync(cache)) {
    if (name.endsWith(".json")) writeFileSync(join(cache, name), "{");
    else rmSync(join(cache, name), { recursive: true });
  }
  t.is(typeof (await load(folder, "handler.ts"))["default"], "function");
});

test("every error of every file, with line and column", async (t) => {
  const folder = project(t, {
    "syntax.ts": "const a = 1;\nexport default ( => a;\n",
    "import.ts": 'export default 1;\nimport { x } from "./nowhere.js";\nx();',
    "package.ts": 'import "no-such-package";',
    "fine.ts": "export default () => 1;",
  });
  const files = ["syntax.ts", "import.ts", "package.ts", "missing.ts", "fine.ts"];
  const { modules, errors } = await compileHandlers(
    files.map((name) => join(folder, name)),
    join(folder, ".cache"),
  );
  t.is(modules.size, 0);
  const places = errors.map(({ file, line, column }) => [
    file.slice(folder.length + 1),
    line,
    column,
  ]);
  t.deepEqual(places, [
    ["import.ts", 2, 19],
    ["missing.ts", 0, 0],
    ["package.ts", 1, 8],
    ["syntax.ts", 2, 18],
  ]);
  t.regex(errors[0]?.text ?? "", /nowhere/);
  t.regex(errors[1]?.text ?? "", /no such file/);
});

test("stack traces name the source's path and line, in every module", async (t) => {
  process.setSourceMapsEnabled(true);
  const folder = project(t, {
    "src/handler.ts":
      'import { fail } from "../lib/fail.js";\ntype A = string;\nexport default (): A => {\n  return fail();\n};\n',
    "lib/fail.ts":
      'interface B {}\n\nexport function fail(): never {\n  throw new Error("x");\n}\n',
    "src/top.ts": 'const a: number = 1;\n\nthrow new Error("at the top" + a);\n',
  });
  const module = await load(folder, "src/handler.ts");
  const error = t.throws(module["default"] as () => void);
  t.true(error?.stack?.includes(`${join(folder, "lib/fail.ts")}:4:9`), error?.stack);
  t.true(error?.stack?.includes(`${join(folder, "src/handler.ts")}:4:10`), error?.stack);
  const early = await t.throwsAsync(load(folder, "src/top.ts"));
  t.true(early?.stack?.includes(`${join(folder, "src/top.ts")}:3:7`), early?.stack);
});

test("a cache that cannot be written to is replaced by one of the user's own", async (t) => {
  if (process.getuid?.() === 0) {
    // Root writes everywhere: a file in the way is what is left to try.
    const folder = project(t, { "handler.ts": "export default () => 1;", ".cache": "a file" });
    t.is(typeof (await load(folder, "handler.ts"))["default"], "function");
    return;
  }
  const folder = project(t, { "handler.ts": "export default () => 1;" });
  mkdirSync(join(folder, ".cache"));
  chmodSync(join(folder, ".cache"), 0o500);
  t.is(typeof (await load(folder, "handler.ts"))["default"], "function");
});
