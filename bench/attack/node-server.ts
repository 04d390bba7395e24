// node:http with the same routes, to stand beside Pinion.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Request } from "pinion";
import javascript from "./handlers/javascript.js";
import large from "./handlers/large.js";
import work from "./handlers/work.js";

const server = createServer((request, answer) => {
  const url = request.url ?? "/";
  if (url === "/native") return void answer.end("hello from node\n");
  if (url === "/javascript") return void answer.end(javascript());
  if (url === "/large") return void answer.end(large());
  if (url.startsWith("/work/")) {
    const result = work({ params: { id: Number(url.slice(6)) } } as Request<"/work/{id:int}">);
    return void answer.end(typeof result === "string" ? result : JSON.stringify(result));
  }
  if (url !== "/body") return void answer.writeHead(404).end();
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= 1024 * 1024) return;
    answer.writeHead(413, { connection: "close" }).end();
    request.destroy();
  });
  request.on("error", () => undefined);
  request.on("end", () => answer.end(JSON.stringify({ bytes })));
});
server.maxConnections = Number(process.argv[2]);
process.on("SIGTERM", () => process.exit(0));
server.listen({ port: 0, host: "127.0.0.1", backlog: 1024 }, () =>
  console.log(`serving ${(server.address() as AddressInfo).port}`),
);
