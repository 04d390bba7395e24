// A raw HTTP/1 client: sends bytes as they are, reads answers one by one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface WireAnswer {
  status: number;
  reason: string;
  /** Field values by lower-case name; repeated fields joined with a comma. */
  fields: Map<string, string>;
  body: string;
  /** The body was complete: as long as it said, or ended by its last chunk, or by a clean close. */
  complete: boolean;
  /** Every byte of the answer. */
  raw: string;
}

// A test that fails says where; one that hangs holds up all the others.
const CONNECT_MS = 60_000;

export class Wire {
  #socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #error: NodeJS.ErrnoException | undefined;
  #waiting = new Set<() => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    const wake = (): void => {
      for (const waiter of this.#waiting) waiter();
    };
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      wake();
    });
    socket.on("end", () => {
      this.#ended = true;
      wake();
    });
    socket.on("error", (error) => {
      this.#error = error;
      this.#ended = true;
      wake();
    });
    socket.on("close", () => {
      this.#ended = true;
      wake();
    });
  }

  /** To a port, or to the path of a Unix socket. */
  static connect(to: number | string, host = "127.0.0.1"): Promise<Wire> {
    return new Promise((connected, failed) => {
      const target = typeof to === "string" ? { path: to } : { port: to, host, noDelay: true };
      const socket = connect({ ...target, allowHalfOpen: true });
      const timer = setTimeout(() => {
        socket.destroy();
        failed(new Error(`not connected to ${to} within ${CONNECT_MS} ms`));
      }, CONNECT_MS);
      socket.once("close", () => clearTimeout(timer));
      socket.once("error", failed);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", failed);
        connected(new Wire(socket));
      });
    });
  }

  get socket(): Socket {
    return this.#socket;
  }
  /** How the connection broke, if it did. */
  get error(): string | undefined {
    return this.#error?.code;
  }
  /** The peer has closed its side, or the connection has broken. */
  get hasEnded(): boolean {
    return this.#ended;
  }
  /** Bytes that have arrived and have not been read. */
  get unread(): string {
    return this.#received.toString("latin1");
  }

  send(text: string | Uint8Array): void {
    this.#socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }
  end(): void {
    this.#socket.end();
  }
  reset(): void {
    this.#socket.resetAndDestroy();
  }
  close(): void {
    this.#socket.destroy();
  }

  /** Waits until the predicate holds or the peer has closed; false: it closed first. */
  async #until(holds: () => boolean, timeoutMs = 20_000): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    while (!holds()) {
      if (this.#ended) return false;
      await new Promise<void>((woken, failed) => {
        const timer = setTimeout(() => {
          this.#waiting.delete(wake);
          failed(new Error(`nothing more arrived; so far: ${JSON.stringify(this.unread)}`));
        }, deadline - Date.now());
        const wake = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          woken();
        };
        this.#waiting.add(wake);
      });
    }
    return true;
  }

  /** Resolves with everything unread once the peer has closed (or broken off) the connection. */
  async closed(timeoutMs = 20_000): Promise<string> {
    await this.#until(() => this.#ended, timeoutMs);
    return this.unread;
  }

  /** Reads the next answer; `method` HEAD: without a body. Interim answers (1xx) are answers of their own. */
  async answer(method = "GET"): Promise<WireAnswer> {
    const found = await this.#until(() => this.#received.includes("\r\n\r\n"));
    if (!found)
      throw new Error(
        `closed before a whole head: ${JSON.stringify(this.unread)} ${this.error ?? ""}`,
      );
    const headEnd = this.#received.indexOf("\r\n\r\n") + 4;
    const head = this.#received.subarray(0, headEnd).toString("latin1");
    const [statusLine = "", ...lines] = head.trimEnd().split("\r\n");
    const status = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(statusLine);
    if (status === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
    const fields = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(": ");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 2);
      fields.set(name, fields.has(name) ? `${fields.get(name)}, ${value}` : value);
    }
    const code = Number(status[1]);
    this.#received = this.#received.subarray(headEnd);
    const bare = method === "HEAD" || code < 200 || code === 204 || code === 304;
    const body = bare ? { text: "", complete: true, raw: "" } : await this.#body(fields);
    return {
      status: code,
      reason: status[2] ?? "",
      fields,
      body: body.text,
      complete: body.complete,
      raw: head + body.raw,
    };
  }

  async #body(
    fields: Map<string, string>,
  ): Promise<{ text: string; complete: boolean; raw: string }> {
    if (fields.get("transfer-encoding") === "chunked") return this.#chunks();
    const length = fields.get("content-length");
    if (length === undefined) {
      const text = await this.closed();
      this.#received = Buffer.alloc(0);
      return { text, complete: this.#error === undefined, raw: text };
    }
    const complete = await this.#until(() => this.#received.length >= Number(length));
    const text = this.#take(Math.min(Number(length), this.#received.length));
    return { text, complete, raw: text };
  }

  async #chunks(): Promise<{ text: string; complete: boolean; raw: string }> {
    let text = "";
    let raw = "";
    while (await this.#until(() => this.#received.includes("\r\n"))) {
      const line = this.#take(this.#received.indexOf("\r\n") + 2);
      raw += line;
      const size = Number.parseInt(line, 16);
      if (!/^[0-9a-f]+\r\n$/i.test(line))
        throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
      if (size === 0) {
        // Trailer fields, if there are any, and the empty line.
        let end = "";
        while (!end.endsWith("\r\n\r\n") && end !== "\r\n") {
          if (!(await this.#until(() => this.#received.includes("\r\n")))) {
            return { text, complete: false, raw };
          }
          const field = this.#take(this.#received.indexOf("\r\n") + 2);
          end += field;
          raw += field;
        }
        return { text, complete: true, raw };
      }
      if (!(await this.#until(() => this.#received.length >= size + 2))) break;
      const chunk = this.#take(size + 2);
      raw += chunk;
      if (!chunk.endsWith("\r\n")) throw new Error("no CRLF after a chunk");
      text += chunk.slice(0, -2);
    }
    return { text, complete: false, raw };
  }

  #take(bytes: number): string {
    const text = this.#received.subarray(0, bytes).toString("latin1");
    this.#received = this.#received.subarray(bytes);
    return text;
  }
}

/** One request on a connection of its own. */
export async function fetchRaw(
  to: number | string,
  request: string,
  method = "GET",
): Promise<WireAnswer> {
  const wire = await Wire.connect(to);
  wire.send(request);
  try {
    return await wire.answer(method);
  } finally {
    wire.close();
  }
}

/**
 * Whether the connection ended with a reset. Asked of bash and cat: libuv takes what comes together with a reset for the
 * end of the stream.
 */
export async function brokenOff(port: number, request: string): Promise<boolean> {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port} && printf '%s' "$REQUEST" >&3 && exec cat <&3 >/dev/null`;
  const child = spawn("bash", ["-c", script], {
    env: { ...process.env, LC_ALL: "C", REQUEST: request },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number];
  if (code !== 0 && !said.includes("reset by peer")) throw new Error(`${code}: ${said}`);
  return code !== 0;
}
