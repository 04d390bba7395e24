import test from "ava";
import { FieldBlock, makeFields } from "./fields.js";

test("names that are no tokens are refused", (t) => {
  for (const name of ["", "a b", "a:", "a\r\n", "ü", "(x)", "a\0"]) {
    t.throws(() => makeFields({ [name]: "x" }), { instanceOf: TypeError, message: /token/ });
  }
});

test("values that could break out are refused, and the message says where", (t) => {
  for (const value of ["a\rb", "a\nb", "a\0b", "a\x7fb", "a\x1bb", "a€b", "a𝄞b"]) {
    t.throws(() => makeFields({ "X-A": value }), { instanceOf: TypeError, message: /X-A.* at 1/ });
  }
  t.notThrows(() => makeFields({ "X-A": "tab\tand é and \x80" }));
});

test("white space around a value is no part of it", (t) => {
  const block = makeFields({ "X-A": "  x y  " });
  const bytes = Buffer.alloc(block.bytes);
  block.write(bytes, 0);
  t.deepEqual(bytes, Buffer.from("\x03\0\x03\0X-Ax y", "latin1"));
});

test("what frames the message is the server's", (t) => {
  for (const name of [
    "Content-Length",
    "transfer-encoding",
    "CONNECTION",
    "Keep-Alive",
    "Upgrade",
  ]) {
    t.throws(() => makeFields({ [name]: "x" }), { instanceOf: TypeError, message: /server's/ });
  }
});

test("objects, pairs and Headers are taken; undefined is left out", (t) => {
  const block = makeFields({ A: "1", B: undefined, C: ["2", "3"], D: 4 });
  t.is(block.bytes, 4 * 6);
  t.is(
    makeFields([
      ["A", "1"],
      ["A", 2],
    ]).bytes,
    2 * 6,
  );
  t.is(makeFields(new Headers({ A: "1" })).bytes, 6);
});

test("one Content-Type, one Date", (t) => {
  const block = new FieldBlock();
  block.add("Content-Type", "application/json");
  t.is(block.bytes, 0);
  t.throws(() => block.add("content-type", "text/csv"), { message: /twice/ });
  block.add("Date", "x");
  t.throws(() => block.add("date", "y"), { message: /twice/ });
});

test("fields are bounded", (t) => {
  t.throws(() => makeFields({ "X-A": "x".repeat(40_000) }), { message: /32768/ });
});
