// Fastify with response schemas, as its documentation advises: they compile the serializers.
import { setTimeout as sleep } from "node:timers/promises";
import fastify from "fastify";
import { download, hello, page, port, summarize, user } from "./content.mjs";

const app = fastify({
  logger: false,
  keepAliveTimeout: 600_000,
  bodyLimit: 2 ** 21,
});
const respond = (properties) => ({
  schema: { response: { 200: { type: "object", properties } } },
});
const text = { type: "string" };
const integer = { type: "integer" };

app.get("/hello", (request, reply) => {
  reply.type("text/plain; charset=utf-8").send(hello);
});
app.get(
  "/users/:id",
  respond({
    id: integer,
    name: text,
    roles: { type: "array", items: text },
    active: { type: "boolean" },
  }),
  (request, reply) => {
    reply.send(user(request.params.id));
  },
);
app.get("/page.html", (request, reply) => {
  reply.type("text/html; charset=utf-8").send(page);
});
app.post(
  "/orders",
  respond({ customer: text, count: integer, total: integer }),
  (request, reply) => {
    reply.send(summarize(request.body));
  },
);
app.get("/promise", async (request, reply) => {
  await Promise.resolve();
  reply.type("text/plain; charset=utf-8");
  return hello;
});
app.get("/timer", async (request, reply) => {
  await sleep(5);
  reply.type("text/plain; charset=utf-8");
  return hello;
});
app.addContentTypeParser("application/octet-stream", (request, payload, done) => {
  let bytes = 0;
  payload.on("data", (chunk) => (bytes += chunk.length));
  payload.on("end", () => done(null, bytes));
});
app.post("/upload", (request, reply) => {
  reply.type("text/plain; charset=utf-8").send(String(request.body));
});
app.get("/download.bin", (request, reply) => {
  reply.type("application/octet-stream").send(download);
});
await app.listen({ port, host: "127.0.0.1", backlog: 1024 });
