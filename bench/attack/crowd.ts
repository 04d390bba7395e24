// A number of connections that an attack holds at once: opened step by step, replaced when they are closed, all closed at
// the end. Bounded in number, in openings and in time.
import type { Socket } from "node:net";
import { sleep } from "./clock.js";
import type { Target } from "./loopback.js";
import { open } from "./sockets.js";

/** What an attack has done so far. */
export interface Tally {
  opened: number;
  failed: number;
  /** Ended by the server. */
  closed: number;
  /** Reset by the attack itself. */
  reset: number;
  /** The most that were open at once. */
  peak: number;
  sent: number;
  received: number;
  /** Of the answers, as far as a read begins with one. */
  statuses: Record<string, number>;
  /** Those that do the same, by themselves: of each remainder of an index by `CrowdOptions.kinds`. */
  kinds: Kind[];
}

export interface Kind {
  opened: number;
  closed: number;
  statuses: Record<string, number>;
  /** At the end, for attacks that look: whom the server ought to have ended by then, and those of them that it has not. */
  overdue: number;
  kept: number;
  /** Also at the end: of whom the server has taken all that was sent. */
  swallowed: number;
}

export function newTally(): Tally {
  return {
    ...{ opened: 0, failed: 0, closed: 0, reset: 0, peak: 0, sent: 0, received: 0 },
    ...{ statuses: {}, kinds: [] },
  };
}

export function newKind(): Kind {
  return { opened: 0, closed: 0, statuses: {}, overdue: 0, kept: 0, swallowed: 0 };
}

export interface Member {
  readonly socket: Socket;
  /** 0 to count − 1, the same for its successors. */
  readonly index: number;
  /** Where it is counted. */
  readonly kind: Kind;
  connected: boolean;
  /** We end it ourselves: not counted as ended by the server. */
  ours: boolean;
  /** Bytes written. */
  sent: number;
  /** performance.now() at its first byte, where they are read one by one; Infinity: there was none. */
  firstMs: number;
  /** For the attack's own use. */
  step: number;
}

export interface CrowdOptions {
  target: Target;
  count: number;
  tally: Tally;
  /** performance.now() at which all is closed. */
  until: number;
  signal: AbortSignal;
  /** The connection is up. */
  begin: (member: Member) => void;
  /**
   * `all`: takes whatever comes. `never`: not one byte. `byte`: one byte a read, and none until `resume()`.
   */
  reading: "all" | "never" | "byte";
  allowHalfOpen?: boolean;
  /** So many kinds of members, which differ in what they do. */
  kinds?: number;
  /** The time is over, and nobody has been closed yet. */
  atEnd?: () => void | Promise<void>;
  /** Openings in all. */
  most?: number;
  /** Openings in 10 ms. */
  pace?: number;
  /** All come from this address; left out: from many. */
  from?: string;
}

const TICK_MS = 10;

export class Crowd {
  readonly members: (Member | undefined)[];
  readonly #options: Required<Omit<CrowdOptions, "from">> & Pick<CrowdOptions, "from">;
  #openNow = 0;
  #over = false;
  #vacant: number[];

  get openNow(): number {
    return this.#openNow;
  }

  constructor(options: CrowdOptions) {
    const defaults = { allowHalfOpen: false, kinds: 1, atEnd: () => undefined };
    this.#options = { ...defaults, most: 1_000_000, pace: 60, ...options };
    const { tally, kinds } = this.#options;
    tally.kinds = Array.from({ length: kinds }, newKind);
    this.members = new Array<Member | undefined>(options.count).fill(undefined);
    this.#vacant = Array.from({ length: options.count }, (_, i) => options.count - 1 - i);
  }

  /** Opens and replaces until the time is over, calling `tick` every 10 ms; then closes all. */
  async run(tick: (elapsedMs: number) => void = () => undefined): Promise<void> {
    const { until, signal, tally, most, pace, atEnd } = this.#options;
    const start = performance.now();
    while (performance.now() < until && !signal.aborted) {
      for (let i = 0; i < pace && this.#vacant.length > 0 && tally.opened < most; i++) {
        this.#open(this.#vacant.pop() ?? 0);
      }
      tick(performance.now() - start);
      await sleep(TICK_MS);
    }
    this.#over = true;
    if (!signal.aborted) await atEnd();
    // They leave as they came. All at once is an attack of its own.
    for (let i = 0; i < this.members.length; i++) {
      this.members[i]?.socket.destroy();
      if (i % pace === pace - 1 && !signal.aborted) await sleep(TICK_MS);
    }
    for (let i = 0; i < 300 && this.#openNow > 0; i++) await sleep(TICK_MS);
  }

  /** Writes, and counts. False: the socket's buffer is full. */
  write(member: Member, bytes: Buffer | string): boolean {
    if (member.socket.destroyed || member.socket.writableEnded) return false;
    this.#options.tally.sent += bytes.length;
    member.sent += bytes.length;
    return typeof bytes === "string"
      ? member.socket.write(bytes, "latin1")
      : member.socket.write(bytes);
  }

  /**
   * Writes what `next` makes as fast as the peer takes it, until the connection is closed, `next` has no more, or `most`
   * bytes are written: what nobody reads lies in the kernel's memory, which all sockets of the machine share (tcp_mem),
   * good clients' too.
   */
  flood(member: Member, next: () => Buffer | string | undefined, most = Infinity): void {
    const more = (): void => {
      // A few at a time: other connections want their turn.
      for (let i = 0; i < 16; i++) {
        if (this.#over || member.socket.destroyed) return;
        const bytes = next();
        if (bytes === undefined || member.sent + bytes.length > most) return;
        if (!this.write(member, bytes)) return void member.socket.once("drain", more);
      }
      setImmediate(more);
    };
    more();
  }

  reset(member: Member): void {
    if (member.socket.destroyed) return;
    this.#options.tally.reset++;
    member.ours = true;
    member.socket.resetAndDestroy();
  }

  /** From now on it takes whatever comes, and has come. */
  read(member: Member): void {
    this.#readAll(member);
    member.socket.resume();
  }

  #open(index: number): void {
    const { target, tally, reading, allowHalfOpen, begin, from, kinds } = this.#options;
    const kind = tally.kinds[index % kinds] ?? newKind();
    const byte = {
      buffer: Buffer.alloc(1),
      callback: (bytes: number) => {
        tally.received += bytes;
        member.firstMs = Math.min(member.firstMs, performance.now());
        return false;
      },
    };
    const socket = open(target, {
      as: "attacker",
      allowHalfOpen,
      ...(from !== undefined && { from }),
      ...(reading === "byte" && { onread: byte }),
    });
    const fresh = { connected: false, ours: false, sent: 0, firstMs: Infinity, step: 0 };
    const member: Member = { socket, index, kind, ...fresh };
    this.members[index] = member;
    if (reading === "never") socket.pause();
    if (reading === "all") this.#readAll(member);
    socket.on("connect", () => {
      member.connected = true;
      tally.opened++;
      kind.opened++;
      tally.peak = Math.max(tally.peak, ++this.#openNow);
      begin(member);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (member.connected) this.#openNow--;
      if (!member.connected) tally.failed++;
      else if (!this.#over && !member.ours) {
        tally.closed++;
        kind.closed++;
      }
      this.members[index] = undefined;
      if (!this.#over) this.#vacant.push(index);
    });
  }

  #readAll({ socket, kind }: Member): void {
    const { tally } = this.#options;
    socket.on("data", (chunk: Buffer) => {
      tally.received += chunk.length;
      if (chunk.toString("latin1", 0, 9) !== "HTTP/1.1 ") return; // the rest of a large one
      for (const [, status = ""] of chunk.toString("latin1").matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
        for (const { statuses } of [tally, kind]) statuses[status] = (statuses[status] ?? 0) + 1;
      }
    });
  }
}
