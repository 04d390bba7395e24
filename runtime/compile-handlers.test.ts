import test, { type ExecutionContext } from "ava";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compileHandlers } from "./compile-handlers.js";

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

async function load(folder: string, name: string): Promise<Record<string, unknown>> {
  const file = join(folder, name);
  const { urls, errors } = await compileHandlers([file], join(folder, ".cache"));
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return (await import(urls.get(file) ?? "")) as Record<string, unknown>;
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
  const folder = project(t, { "plain.mjs": "export default () => 1;" });
  const file = join(folder, "plain.mjs");
  const { urls, errors } = await compileHandlers([file], join(folder, ".cache"));
  t.deepEqual(errors, []);
  t.regex(urls.get(file) ?? "", /^file:.*plain\.mjs$/);
  t.is(typeof ((await import(urls.get(file) ?? "")) as { default: unknown }).default, "function");
});

test("a second time nothing is compiled; a change of any input is seen", async (t) => {
  const folder = project(t, {
    "handler.ts": 'import { text } from "./part.js"; export default () => text;',
    "part.ts": 'export const text = "first";',
  });
  const file = join(folder, "handler.ts");
  const cache = join(folder, ".cache");
  const url = async (): Promise<string | undefined> => {
    return (await compileHandlers([file], cache)).urls.get(file);
  };
  const first = await url();
  t.is(await url(), first);
  t.is(readdirSync(cache).length, 2);
  writeFileSync(join(folder, "part.ts"), 'export const text = "second";');
  const second = await url();
  t.not(second, first);
  const module = (await import(second ?? "")) as { default: () => string };
  t.is(module.default(), "second");
  writeFileSync(join(folder, "part.ts"), 'export const text = "first";');
  t.is(await url(), first);
});

test("a damaged cache is only a cache", async (t) => {
  const folder = project(t, { "handler.ts": "export default () => 1;" });
  const file = join(folder, "handler.ts");
  const cache = join(folder, ".cache");
  await compileHandlers([file], cache);
  for (const name of readdirSync(cache)) {
    if (name.endsWith(".json")) writeFileSync(join(cache, name), "{");
    else rmSync(join(cache, name));
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
  const { urls, errors } = await compileHandlers(
    files.map((name) => join(folder, name)),
    join(folder, ".cache"),
  );
  t.deepEqual([...urls.keys()], [join(folder, "fine.ts")]);
  const places = errors.map(({ file, line, column }) => [
    file.slice(folder.length + 1),
    line,
    column,
  ]);
  t.deepEqual(places, [
    ["syntax.ts", 2, 18],
    ["import.ts", 2, 19],
    ["package.ts", 1, 8],
    ["missing.ts", 0, 0],
  ]);
  t.regex(errors[1]?.text ?? "", /nowhere/);
  t.regex(errors[3]?.text ?? "", /no such file/);
});

test("stack traces name the source's line", async (t) => {
  process.setSourceMapsEnabled(true);
  const folder = project(t, {
    "handler.ts": 'type A = string;\n\nexport default (): A => {\n  throw new Error("x");\n};\n',
  });
  const module = await load(folder, "handler.ts");
  const error = t.throws(module["default"] as () => void);
  t.regex(error?.stack ?? "", /handler\.ts:4:9/);
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
