import test from "ava";
import { ROUTES } from "./routes.js";
import { parseLatency, toScript } from "./wrk2.js";

const OUTPUT = `  Latency Distribution (HdrHistogram - Recorded Latency)
 50.000%  812.00us
 75.000%    1.10ms
 99.000%    2.31ms
 99.900%    1.05s
100.000%    1.20m
`;

test("latencies in microseconds, whatever their unit", (t) => {
  t.is(parseLatency(OUTPUT, "50.000"), 812);
  t.is(parseLatency(OUTPUT, "99.000"), 2310);
  t.is(parseLatency(OUTPUT, "99.900"), 1_050_000);
  t.is(parseLatency(OUTPUT, "100.000"), 72_000_000);
  t.true(Number.isNaN(parseLatency(OUTPUT, "90.000")));
});

test("a request as Lua", (t) => {
  const { lua, path } = toScript(ROUTES.user.request, "/nonexistent/body");
  t.is(path, "/users/42");
  t.true(lua.startsWith('wrk.method = "GET"\nwrk.headers["Host"] = "bench.example"\n'));
  t.true(lua.includes('wrk.headers["sec-ch-ua-platform"] = "\\"Linux\\""'));
});
