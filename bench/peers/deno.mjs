// Deno.serve, without a router of its own: a switch.
/* global Deno, Response */
import { setTimeout as sleep } from "node:timers/promises";
import { download, hello, page, port, summarize, user } from "./content.mjs";

const html = { headers: { "content-type": "text/html; charset=utf-8" } };
const bytes = { headers: { "content-type": "application/octet-stream" } };
const text = { headers: { "content-type": "text/plain; charset=utf-8" } };

async function order(request) {
  return Response.json(summarize(await request.json()));
}

async function count(request) {
  return new Response(String((await request.arrayBuffer()).byteLength), text);
}

async function afterPromise() {
  await Promise.resolve();
  return new Response(hello, text);
}

async function afterTimer() {
  await sleep(5);
  return new Response(hello, text);
}

Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, (request) => {
  const { url } = request;
  const path = url.slice(url.indexOf("/", 8));
  switch (path) {
    case "/hello":
      return new Response(hello, text);
    case "/page.html":
      return new Response(page, html);
    case "/orders":
      return order(request);
    case "/promise":
      return afterPromise();
    case "/timer":
      return afterTimer();
    case "/upload":
      return count(request);
    case "/download.bin":
      return new Response(download, bytes);
  }
  if (path.startsWith("/users/")) return Response.json(user(path.slice("/users/".length)));
  return new Response(null, { status: 404 });
});
