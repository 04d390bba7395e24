// Servers in the test's own process, which handlers talk to: HTTP and datagrams.
import { createSocket } from "node:dgram";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { ExecutionContext } from "ava";

/** Starts them; returns the query that names them to a handler. Datagrams come back as they are. */
export async function startPeers(t: ExecutionContext, answer: RequestListener): Promise<string> {
  const http = createServer(answer);
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => {
    udp.send(message, from.port, from.address);
  });
  await new Promise<void>((done) => udp.bind(0, "127.0.0.1", done));
  t.teardown(() => {
    http.closeAllConnections();
    http.close();
    udp.close();
  });
  return `?http=${(http.address() as AddressInfo).port}&udp=${udp.address().port}`;
}
