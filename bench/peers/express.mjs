// Express in production mode, without what can be switched off: ETag, X-Powered-By.
import { setTimeout as sleep } from "node:timers/promises";
import express from "express";
import { download, hello, page, port, summarize, user } from "./content.mjs";

const app = express();
app.set("etag", false);
app.disable("x-powered-by");

app.get("/hello", (request, response) => {
  response.type("text/plain").send(hello);
});
app.get("/users/:id", (request, response) => {
  response.json(user(request.params.id));
});
app.get("/page.html", (request, response) => {
  response.type("html").send(page);
});
app.post("/orders", express.json(), (request, response) => {
  response.json(summarize(request.body));
});
app.get("/promise", async (request, response) => {
  await Promise.resolve();
  response.type("text/plain").send(hello);
});
app.get("/timer", async (request, response) => {
  await sleep(5);
  response.type("text/plain").send(hello);
});
app.post("/upload", (request, response) => {
  let bytes = 0;
  request.on("data", (chunk) => (bytes += chunk.length));
  request.on("end", () => response.type("text/plain").send(String(bytes)));
});
app.get("/download.bin", (request, response) => {
  response.type("application/octet-stream").send(download);
});
const server = app.listen(port, "127.0.0.1", 1024);
server.keepAliveTimeout = 600_000;
