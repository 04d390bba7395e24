// Few connections that send as fast as they can.
import type { Crowd } from "../crowd.js";
import { serverEnds } from "../server-ends.js";
import { grouped } from "../table.js";
import {
  crowdOf,
  GOOD_CONNECTIONS,
  holdsAll,
  HOST,
  judgeOthers,
  judgeRefused,
  opensAll,
  type Attack,
  type Scale,
} from "./attack.js";

const HEADS = ["3,000 fields", "a field of 64 KiB", "fields without end"];

export const headerFlood: Attack = {
  name: "header-flood",
  what: "send heads of 3,000 fields, of one field of 64 KiB, or without end",
  connections: 100,
  tried: opensAll,
  judge: ({ kinds }, { connections }) =>
    kinds.flatMap((kind, i) => judgeRefused(HEADS[i] ?? "", kind, connections / 3, ["431"])),
  async run(context) {
    const line = `GET ${context.paths.native} HTTP/1.1\r\n${HOST}`;
    const fields = Array.from({ length: 3000 }, (_, i) => `X-${i}: ${i}\r\n`).join("");
    const whole = [`${line}${fields}\r\n`, `${line}X-Long: ${"x".repeat(65536)}\r\n\r\n`];
    const endless = Buffer.from(`X-Endless: ${"y".repeat(1000)}\r\n`.repeat(16));
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      kinds: HEADS.length,
      begin(member) {
        const text = whole[member.index % HEADS.length];
        if (text !== undefined) return void crowd.write(member, text);
        crowd.write(member, line);
        crowd.flood(member, () => (member.step++ < 1000 ? endless : undefined));
      },
    });
    await crowd.run();
  },
};

const EXTENSIONS = ["16 bytes each", "4 KiB each", "one without end"];

export const chunkExtensionFlood: Attack = {
  name: "chunk-extension-flood",
  what: "send chunks of one byte with extensions of 16 bytes, of 4 KiB, or without end",
  connections: 100,
  tried: opensAll,
  judge: ({ kinds }, { connections }) =>
    kinds.flatMap((kind, i) =>
      judgeRefused(EXTENSIONS[i] ?? "", kind, connections / 3, ["400", "413"]),
    ),
  async run(context) {
    const head = `POST ${context.paths.body} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
    const small = Buffer.from("1;extension=1234\r\nx\r\n".repeat(500));
    const long = Buffer.from(`1;extension=${"y".repeat(4096)}\r\nx\r\n`.repeat(4));
    const endless = Buffer.alloc(16384, "z");
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      kinds: EXTENSIONS.length,
      begin(member) {
        const kind = member.index % EXTENSIONS.length;
        crowd.write(member, kind === 2 ? `${head}1;extension=` : head);
        const bytes = kind === 0 ? small : kind === 1 ? long : endless;
        crowd.flood(member, () => (member.step++ < 5000 ? bytes : undefined));
      },
    });
    await crowd.run();
  },
};

const LENGTHS = ["1000000000000", "9007199254740992", "9223372036854775807", "1048576"];

export const hugeContentLength: Attack = {
  name: "huge-content-length",
  what: "announce 1 TB, 2^53 or 2^63 - 1 bytes, or 1 MiB, and send none or a few",
  connections: 2000,
  tried: opensAll,
  judge: ({ kinds }, { connections }) =>
    kinds.flatMap((kind, i) => {
      const what = `${LENGTHS[i]} bytes`;
      // The last is what the server takes: it waits for the rest.
      return i === LENGTHS.length - 1
        ? [judgeOthers(what, kind.statuses, ["408"])]
        : judgeRefused(what, kind, connections / LENGTHS.length, ["413"]);
    }),
  async run(context) {
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      kinds: LENGTHS.length,
      begin(member) {
        const length = LENGTHS[member.index % LENGTHS.length];
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
  tried: (tally, scale) =>
    tally.sent < scale.connections * 65536
      ? `no more than ${grouped(tally.sent)} bytes were sent`
      : holdsAll(tally, scale),
  judge: ({ kinds: [all] }) => [
    (all?.swallowed ?? 0) > 0
      ? `${grouped(all?.swallowed ?? 0)} that never read had all of their requests taken`
      : undefined,
  ],
  async run(context) {
    const { native, javascript } = context.paths;
    const requests = [native, javascript].map((path) =>
      Buffer.from(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`.repeat(200)),
    );
    const crowd: Crowd = crowdOf(context, {
      reading: "never",
      begin: (member) => crowd.flood(member, () => requests[member.index % 2], UNREAD_BYTES),
      atEnd() {
        const ends = serverEnds(context.target);
        for (const member of crowd.members) {
          if (member === undefined || member.sent < UNREAD_BYTES * 0.9) continue;
          if (ends.of(member)?.untakenBytes === 0) member.kind.swallowed++;
        }
      },
    });
    await crowd.run();
  },
};

/** The good clients have theirs already. */
const GOOD_ONES = 2 * GOOD_CONNECTIONS;
const limitOf = ({ connections }: Scale): number => GOOD_ONES + Math.ceil(connections / 2);

export const connectionFlood: Attack = {
  name: "connection-flood",
  what: "connect, far beyond the limit, and hold what they get",
  connections: 8000,
  serverConnections: limitOf,
  tried: ({ peak }, scale) =>
    peak + GOOD_ONES <= limitOf(scale)
      ? `the attack held ${grouped(peak)} connections, not beyond the limit`
      : undefined,
  judge({ statuses }, scale, { most }) {
    const limit = limitOf(scale);
    return [
      most > limit ? `${grouped(most)} held, ${grouped(limit)} allowed` : undefined,
      most < limit * 0.9
        ? `no more than ${grouped(most)} held, ${grouped(limit)} allowed`
        : undefined,
      judgeOthers("a connection", statuses, ["200", "408"]),
    ];
  },
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

const resetsAll: Attack["tried"] = ({ reset }, { connections }) =>
  reset < connections ? `the attack reset no more than ${grouped(reset)} connections` : undefined;

export const resetStorm: Attack = {
  name: "reset-storm",
  what: "reset at once, in the midst of a head, after a request, or while the answer comes; then anew",
  connections: 300,
  tried: resetsAll,
  judge: ({ statuses }) => [
    (statuses["200"] ?? 0) === 0 ? "nobody was reset while answers came" : undefined,
    judgeOthers("a request", statuses, ["200"]),
  ],
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
        const reset = (): void => crowd.reset(member);
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
  tried: resetsAll,
  judge: ({ statuses }) => [judgeOthers("half a head", statuses, ["408"])],
  async run(context) {
    const starts = ["", `GET ${context.paths.native} HTTP/1.1\r\nHos`];
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      begin: (member) => void crowd.write(member, starts[member.index % 2] ?? ""),
    });
    await crowd.run(() => {
      if (crowd.openNow < context.connections) return;
      for (const member of crowd.members) if (member !== undefined) crowd.reset(member);
    });
  },
};
