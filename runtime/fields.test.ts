import test from "ava";
import { FieldBlock, makeFields, makeTrailers } from "./fields.js";

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

test("line ends and NUL at the ends of a value are refused, not cut off", (t) => {
  for (const value of [
    "a\r\n",
    "a\n",
    "a\r",
    "\na",
    "\r\na",
    "\n",
    "\r\n",
    " \n a",
    "\0a",
    "a\0",
    "a\v",
    "\fa",
  ]) {
    const message = /U\+00/;
    t.throws(() => makeFields({ "X-A": value }), { instanceOf: TypeError, message });
    t.throws(() => makeFields({ "Content-Type": `text/plain${value}` }), { message });
    t.throws(() => makeTrailers({ "X-A": value }), { instanceOf: TypeError, message });
  }
});

test("a no-break space is a character like any other", (t) => {
  const block = makeFields({ "X-A": "\xa0a\xa0" });
  const bytes = Buffer.alloc(block.bytes);
  block.write(bytes, 0);
  t.deepEqual(bytes, Buffer.from("\x03\0\x03\0X-A\xa0a\xa0", "latin1"));
});

test("what is no text is refused, and so is what is no pair", (t) => {
  for (const value of [null, {}, () => "x", Symbol("x"), ["a", null], [["a"]], new Date(0)]) {
    const message = /field X-A is /;
    t.throws(() => makeFields({ "X-A": value as never }), { instanceOf: TypeError, message });
    t.throws(() => makeFields([["X-A", value as never]]), { instanceOf: TypeError, message });
  }
  t.throws(() => makeFields({ "X-A": undefined, "X-B": [undefined as never] }), { message: /X-B/ });
  for (const pairs of ["ab", ["ab"], [["a"]], [["a", "b", "c"]], [[1, "b"]], [null], 7, true]) {
    t.throws(() => makeFields(pairs as never), { instanceOf: TypeError, message: /pairs/ });
  }
  t.is(makeFields({ A: true as never, B: 1n as never, C: 1.5 }).bytes, 3 * 5 + 4 + 1 + 3);
  t.is(makeFields([["A", ["1", "2"] as never]]).bytes, 2 * 6);
});

test("white space around a value is no part of it", (t) => {
  const block = makeFields({ "X-A": " \t x y\t " });
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
