// What is asked and what has to be answered: the same bytes go to every server, the same body has to come back.

export type RouteName =
  | "hello"
  | "user"
  | "page"
  | "order"
  | "promise"
  | "timer"
  | "upload"
  | "download"
  | "fixed"
  | "spin";

export interface Route {
  /** The request as it is sent. */
  readonly request: Buffer;
  /** The answer's body. */
  readonly body: Buffer;
  /** The answer's media type, without parameters. */
  readonly type: string;
}

/** Every server on every port gets the same bytes. */
const HOST = "Host: bench.example";

/** What a browser sends with a navigation: twelve field lines with Host. */
const BROWSER = [
  HOST,
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-Mode: navigate",
  "Referer: http://bench.example/users",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
];

const MEBIBYTE = 1024 * 1024;

function get(path: string, fields: readonly string[] = [HOST]): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`);
}

function post(path: string, type: string, body: Buffer): Buffer {
  const fields = [HOST, `Content-Type: ${type}`, `Content-Length: ${body.length}`];
  return Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`),
    body,
  ]);
}

/** 10 KiB of HTML. */
export function makePage(): Buffer {
  const head = "<!doctype html><html lang=en><meta charset=utf-8><title>Stock</title><table>\n";
  const tail = "</table></html>\n";
  let rows = "";
  for (let row = 1; head.length + rows.length + tail.length < 10_240; row++) {
    rows += `<tr><td>${row}<td>Gear wheel, ${10 + (row % 40)} teeth<td>${(row * 7919) % 1000} in stock\n`;
  }
  return Buffer.from(head + rows.slice(0, 10_240 - head.length - tail.length) + tail);
}

/** 1 MiB that does not repeat within a page. */
export function makeDownload(): Buffer {
  const bytes = Buffer.alloc(MEBIBYTE);
  for (let at = 0; at < MEBIBYTE; at += 4)
    bytes.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at);
  return bytes;
}

/** An order of 1,024 bytes, and what the server has to find in it. */
export function makeOrder(): { request: Buffer; answer: Buffer } {
  const items = Array.from({ length: 16 }, (_, at) => ({
    sku: `G-${1000 + at}`,
    quantity: 1 + (at % 5),
    price: 1250 + 75 * at,
  }));
  const order = { customer: "Ada Lovelace", items, note: "" };
  order.note = "n".repeat(1024 - JSON.stringify(order).length);
  const total = items.reduce((sum, { quantity, price }) => sum + quantity * price, 0);
  return {
    request: Buffer.from(JSON.stringify(order)),
    answer: Buffer.from(JSON.stringify({ customer: order.customer, count: items.length, total })),
  };
}

const PLAIN = "text/plain";
const JSON_TYPE = "application/json";
const HELLO = Buffer.from("Hello, world!\n");

function makeRoutes(): Record<RouteName, Route> {
  const order = makeOrder();
  const user = { id: 42, name: "Ada Lovelace", roles: ["admin", "author"], active: true };
  const bytes = Buffer.alloc(MEBIBYTE, "0123456789abcdef");
  return {
    hello: { request: get("/hello"), body: HELLO, type: PLAIN },
    user: {
      request: get("/users/42", BROWSER),
      body: Buffer.from(JSON.stringify(user)),
      type: JSON_TYPE,
    },
    page: { request: get("/page.html"), body: makePage(), type: "text/html" },
    order: {
      request: post("/orders", JSON_TYPE, order.request),
      body: order.answer,
      type: JSON_TYPE,
    },
    promise: { request: get("/promise"), body: HELLO, type: PLAIN },
    timer: { request: get("/timer"), body: HELLO, type: PLAIN },
    upload: {
      request: post("/upload", "application/octet-stream", bytes),
      body: Buffer.from(String(MEBIBYTE)),
      type: PLAIN,
    },
    download: {
      request: get("/download.bin"),
      body: makeDownload(),
      type: "application/octet-stream",
    },
    fixed: { request: get("/fixed"), body: HELLO, type: PLAIN },
    spin: { request: get("/spin"), body: Buffer.alloc(0), type: JSON_TYPE },
  };
}

export const ROUTES = makeRoutes();

/** Those that a server in JavaScript answers; the other two are for `blocked`. */
export const HANDLED: readonly RouteName[] = [
  "hello",
  "user",
  "page",
  "order",
  "promise",
  "timer",
  "upload",
  "download",
];
