// A body that comes by the byte: the handler that takes each at once makes its client no quicker.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { settlesTo, shardStatus } from "./support/status.js";
import { fetchRaw, Wire } from "./support/wire.js";

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

const REASONS = "GET /upload HTTP/1.1\r\nHost: test\r\n\r\n";

const FRAMINGS: Record<string, { field: string; piece: string }> = {
  "by its length": { field: "Content-Length: 100000", piece: "x" },
  chunked: { field: "Transfer-Encoding: chunked", piece: "1\r\nx\r\n" },
};

for (const [framing, { field, piece }] of Object.entries(FRAMINGS)) {
  test.serial(
    `less than the least rate is too slow, also to a handler that reads, ${framing}`,
    async (t) => {
      const daemon = await startDaemon(t, {
        config: `
routes: [{ path: /upload, methods: [GET, POST], handler: ./upload.ts }]
timeouts: { body: 500ms }
limits: { arena: 16MiB, connection: 256KiB, slots: 64 } # in the smallest the server itself may be what holds a body up
`,
        files: {
          "upload.ts": `
          let reasons = [];
          export const GET = () => reasons.join();
          export const POST = async (request) => {
            request.signal.addEventListener("abort", () => reasons.push(request.signal.reason.code));
            let bytes = 0;
            for await (const part of request) bytes += part.length;
            return String(bytes);
          };`,
        },
      });
      const before = await shardStatus(daemon);
      const wire = await Wire.connect(daemon.port);
      wire.send(`POST /upload HTTP/1.1\r\nHost: test\r\n${field}\r\n\r\n`);
      // Some twenty times the time-out, well below 512 bytes a second.
      for (let i = 0; i < 200 && wire.unread === "" && !wire.hasEnded; i++) {
        wire.send(piece);
        await sleep(50);
      }
      t.not(wire.unread, "", "it was never too slow");
      const { status, fields } = await wire.answer();
      t.deepEqual([status, fields.get("connection")], [408, "close"]);
      t.is((await fetchRaw(daemon.port, REASONS)).body, "PINION_BODY_TOO_SLOW");
      t.notRegex(daemon.output(), /the time is up/, "it is no fault of the handler's");
      wire.close();
      await settlesTo(t, daemon, before);
    },
  );
}

test.serial("a handler that takes its time makes no client slow", async (t) => {
  const daemon = await startDaemon(t, {
    config: `
routes: [{ path: /upload, methods: [POST], handler: ./upload.ts, body: 8MiB }]
timeouts: { body: 1s }
`,
    files: {
      // Much longer than a client may take.
      "upload.ts": `export default async (request) => {
        let bytes = 0;
        let waits = 3;
        for await (const part of request) {
          bytes += part.length;
          if (waits-- > 0) await new Promise((done) => setTimeout(done, 2500));
        }
        return String(bytes);
      };`,
    },
  });
  const wire = await Wire.connect(daemon.port);
  const bytes = 4 * 1024 * 1024;
  wire.send(`POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: ${bytes}\r\n\r\n`);
  wire.send("x".repeat(bytes));
  const { status, body } = await wire.answer();
  t.deepEqual([status, body], [200, String(bytes)]);
  wire.close();
});
