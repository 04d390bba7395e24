import test from "ava";
import { describe } from "./describe.js";
import { reply } from "./reply.js";
import { asBytes } from "./stream-answer.js";

test("an error is its stack, and those of its causes, however many", (t) => {
  const error = new Error("above", { cause: new TypeError("below", { cause: "text" }) });
  t.regex(describe(error), /^Error: above\n {4}at [^]*\n\[cause\] TypeError: below\n {4}at /);
  t.regex(describe(error), /\[cause\] not an Error was thrown: text$/);
  const round = new Error("round");
  round.cause = round;
  t.is(describe(round).split("[cause]").length, 9);
});

test("what is no error says what to do", (t) => {
  t.is(describe(reply(409)), "reply() was thrown: return it, or throw an HttpError");
  t.is(describe(5), "not an Error was thrown: 5");
  t.regex(describe(Object.create(null)), /cannot be described/);
});

test("a part of an answer that is none is named in plain words", (t) => {
  const message = (value: unknown): string => t.throws(() => asBytes(value))?.message ?? "";
  t.regex(message({}), /a part of the answer is an object:/);
  t.regex(message(5), /a part of the answer is a number:/);
  t.regex(message(null), /a part of the answer is null:/);
  t.regex(message(undefined), /a part of the answer is undefined:/);
});
