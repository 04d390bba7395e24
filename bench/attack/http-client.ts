// A small HTTP/1.1 client that measures: one request at a time on each of a bounded number of connections, the others
// wait for one in order. Times are microseconds of CLOCK_MONOTONIC.
import type { Socket } from "node:net";
import { nowUs } from "./clock.js";
import type { Target } from "./loopback.js";
import { open } from "./sockets.js";

export interface Order {
  id: number;
  path: string;
  /** When it had to be sent, and when this process came to it: the difference is the client's own lateness. */
  scheduledUs: number;
  seenUs: number;
  /** Give up so long after sending: by a reset, or by closing, as a client's time-out does. */
  abandon?: { afterMs: number; by: "reset" | "close" };
}

/** `unsent`: no connection was free within the time-out. */
export type Failure = "timeout" | "unsent" | "closed" | "connect" | "malformed" | "reset" | "close";

export interface Outcome {
  order: Order;
  /** 0: no answer, `failure` says why (`reset` and `close`: given up by order). */
  status: number;
  retryAfter: boolean;
  failure: Failure | undefined;
  sentUs: number;
  doneUs: number;
}

interface Link {
  socket: Socket;
  connected: boolean;
  order: Order | undefined;
  sentUs: number;
  received: string;
  timer: NodeJS.Timeout | undefined;
}

interface Answer {
  status: number;
  retryAfter: boolean;
  close: boolean;
}

export class HttpClient {
  readonly #target: Target;
  readonly #most: number;
  readonly #timeoutMs: number;
  readonly #as: "good" | "load";
  readonly #done: (outcome: Outcome) => void;
  readonly #idle: Link[] = [];
  readonly #all = new Set<Link>();
  #waiting: Order[] = [];
  #first = 0;
  opened = 0;

  constructor(
    target: Target,
    options: {
      as: "good" | "load";
      connections: number;
      timeoutMs: number;
      done: (outcome: Outcome) => void;
    },
  ) {
    this.#target = target;
    this.#most = options.connections;
    this.#timeoutMs = options.timeoutMs;
    this.#as = options.as;
    this.#done = options.done;
  }

  /** Orders that wait for a connection. */
  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  /** Opens all connections beforehand. */
  prepare(): void {
    while (this.#all.size < this.#most) this.#connect(undefined);
  }

  request(order: Order): void {
    // Good clients use theirs in turn: each has an address of its own, whose requests may be counted.
    const link = this.#as === "good" ? this.#idle.shift() : this.#idle.pop();
    if (link !== undefined) return this.#send(link, order);
    if (this.#all.size < this.#most) return this.#connect(order);
    this.#waiting.push(order);
  }

  /** Forgets what waits to be sent; returns how many that were. */
  forget(): number {
    const count = this.waiting;
    this.#waiting = [];
    this.#first = 0;
    return count;
  }

  /** Forgets what waits, closes everything. */
  close(): void {
    this.forget();
    for (const link of this.#all) link.socket.destroy();
  }

  #connect(order: Order | undefined): void {
    const socket = open(this.#target, { as: this.#as });
    const link: Link = {
      socket,
      connected: false,
      order,
      sentUs: nowUs(),
      received: "",
      timer: undefined,
    };
    this.#all.add(link);
    this.opened++;
    link.timer = setTimeout(() => this.#fail(link, "timeout"), this.#timeoutMs);
    socket.setEncoding("latin1");
    socket.on("connect", () => {
      link.connected = true;
      clearTimeout(link.timer);
      const next = link.order ?? this.#next();
      if (next !== undefined) this.#send(link, next);
      else this.#idle.push(link);
    });
    socket.on("data", (chunk: string) => this.#read(link, chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => this.#closed(link));
  }

  #send(link: Link, order: Order): void {
    link.order = order;
    link.sentUs = nowUs();
    link.received = "";
    const { abandon } = order;
    const afterMs = Math.min(abandon?.afterMs ?? Infinity, this.#timeoutMs);
    link.timer = setTimeout(() => this.#fail(link, abandon?.by ?? "timeout"), afterMs);
    link.socket.write(`GET ${order.path} HTTP/1.1\r\nHost: attack.test\r\n\r\n`);
  }

  #read(link: Link, chunk: string): void {
    link.received = link.received === "" ? chunk : link.received + chunk;
    const answer = wholeAnswer(link.received);
    if (answer === undefined) return;
    const { order } = link;
    clearTimeout(link.timer);
    if (order === undefined) return void link.socket.destroy(); // it was not asked
    link.order = undefined;
    this.#done({
      order,
      status: answer.status,
      retryAfter: answer.retryAfter,
      failure: answer.status === 0 ? "malformed" : undefined,
      sentUs: link.sentUs,
      doneUs: nowUs(),
    });
    if (answer.close || answer.status === 0) return void link.socket.destroy();
    const next = this.#next();
    if (next === undefined) this.#idle.push(link);
    else this.#send(link, next);
  }

  #fail(link: Link, failure: Failure): void {
    const { order } = link;
    clearTimeout(link.timer);
    link.order = undefined;
    if (failure === "reset" || failure === "timeout") link.socket.resetAndDestroy();
    else link.socket.destroy();
    if (order === undefined) return;
    this.#done({
      order,
      status: 0,
      retryAfter: false,
      failure,
      sentUs: link.sentUs,
      doneUs: nowUs(),
    });
  }

  #closed(link: Link): void {
    this.#all.delete(link);
    const at = this.#idle.indexOf(link);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#fail(link, link.connected ? "closed" : "connect");
    // Not at once: a server that refuses connections would be asked in a loop.
    setTimeout(() => {
      const next = this.#all.size < this.#most ? this.#next() : undefined;
      if (next !== undefined) this.#connect(next);
    }, 1);
  }

  /** The first that waits and has not waited for too long. */
  #next(): Order | undefined {
    for (;;) {
      const order = this.#waiting[this.#first];
      if (order === undefined) return undefined;
      this.#first++;
      if (this.#first > 1000 && this.#first * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#first);
        this.#first = 0;
      }
      const now = nowUs();
      if (now - order.seenUs <= this.#timeoutMs * 1000) return order;
      this.#done({
        order,
        status: 0,
        retryAfter: false,
        failure: "unsent",
        sentUs: now,
        doneUs: now,
      });
    }
  }
}

/** Undefined: not all there yet. Status 0: not what this client understands. */
function wholeAnswer(text: string): Answer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = text.slice(0, end + 2);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head);
  if (status === null) return { status: 0, retryAfter: false, close: true };
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const body = text.slice(end + 4);
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    if (!body.endsWith("0\r\n\r\n")) return undefined;
  } else if (body.length < length) return undefined;
  return {
    status: Number(status[1]),
    retryAfter: /\r\nretry-after: *\d+\r\n/i.test(head),
    close: /\r\nconnection: *close/i.test(head),
  };
}
