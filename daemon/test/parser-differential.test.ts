// Our parser and Node's own on the same bytes: the wire cases and seeded mutations of them. Each difference has to belong to
// a category of native/test/http/DIFFERENCES.md, and each category there has to be seen.
// PINION_SEED and PINION_MUTATIONS choose other mutations and more of them.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { fileURLToPath } from "node:url";
import test from "ava";
import { categoryOf, type Verdict } from "./parser-differences.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const tool = process.env["PINION_PARSE_TOOL"] ?? `${root}build/release/parse_tool`;
const differencesFile = `${root}native/test/http/DIFFERENCES.md`;
const SEED = Number(process.env["PINION_SEED"] ?? 20);
const MUTATIONS = Number(process.env["PINION_MUTATIONS"] ?? 3000);

interface Input {
  name: string;
  bytes: Buffer;
}

function runTool(args: string[], input?: Buffer): string[] {
  const output = execFileSync(tool, args, { input, encoding: "utf8", maxBuffer: 1 << 28 });
  return output.split("\n").filter((line) => line !== "");
}

function wireCases(): Input[] {
  return runTool(["--cases", `${root}native/test/http/cases`]).map((line) => {
    const { name, bytes } = JSON.parse(line) as { name: string; bytes: string };
    return { name, bytes: Buffer.from(bytes, "hex") };
  });
}

function ourVerdicts(inputs: Input[]): Verdict[] {
  const framed = inputs.flatMap(({ bytes }) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return [length, bytes];
  });
  return runTool([], Buffer.concat(framed)).map((line) => JSON.parse(line) as Verdict);
}

/** xorshift32: the same mutations from the same seed, on every machine. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const PIECES = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "\x7f",
  "\x80",
  "%",
  "#",
  "?",
  "0",
  "chunked",
  "5",
  "\r\n ",
];

function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  const at = random(bytes.length + 1);
  const count = random(4);
  const piece = Buffer.from(PIECES[random(PIECES.length)] ?? "", "latin1");
  switch (random(4)) {
    case 0: // something put in
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    case 1: // something left out
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + count)]);
    case 2: // something put in its place
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + piece.length)]);
    default: {
      // a line twice
      const end = bytes.indexOf("\n", at) + 1;
      const from = bytes.lastIndexOf("\n", Math.max(0, at - 1)) + 1;
      return Buffer.concat([
        bytes.subarray(0, end),
        bytes.subarray(from, end),
        bytes.subarray(end),
      ]);
    }
  }
}

/** A server that notes what its parser made of each connection. */
class NodeParser {
  readonly #verdicts = new Map<net.Socket, Verdict>();
  readonly #byPort = new Map<number, (verdict: Verdict) => void>();
  readonly #server = http.createServer({ maxHeaderSize: 16384, keepAliveTimeout: 0 });

  async start(): Promise<void> {
    this.#server.on("connection", (socket: net.Socket) => {
      this.#verdicts.set(socket, { requests: [], end: "end" });
      const port = socket.remotePort ?? 0;
      socket.once("close", () => {
        const verdict = this.#verdicts.get(socket);
        this.#verdicts.delete(socket);
        if (verdict) this.#byPort.get(port)?.(verdict);
      });
    });
    this.#server.on("request", (request, response) => this.#note(request, response));
    this.#server.on("checkContinue", (request, response) => this.#note(request, response));
    this.#server.on(
      "checkExpectation",
      (request: http.IncomingMessage, response: http.ServerResponse) => {
        this.#end(request.socket, "417");
        response.writeHead(417, { Connection: "close" }).end();
      },
    );
    this.#server.on("connect", (request: http.IncomingMessage, socket: net.Socket) => {
      this.#end(request.socket, "CONNECT");
      socket.destroy();
    });
    this.#server.on("clientError", (error: Error & { code?: string }, socket) => {
      const ended = error.code === "HPE_INVALID_EOF_STATE";
      this.#end(socket as net.Socket, ended ? "partial" : (error.code ?? error.message));
      socket.destroy();
    });
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  #end(socket: net.Socket, end: string): void {
    const verdict = this.#verdicts.get(socket);
    if (verdict && verdict.end === "end") verdict.end = end;
  }

  #note(request: http.IncomingMessage, response: http.ServerResponse): void {
    const noted = {
      method: request.method ?? "",
      target: request.url ?? "",
      minorVersion: request.httpVersionMinor,
      fields: request.rawHeaders,
      body: "",
    };
    this.#verdicts.get(request.socket)?.requests.push(noted);
    request.setEncoding("latin1");
    request.on("data", (part: string) => (noted.body += part));
    request.on("end", () => response.end());
    request.on("error", () => {});
  }

  /** Sends the bytes, then the end of the stream; resolves when the server has closed. */
  parse(bytes: Buffer): Promise<Verdict> {
    return new Promise((resolve) => {
      const client = net.connect((this.#server.address() as net.AddressInfo).port, "127.0.0.1");
      let answers = "";
      client.setEncoding("latin1");
      client.on("data", (part: string) => (answers += part));
      client.on("error", () => {});
      const answered = new Promise((closed) => client.once("close", closed));
      client.on("connect", () => {
        const port = client.localPort ?? 0;
        this.#byPort.set(port, (verdict) => {
          this.#byPort.delete(port);
          void answered.then(() => {
            // What Node's server refuses by itself (no Host) shows only in its answer.
            const refusal = /^HTTP\/1\.1 (4\d\d|5\d\d)/m.exec(answers)?.[1];
            if (refusal !== undefined && verdict.end === "end") verdict.end = refusal;
            resolve(verdict);
          });
        });
        client.end(bytes);
      });
    });
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

test("our parser and Node's differ only where DIFFERENCES.md says so", async (t) => {
  if (!existsSync(tool)) t.fail(`${tool} is missing: build it with ops/native release parse_tool`);
  const cases = wireCases();
  const random = randomNumbers(SEED);
  const short = cases.filter(({ bytes }) => bytes.length < 2000);
  const inputs = [...cases];
  for (let i = 0; i < MUTATIONS; i++) {
    const { name, bytes } = short[random(short.length)] ?? { name: "", bytes: Buffer.alloc(0) };
    inputs.push({ name: `${name}, mutation ${i}`, bytes: mutate(bytes, random) });
  }
  const ours = ourVerdicts(inputs);
  const later = ourVerdicts(
    inputs.map(({ name, bytes }) => ({
      name,
      bytes: Buffer.concat([bytes, Buffer.from("\r\n\r\n")]),
    })),
  );
  t.is(ours.length, inputs.length);

  const parser = new NodeParser();
  await parser.start();
  t.teardown(() => parser.stop());
  const seen = new Map<string, number>();
  let same = 0;
  const unexplained: string[] = [];
  const compare = async (index: number): Promise<void> => {
    const input = inputs[index];
    const our = ours[index];
    const ourLater = later[index];
    if (!input || !our || !ourLater) return;
    const their = await parser.parse(input.bytes);
    const category = categoryOf(input.bytes.toString("latin1"), our, their, ourLater);
    if (category === "same") same++;
    else if (category !== undefined) seen.set(category, (seen.get(category) ?? 0) + 1);
    else
      unexplained.push(
        `${input.name}: ${JSON.stringify({ input: input.bytes.toString("latin1"), our, their }).slice(0, 1500)}`,
      );
  };
  for (let from = 0; from < inputs.length; from += 16) {
    await Promise.all(Array.from({ length: 16 }, (_, i) => compare(from + i)));
  }
  t.log(`${inputs.length} inputs: ${same} the same`, Object.fromEntries(seen));
  t.deepEqual(unexplained, []);
  t.true(same > inputs.length / 2);

  const listed = [...readFileSync(differencesFile, "utf8").matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(
    (row) => row[1] ?? "",
  );
  // The wire cases alone bring every category: a row that no input needs any more is out of date.
  t.deepEqual([...seen.keys()].sort(), listed.sort());
});
