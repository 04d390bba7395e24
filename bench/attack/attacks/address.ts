// Everything from one address, with limits for each address: what others get is theirs.
import type { Crowd } from "../crowd.js";
import { grouped } from "../table.js";
import { crowdOf, HOST, onceASecond, opensAll, type Attack, type Scale } from "./attack.js";

const FROM = "127.0.0.2";
/** One address has 28,000 ports, and some of what is closed keeps its own for a minute. */
const MOST_OPENINGS = 15_000;

/** Twice what each connection of the good clients asks for: each has an address of its own. */
const rateOf = ({ rate }: Scale): number => Math.max(100, Math.ceil(rate / 5));

const ASKED_A_SECOND = 10;

export const addressRate: Attack = {
  name: "address-rate",
  what: "ask for a handler from one address, or send what is no request, 10 times a second",
  connections: 200,
  tried: opensAll,
  settings: (scale) => ({ limits: { addressRate: rateOf(scale) } }),
  async run(context) {
    const { javascript } = context.paths;
    const requests = [
      `GET ${javascript} HTTP/1.1\r\n${HOST}\r\n`,
      `GET ${javascript} HTTP/1.1\r\n\r\n`, // no Host
    ];
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      from: FROM,
      most: MOST_OPENINGS,
      begin: () => undefined,
    });
    const tick = onceASecond(
      () => crowd,
      (member) => void crowd.write(member, requests[member.index % 4 === 0 ? 1 : 0] ?? ""),
    );
    await crowd.run((elapsedMs) => tick(elapsedMs * ASKED_A_SECOND));
  },
  judge({ statuses }, scale) {
    const { "429": limited = 0, ...others } = statuses;
    const taken = Object.values(others).reduce((sum, count) => sum + count, 0);
    // It may be a second ahead; a second more for the end of the attack, which takes its time.
    const most = rateOf(scale) * (scale.seconds + 2);
    return [
      limited === 0 ? "nobody got 429" : undefined,
      taken > most ? `${taken} from one address were not 429, ${most} allowed` : undefined,
    ];
  },
};

const SHARE = 50;

export const addressConnections: Attack = {
  name: "address-connections",
  what: "connect from one address, far beyond its share, ask once, and hold what they get",
  connections: 2000,
  // Whom the server has reset before it knew that it was connected has failed.
  tried: ({ opened, failed }) =>
    opened < SHARE || opened + failed < 10 * SHARE
      ? `the attack tried ${grouped(opened + failed)} connections, of which ${grouped(opened)} came about`
      : undefined,
  settings: () => ({ limits: { addressConnections: SHARE } }),
  async run(context) {
    const crowd: Crowd = crowdOf(context, {
      reading: "all",
      from: FROM,
      pace: 10,
      most: MOST_OPENINGS,
      begin: (member) =>
        void crowd.write(member, `GET ${context.paths.native} HTTP/1.1\r\n${HOST}\r\n`),
    });
    await crowd.run();
  },
  judge({ statuses, closed, opened }) {
    const served = statuses["200"] ?? 0;
    return [
      served < SHARE ? `only ${served} connections of one address, ${SHARE} allowed` : undefined,
      served > SHARE ? `${served} connections of one address, ${SHARE} allowed` : undefined,
      closed < opened - SHARE - 100 ? `only ${closed} of ${opened} were closed` : undefined,
    ];
  },
};
