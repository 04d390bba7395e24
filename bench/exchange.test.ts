import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type ExecutionContext } from "ava";
import { learnAnswer } from "./exchange.js";
import { ROUTES } from "./routes.js";

async function serve(t: ExecutionContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const fields = { "content-type": "text/plain; charset=utf-8", "content-length": 14 };

test("an answer is learnt with the place of its Date", async (t) => {
  const port = await serve(t, (_, response) => {
    response.writeHead(200, fields).end("Hello, world!\n");
  });
  const { raw, date } = await learnAnswer(port, ROUTES.hello);
  const { offset = 0, length = 0 } = date ?? {};
  t.regex(
    raw.toString("latin1", offset, offset + length),
    /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/,
  );
  t.is(raw.toString("latin1", offset - 6, offset).toLowerCase(), "date: ");
});

for (const [what, message, listener] of [
  [
    "another body",
    /the body is not/,
    (_, response) => response.writeHead(200, fields).end("Hello, World!\n"),
  ],
  [
    "another status",
    /not a 200/,
    (_, response) => response.writeHead(404, fields).end("Hello, world!\n"),
  ],
  [
    "another type",
    /the type is text\/html/,
    (_, response) =>
      response.writeHead(200, { ...fields, "content-type": "text/html" }).end("Hello, world!\n"),
  ],
  [
    "an answer that closes the connection",
    /it closes/,
    (_, response) =>
      response.writeHead(200, { ...fields, connection: "close" }).end("Hello, world!\n"),
  ],
  [
    "an answer without a length",
    /no Content-Length/,
    (_, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.write("Hello, ");
      response.end("world!\n");
    },
  ],
  [
    "answers that differ",
    /differ/,
    (() => {
      let count = 0;
      return (_, response) =>
        response.writeHead(200, { ...fields, "x-count": ++count }).end("Hello, world!\n");
    })(),
  ],
] as [string, RegExp, RequestListener][]) {
  test(`refused: ${what}`, async (t) => {
    const port = await serve(t, listener);
    await t.throwsAsync(learnAnswer(port, ROUTES.hello), { message });
  });
}
