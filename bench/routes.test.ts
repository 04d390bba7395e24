import test from "ava";
import { makeDownload, makeOrder, makePage, ROUTES } from "./routes.js";

test("the sizes are those that the works promise", (t) => {
  t.is(makePage().length, 10 * 1024);
  t.is(makeDownload().length, 1024 * 1024);
  t.is(makeOrder().request.length, 1024);
  t.is(ROUTES.upload.request.length - ROUTES.upload.request.indexOf("\r\n\r\n") - 4, 1024 * 1024);
});

test("a browser's dozen header fields", (t) => {
  t.is(ROUTES.user.request.toString().trim().split("\r\n").length, 1 + 12);
});

test("the order's answer is what its items add up to", (t) => {
  const { items } = JSON.parse(makeOrder().request.toString()) as {
    items: { quantity: number; price: number }[];
  };
  const { total } = JSON.parse(makeOrder().answer.toString()) as { total: number };
  t.is(
    items.map(({ quantity, price }) => quantity * price).reduce((a, b) => a + b),
    total,
  );
});
