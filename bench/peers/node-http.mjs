// node:http without a framework: lengths are given, so that an answer leaves in one write and is not chunked.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Buffer } from "node:buffer";
import { download, hello, page, port, summarize, user } from "./content.mjs";

const PLAIN = "text/plain; charset=utf-8";

function answer(response, type, body) {
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  response.writeHead(200, { "Content-Type": type, "Content-Length": length });
  response.end(body);
}

const json = (response, value) => answer(response, "application/json", JSON.stringify(value));

function readBody(request, done) {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => done(Buffer.concat(chunks)));
}

function countBody(request, done) {
  let bytes = 0;
  request.on("data", (chunk) => (bytes += chunk.length));
  request.on("end", () => done(bytes));
}

async function afterPromise(response) {
  await Promise.resolve();
  answer(response, PLAIN, hello);
}

async function afterTimer(response) {
  await sleep(5);
  answer(response, PLAIN, hello);
}

const server = createServer((request, response) => {
  const { url } = request;
  switch (url) {
    case "/hello":
      return answer(response, PLAIN, hello);
    case "/page.html":
      return answer(response, "text/html; charset=utf-8", page);
    case "/orders":
      return readBody(request, (body) => json(response, summarize(JSON.parse(body.toString()))));
    case "/promise":
      return void afterPromise(response);
    case "/timer":
      return void afterTimer(response);
    case "/upload":
      return countBody(request, (bytes) => answer(response, PLAIN, String(bytes)));
    case "/download.bin":
      return answer(response, "application/octet-stream", download);
  }
  if (url.startsWith("/users/")) return json(response, user(url.slice("/users/".length)));
  response.writeHead(404).end();
});
server.keepAliveTimeout = 600_000;
server.listen({ port, host: "127.0.0.1", backlog: 1024 });
