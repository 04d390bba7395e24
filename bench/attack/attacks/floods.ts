// Few connections that send as fast as they can.
import type { Crowd } from "../crowd.js";
import { crowdOf, HOST, type Attack } from "./attack.js";

export const headerFlood: Attack = {
  name: "header-flood",
  what: "send heads of 3,000 fields, of one field of 64 KiB, or without end",
  connections: 100,
  async run(context) {
    const line = `GET ${context.paths.native} HTTP/1.1\r\n${HOST}`;
    const fields = Array.from({ length: 3000 }, (_, i) => `X-${i}: ${i}\r\n`).join("");
    const whole = [`${line}${fields}\r\n`, `${line}X-Long: ${"x".repeat(65536)}\r\n\r\n`];
    const endless = Buffer.from(`X-Endless: ${"y".repeat(1000)}\r\n`.repeat(16));
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      begin(member) {
        const kind = member.index % 3;
        const text = whole[kind];
        if (text !== undefined) return void crowd.write(member, text);
        crowd.write(member, line);
        crowd.flood(member, () => (member.step++ < 1000 ? endless : undefined));
      },
    });
    await crowd.run();
  },
};

export const chunkExtensionFlood: Attack = {
  name: "chunk-extension-flood",
  what: "send chunks of one byte with extensions of 16 bytes, of 4 KiB, or without end",
  connections: 100,
  async run(context) {
    const head = `POST ${context.paths.body} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
    const small = Buffer.from("1;extension=1234\r\nx\r\n".repeat(500));
    const long = Buffer.from(`1;extension=${"y".repeat(4096)}\r\nx\r\n`.repeat(4));
    const endless = Buffer.alloc(16384, "z");
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      begin(member) {
        const kind = member.index % 3;
        crowd.write(member, kind === 2 ? `${head}1;extension=` : head);
        const bytes = kind === 0 ? small : kind === 1 ? long : endless;
        crowd.flood(member, () => (member.step++ < 5000 ? bytes : undefined));
      },
    });
    await crowd.run();
  },
};

export const hugeContentLength: Attack = {
  name: "huge-content-length",
  what: "announce 1 TB, 2^53 or 2^63 - 1 bytes, or 1 MiB, and send none or a few",
  connections: 2000,
  async run(context) {
    const lengths = ["1000000000000", "9007199254740992", "9223372036854775807", "1048576"];
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      begin(member) {
        const length = lengths[member.index % lengths.length];
        crowd.write(
          member,
          `POST ${context.paths.body} HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n\r\n`,
        );
        if (context.random() < 0.5) crowd.write(member, "x".repeat(1000));
      },
    });
    await crowd.run();
  },
};

/** More than a server's socket takes in answers, and small enough for the kernel. */
const UNREAD_BYTES = 4 * 1024 * 1024;

export const pipeliningFlood: Attack = {
  name: "pipelining-flood",
  what: "pipeline requests as fast as they are taken, and never read",
  connections: 100,
  async run(context) {
    const { native, javascript } = context.paths;
    const requests = [native, javascript].map((path) =>
      Buffer.from(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`.repeat(200)),
    );
    const crowd: Crowd = crowdOf(context, {
      reading: "never",
      begin: (member) => crowd.flood(member, () => requests[member.index % 2], UNREAD_BYTES),
    });
    await crowd.run();
  },
};

export const connectionFlood: Attack = {
  name: "connection-flood",
  what: "connect, far beyond the limit, and hold what they get",
  connections: 8000,
  serverConnections: 4000,
  async run(context) {
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      begin(member) {
        if (member.index % 2 === 0) {
          crowd.write(member, `GET ${context.paths.native} HTTP/1.1\r\n${HOST}\r\n`);
        }
      },
    });
    await crowd.run();
  },
};

export const resetStorm: Attack = {
  name: "reset-storm",
  what: "reset at once, in the midst of a head, after a request, or while the answer comes; then anew",
  connections: 300,
  async run(context) {
    const { native, javascript, large } = context.paths;
    const starts = [
      "",
      `GET ${native} HTTP/1.1\r\nHos`,
      `GET ${javascript} HTTP/1.1\r\n${HOST}\r\n`,
      `GET ${native} HTTP/1.1\r\n${HOST}\r\n`.repeat(10),
      `GET ${large} HTTP/1.1\r\n${HOST}\r\n`,
    ];
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      pace: 30,
      begin(member) {
        const start = starts[Math.floor(context.random() * starts.length)] ?? "";
        if (start !== "") crowd.write(member, start);
        const reset = (): void => {
          member.ours = true;
          member.socket.resetAndDestroy();
        };
        const delayMs = Math.floor(context.random() * 4) * 3;
        if (delayMs === 0) setImmediate(reset);
        else setTimeout(reset, delayMs);
      },
    });
    await crowd.run();
  },
};

export const massReset: Attack = {
  name: "mass-reset",
  what: "connect, and reset all at once; then anew",
  connections: 5000,
  async run(context) {
    const starts = ["", `GET ${context.paths.native} HTTP/1.1\r\nHos`];
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      begin: (member) => void crowd.write(member, starts[member.index % 2] ?? ""),
    });
    await crowd.run(() => {
      if (crowd.openNow < context.connections) return;
      for (const member of crowd.members) {
        if (member === undefined) continue;
        member.ours = true;
        member.socket.resetAndDestroy();
      }
    });
  },
};
