import test from "ava";
import { handler, handlersOf, type HandlerTable, methodsOf } from "./handler.js";
import { METHODS, type Method } from "./methods.js";
import type { RequestView } from "./request.js";

const context = { directory: "/configured" };
const one = (): string => "one";
const two = (): string => "two";

function load(
  module: Record<string, unknown>,
  options: unknown = {},
): ReturnType<typeof handlersOf> {
  return handlersOf(module, "./x.ts", options, context);
}

const callOf = (table: HandlerTable, method: Method): unknown =>
  table[METHODS.indexOf(method)]?.({} as RequestView<string>);

test("methods of an object know it as this", async (t) => {
  class Greeter {
    greeting = "hello";
    GET(): string {
      return this.greeting;
    }
  }
  for (const module of [{ default: new Greeter() }, { factory: () => new Greeter() }]) {
    t.is(callOf(await load(module), "GET"), "hello");
    t.is(callOf(await load(module), "HEAD"), "hello");
  }
});

test("a default function answers every method", async (t) => {
  t.deepEqual(
    await load({ default: one }),
    METHODS.map(() => one),
  );
});

test("functions by method; GET answers HEAD unless HEAD is there", async (t) => {
  const table = await load({ GET: one, POST: two });
  t.deepEqual(
    METHODS.filter((_, index) => table[index] !== undefined),
    ["GET", "HEAD", "POST"],
  );
  t.is(table[METHODS.indexOf("HEAD")], one);
  t.is(methodsOf(table), 0b111); // by their places in METHODS
  const own = await load({ default: { GET: one, HEAD: two } });
  t.is(callOf(own, "HEAD"), "two");
});

test("a factory gets its options and the folder of the configuration", async (t) => {
  const seen: unknown[] = [];
  const factory = async (...received: unknown[]): Promise<object> => {
    seen.push(...received);
    return { PUT: two };
  };
  const table = await load({ factory, default: one }, { file: "x.csv" });
  t.deepEqual(seen, [{ file: "x.csv" }, context]);
  t.is(callOf(table, "PUT"), "two");
  t.is(table[METHODS.indexOf("GET")], undefined);
});

test("a module without a handler is refused, and the message says what it exports", async (t) => {
  await t.throwsAsync(load({}), { message: /x\.ts exports nothing: export a default function/ });
  await t.throwsAsync(load({ get: one, other: 1 }), { message: /exports get, other/ });
  await t.throwsAsync(load({ factory: () => "x" }), { message: /factory\(\) has to return/ });
  await t.throwsAsync(load({ factory: () => Promise.reject(new Error("no file")) }), {
    message: "no file",
  });
});

test("types: parameters follow from the pattern, and an unknown kind is an error", (t) => {
  handler<"/{a:int}/{b}/{c:path}">(({ params }) => {
    const typed: [number, string, string] = [params.a, params.b, params.c];
    return typed;
  });
  handler<"/plain">(({ params }) => params);
  handler(({ params }) => String(params["any"]));
  // @ts-expect-error: there is no such kind
  handler<"/{a:int}/{id:integer}">(({ params }) => params.a);
  t.pass();
});
