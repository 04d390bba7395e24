// One exchange with a server: its answer is checked, and becomes what each later answer is compared with.
import { connect } from "node:net";
import type { Route } from "./routes.js";

const PATIENCE_MS = 20_000;

export interface Answer {
  raw: Buffer;
  /** Where the value of Date is, if there is one: it may differ. */
  date: { offset: number; length: number } | undefined;
}

/** Throws with what is wrong if the server does not answer as the route says, twice in a row with the same bytes. */
export async function learnAnswer(port: number, route: Route): Promise<Answer> {
  const first = check(await exchange(port, route.request), route);
  const second = check(await exchange(port, route.request), route);
  if (!masked(first).equals(masked(second))) {
    throw new Error("two answers to the same request differ in more than their Date");
  }
  return first;
}

/** Sends one request on a connection of its own and reads one answer with Content-Length. */
export async function exchange(port: number, request: Buffer): Promise<Buffer> {
  const socket = connect(port, "127.0.0.1");
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("no answer within 20 s")));
  socket.write(request);
  try {
    const chunks: Buffer[] = [];
    let received = 0;
    let wanted: number | undefined;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      received += chunk.length;
      if (wanted === undefined) wanted = answerLength(Buffer.concat(chunks));
      if (wanted !== undefined && received >= wanted) {
        if (received > wanted) throw new Error(`${received - wanted} bytes follow the answer`);
        return Buffer.concat(chunks);
      }
    }
    throw new Error(`the connection ended after ${received} bytes of an answer`);
  } finally {
    socket.destroy();
  }
}

/** Bytes of the whole answer, when its head is complete. */
function answerLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const head = bytes.toString("latin1", 0, end + 2);
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`the answer has no Content-Length:\n${head}`);
  return end + 4 + Number(length);
}

function check(raw: Buffer, route: Route): Answer {
  const end = raw.indexOf("\r\n\r\n") + 4;
  const head = raw.toString("latin1", 0, end - 2);
  const type = /\r\ncontent-type: *([^;\r]+)/i.exec(head)?.[1]?.trim().toLowerCase();
  if (!/^HTTP\/1\.1 200 /.test(head)) throw new Error(`not a 200:\n${head}`);
  if (/\r\nconnection: *close/i.test(head)) throw new Error(`it closes the connection:\n${head}`);
  if (type !== route.type) throw new Error(`the type is ${type}, not ${route.type}`);
  if (!raw.subarray(end).equals(route.body)) {
    throw new Error(`the body is not the expected one: ${raw.toString("latin1", end, end + 100)}`);
  }
  const date = /\r\ndate: *([^\r]+)\r\n/i.exec(head);
  const value = date?.[1];
  if (date === null || value === undefined) return { raw, date: undefined };
  return {
    raw,
    date: { offset: date.index + date[0].length - 2 - value.length, length: value.length },
  };
}

function masked({ raw, date }: Answer): Buffer {
  const copy = Buffer.from(raw);
  if (date !== undefined) copy.fill("x", date.offset, date.offset + date.length);
  return copy;
}
