import test from "ava";
import { handler } from "./handler.js";
import { bodyText, FakeReactor } from "./fake-reactor.test.support.js";
import { parameterNames, type Params, percentDecode } from "./parameters.js";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function typed<_Check extends true>(): void {
  // The compiler is the test.
}

test("the type of the parameters follows from the pattern", (t) => {
  typed<Equal<Params<"/results/{roll:int}/{rest:path}">, { roll: number; rest: string }>>();
  typed<Equal<Params<"/hello/{name}">, { name: string }>>();
  typed<Equal<Params<"/{a:float}/{b:uuid}/x/{c:string}">, { a: number; b: string; c: string }>>();
  typed<Equal<keyof Params<"/plain">, never>>();
  typed<Equal<Params<string>, Record<string, string | number>>>();
  handler<"/{id:int}">((request) => {
    typed<Equal<typeof request.params.id, number>>();
    // @ts-expect-error -- there is no such parameter
    void request.params.other;
    return "";
  });
  t.pass();
});

test("names of a pattern", (t) => {
  t.deepEqual(parameterNames("/a/{b}/{c:int}/{d:path}"), ["b", "c", "d"]);
  t.deepEqual(parameterNames("/plain"), []);
  t.throws(() => parameterNames("/{__proto__}"), { message: /__proto__/ });
});

test("percent escapes and UTF-8", (t) => {
  t.is(percentDecode("plain"), "plain");
  t.is(percentDecode("a%20b%C3%BC"), "a bü");
  t.is(percentDecode(Buffer.from("ü%20€").toString("latin1")), "ü €");
  t.is(percentDecode("+"), "+");
  // One character's bytes, raw and escaped.
  t.is(percentDecode("\xc3%bc"), "ü");
  t.is(percentDecode("%e2\x82%AC%25"), "€%");
});

test("values by kind", async (t) => {
  const reactor = FakeReactor.with((request) => ({ ...request.params }), {
    routes: ["/{a:int}/{b:float}/{c:uuid}/{d}/{e:path}"],
  });
  const uuid = "6BA7B810-9dad-11d1-80b4-00c04fd430c8";
  const answer = await reactor.fetch({
    target: `/-42/1.5e3/${uuid}/a%2Fb/x/%C3%BC/z?d=1`,
    parameters: [
      { kind: "int", text: "-42", value: -42 },
      { kind: "float", text: "1.5e3", value: 1500 },
      { kind: "uuid", text: uuid },
      { kind: "string", text: "a%2Fb" },
      { kind: "path", text: "x/%C3%BC/z" },
    ],
  });
  t.deepEqual(JSON.parse(bodyText(answer)), { a: -42, b: 1500, c: uuid, d: "a/b", e: "x/ü/z" });
});
