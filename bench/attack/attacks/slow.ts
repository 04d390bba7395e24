// Clients at one byte a second, and clients that fall silent: many connections, hardly any bytes.
import { sleep } from "../clock.js";
import type { Crowd, Member, Tally } from "../crowd.js";
import { serverEnds } from "../server-ends.js";
import { grouped } from "../table.js";
import {
  crowdOf,
  holdsAll,
  HOST,
  judgeOthers,
  onceASecond,
  type Attack,
  type AttackContext,
  type Finding,
  type Scale,
} from "./attack.js";

const MANY = 10_000;

/** Of the attack: long enough that all are there at once, short enough that each of the first meets its end. */
const DEADLINE = 3 / 8;
const WRITE_DEADLINE = DEADLINE / 2;
const deadline = ({ seconds }: Scale, share = DEADLINE): string =>
  `${Math.round(seconds * share * 1000)}ms`;

/**
 * Connections are opened one by one and replaced: of those that were there at once, half have to be over. How many it is
 * in the time is the machine's, too: coarsely, it happens at all.
 */
const leastOver = ({ coarse }: Scale): number => (coarse ? 1 / 20 : 1 / 2);

function judge408(tally: Tally, scale: Scale, most = Infinity): Finding[] {
  const late = tally.statuses["408"] ?? 0;
  const there = Math.min(tally.peak, most);
  return [late < there * leastOver(scale) ? `only ${late} of ${there} got 408` : undefined];
}

/** Half of the daemon's slots: so many bodies are read at a time, the others wait. */
const UPLOADS = 512;

/** Sends `start`, then a byte a second of `rest`, over and over. */
async function trickle(context: AttackContext, start: string, rest: string): Promise<void> {
  const bytes = [...rest].map((character) => Buffer.from(character, "latin1"));
  const crowd: Crowd = crowdOf(context, {
    reading: "all",
    begin: (member) => void crowd.write(member, start),
  });
  const next = (member: Member): void => {
    const byte = bytes[member.step++ % bytes.length];
    if (byte !== undefined) crowd.write(member, byte);
  };
  await crowd.run(onceASecond(() => crowd, next));
}

export const slowHeads: Attack = {
  name: "slow-heads",
  what: "send a request head at 1 byte/s",
  connections: MANY,
  tried: holdsAll,
  settings: (scale) => ({ timeouts: { head: deadline(scale) } }),
  judge: (tally, scale) => judge408(tally, scale),
  run: (context) =>
    trickle(context, `GET ${context.paths.native} HTTP/1.1\r\n${HOST}`, "X-Slow: slower\r\n"),
};

export const slowBodies: Attack = {
  name: "slow-bodies",
  what: "send a request body at 1 byte/s",
  connections: MANY,
  tried: holdsAll,
  settings: (scale) => ({ timeouts: { body: deadline(scale) } }),
  judge: (tally, scale) => judge408(tally, scale, UPLOADS),
  run: (context) =>
    trickle(
      context,
      `POST ${context.paths.body} HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n`,
      "x",
    ),
};

export const slowReaders: Attack = {
  name: "slow-readers",
  what: "ask for 4 MiB, or 64 times for a small answer, and read 1 byte/s",
  connections: MANY,
  tried: holdsAll,
  // The second look at who takes too little is the last.
  settings: (scale) => ({ timeouts: { write: deadline(scale, WRITE_DEADLINE) } }),
  judge({ kinds: [large] }, scale) {
    const { overdue = 0, kept = 0 } = large ?? {};
    const least = scale.coarse ? 1 : Math.min(100, scale.connections / 20);
    return [
      overdue < least ? `only ${grouped(overdue)} answers began in time to be ended` : undefined,
      kept > overdue * (scale.coarse ? 1 / 2 : 1 / 10)
        ? `of ${grouped(overdue)} that took too little of 4 MiB ${grouped(kept)} were not ended`
        : undefined,
    ];
  },
  async run(context) {
    const { native, large } = context.paths;
    const writeMs = (context.until - performance.now()) * WRITE_DEADLINE;
    const small = `GET ${native} HTTP/1.1\r\n${HOST}\r\n`.repeat(64);
    const crowd: Crowd = crowdOf(context, {
      reading: "byte",
      kinds: 2,
      // Who reads a byte a second sees no reset behind the others. Not each of them has got its answer: so many large ones have
      // no room at once. Of those that have, the third look comes for none.
      atEnd() {
        const ends = serverEnds(context.target);
        const overdueMs = performance.now() - 3 * writeMs;
        for (const member of crowd.members) {
          if (member === undefined || member.firstMs > overdueMs) continue;
          member.kind.overdue++;
          if (ends.of(member) !== undefined) member.kind.kept++;
        }
      },
      begin: (member) =>
        void crowd.write(
          member,
          member.index % 2 === 0 ? `GET ${large} HTTP/1.1\r\n${HOST}\r\n` : small,
        ),
    });
    await crowd.run(
      onceASecond(
        () => crowd,
        (member) => void member.socket.resume(),
      ),
    );
  },
};

/** What has come by the end is read in this time. */
const LAST_READ_MS = 2000;

export const halfOpen: Attack = {
  name: "half-open",
  what: "close their sending side in the midst of a head, of a body, or after a request, or fall silent; never read",
  connections: 5000,
  tried: holdsAll,
  judge({ kinds: [head, body, whole] }) {
    const { opened = 0, statuses = {} } = whole ?? {};
    const answered = statuses["200"] ?? 0;
    return [
      judgeOthers("half a head", head?.statuses ?? {}, ["400", "408"]),
      judgeOthers("half a body", body?.statuses ?? {}, ["400", "408"]),
      judgeOthers("a request", statuses, ["200"]),
      answered < opened * 0.9
        ? `a request: only ${grouped(answered)} of ${grouped(opened)} got 200`
        : undefined,
    ];
  },
  async run(context) {
    const { native, javascript, body, large } = context.paths;
    // Both, in turns: what no handler answers may be on its way before anybody knows that its client has closed.
    const wholes = [native, javascript].map((path) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
    const starts = [
      `GET ${native} HTTP/1.1\r\nHos`,
      `POST ${body} HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\nhalf`,
    ];
    const largest = `GET ${large} HTTP/1.1\r\n${HOST}\r\n`;
    const whole = starts.length;
    const silent = whole + 1;
    const crowd: Crowd = crowdOf(context, {
      reading: "never",
      allowHalfOpen: true,
      kinds: silent + 1,
      begin(member) {
        const { index } = member;
        const asked =
          index % 4 === whole ? wholes[(index >> 2) % wholes.length] : starts[index % 4];
        const start = index % 52 === silent ? largest : asked;
        if (start === undefined) return; // not one byte
        crowd.write(member, start);
        if (context.random() < 0.5) member.socket.end();
      },
      async atEnd() {
        for (const member of crowd.members) {
          if (member !== undefined && member.index % 4 !== silent) crowd.read(member);
        }
        await sleep(LAST_READ_MS);
      },
    });
    await crowd.run();
  },
};
