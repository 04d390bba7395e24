import test from "ava";
import { readFileSync } from "node:fs";
import { layoutToCpp, snakeCase } from "./layout-cpp.js";
import { layoutToTypeScript } from "./layout-typescript.js";
import { parseLayout } from "./layout.js";

function layoutOf(records: string, constants = "{ COUNT: 3 }") {
  return parseLayout(`constants: ${constants}\nenums: {}\nflags: {}\nrecords:\n${records}`);
}

function flagText(flags: string, type: string) {
  return `constants: {}\nenums: {}\nflags: { OneFlag: [${flags}] }\nrecords:\n  R: { oneFlags: ${type} }`;
}

test("a field is aligned to its own size", (t) => {
  const [record] = layoutOf("  R: { a: u8, b: u16, c: u8, d: u32, e: f64 }").records;
  t.deepEqual(
    record?.fields.map((field) => [field.name, field.offset]),
    [
      ["a", 0],
      ["b", 2],
      ["c", 4],
      ["d", 8],
      ["e", 16],
    ],
  );
  t.is(record?.bytes, 24);
});

test("line begins a cache line, size pads", (t) => {
  const [record] = layoutOf("  R: { size: 256, a: u32, b: { type: u32, line: true } }").records;
  t.is(record?.fields[1]?.offset, 64);
  t.is(record?.padding, 256 - 68);
  t.is(record?.alignment, 64);
});

test("an array of records counts by number or constant", (t) => {
  const layout = layoutOf("  P: { a: u16, b: u16 }\n  R: { p: 'P[COUNT]', q: 'P[2]', end: u8 }");
  t.deepEqual(
    layout.records[1]?.fields.map((field) => field.offset),
    [0, 12, 20],
  );
});

for (const [what, records] of [
  ["a size that is too small", "  R: { size: 4, a: f64 }"],
  ["a size that breaks the alignment", "  R: { size: 12, a: f64 }"],
  ["an unknown type", "  R: { a: u64 }"],
  ["a record that comes later", "  R: { a: P }\n  P: { a: u8 }"],
  ["an unknown constant", "  R: { a: 'u32[MANY]' }"],
] as const) {
  test(`${what} is refused`, (t) => {
    t.throws(() => layoutOf(records));
  });
}

test("a flag has the type of the field that holds it, and fits", (t) => {
  t.true(
    layoutToCpp(parseLayout(flagText("aB", "u8"))).includes(
      "inline constexpr std::uint8_t A_B = 1u << 0;",
    ),
  );
  t.throws(() => layoutToCpp(parseLayout(flagText("a,b,c,d,e,f,g,h,i", "u8"))));
});

test("names that C++ reserves get an underscore", (t) => {
  const layout = parseLayout(
    "constants: {}\nenums: { E: [float, bodyEnd] }\nflags: {}\nrecords: {}",
  );
  t.regex(layoutToCpp(layout), /float_ = 0,\n {4}body_end = 1,/);
  t.regex(layoutToTypeScript(layout), /float: 0,\n {2}bodyEnd: 1,/);
});

test("snake case", (t) => {
  t.is(snakeCase("creditStarved"), "credit_starved");
  t.is(snakeCase("SlotState"), "slot_state");
  t.is(snakeCase("argument2"), "argument2");
});

test("the indexes of the TypeScript side are its offsets in elements", async (t) => {
  const layout = parseLayout(readFileSync("native/base/layout.yaml", "utf8"));
  const generated = (await import("../runtime/layout.generated.js")) as unknown as Record<
    string,
    number
  >;
  const bytes: Record<string, number> = { HALF: 2, WORD: 4, DOUBLE: 8 };
  let checked = 0;
  for (const [name, value] of Object.entries(generated)) {
    const suffix = /^(.+)_(HALF|WORD|DOUBLE)$/.exec(name);
    if (suffix === null) continue;
    t.is((value ?? NaN) * (bytes[suffix[2] ?? ""] ?? 0), generated[suffix[1] ?? ""] ?? -1, name);
    checked++;
  }
  t.true(checked >= layout.records.length * 2);
});
