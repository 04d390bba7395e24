// Bun.serve with its own router. A Response made beforehand would be a fixed answer without a handler: not what is compared.
/* global Bun, Response */
import { download, hello, page, port, summarize, user } from "./content.mjs";

const html = { headers: { "Content-Type": "text/html; charset=utf-8" } };
const bytes = { headers: { "Content-Type": "application/octet-stream" } };
const text = { headers: { "Content-Type": "text/plain; charset=utf-8" } };

async function count(request) {
  return new Response(String((await request.arrayBuffer()).byteLength), text);
}

Bun.serve({
  port,
  hostname: "127.0.0.1",
  idleTimeout: 0,
  development: false,
  routes: {
    "/hello": () => new Response(hello, text),
    "/users/:id": (request) => Response.json(user(request.params.id)),
    "/page.html": () => new Response(page, html),
    "/orders": { POST: async (request) => Response.json(summarize(await request.json())) },
    "/promise": async () => {
      await Promise.resolve();
      return new Response(hello, text);
    },
    "/timer": async () => {
      await Bun.sleep(5);
      return new Response(hello, text);
    },
    "/upload": { POST: count },
    "/download.bin": () => new Response(download, bytes),
  },
});
