// What every attack is: a name, its size, what the server is set to, and what it does for its time.
import { Crowd, type CrowdOptions, type Kind, type Member, type Tally } from "../crowd.js";
import type { Target } from "../loopback.js";
import { grouped } from "../table.js";

/** What is asked of the server, by what answers it. */
export interface Paths {
  /** Answered without JavaScript, a few bytes. */
  native: string;
  /** By the cheapest handler. */
  javascript: string;
  /** Takes a body. */
  body: string;
  /** MiBs. */
  large: string;
  /** `/0`: the record of what was started; `/ID`: costs a millisecond of JavaScript. Missing: no JavaScript. */
  work?: string;
}

export interface AttackContext {
  target: Target;
  paths: Paths;
  connections: number;
  /** performance.now() at which it has to be over. */
  until: number;
  signal: AbortSignal;
  random: () => number;
  tally: Tally;
}

/** What our own daemon is set to, beside its routes; keys as in its configuration. */
export interface Settings {
  limits?: Record<string, number>;
  timeouts?: Record<string, string>;
  http?: Record<string, boolean>;
}

/** Connections of the good clients on each of their two routes. */
export const GOOD_CONNECTIONS = 10;

/** Connections that the server has said to hold, the good clients' among them. */
export interface Held {
  most: number;
}

/** What was asked and what was found; undefined: all is well. */
export type Finding = string | undefined;

/** How hard it is tried. */
export interface Scale {
  seconds: number;
  connections: number;
  /** Requests a second of the good clients on each route. */
  rate: number;
  /** Times are not judged. */
  coarse: boolean;
}

export interface Attack {
  name: string;
  /** What one connection does; the table adds the numbers. */
  what: string;
  connections: number;
  /** Whether there was an attack at all, whatever the server does. */
  tried: (tally: Tally, scale: Scale) => Finding;
  /** The server's limit of connections; left out: enough for all. */
  serverConnections?: (scale: Scale) => number;
  settings?: (scale: Scale) => Settings;
  /** What became of the attackers themselves, of a server with these settings: of our own. */
  judge: (tally: Tally, scale: Scale, held: Held) => Finding[];
  run(context: AttackContext): Promise<void>;
}

const NEARLY_ALL = 0.9;

/** All have to be there at once. */
export const holdsAll: Attack["tried"] = ({ peak }, { connections }) =>
  peak < connections * NEARLY_ALL
    ? `the attack never held more than ${grouped(peak)} connections`
    : undefined;

/** Each has to have its turn. */
export const opensAll: Attack["tried"] = ({ opened }, { connections }) =>
  opened < connections * NEARLY_ALL
    ? `the attack opened no more than ${grouped(opened)} connections`
    : undefined;

/** A 503 is never wrong: a server has no more to give. */
export function judgeOthers(
  what: string,
  statuses: Tally["statuses"],
  expected: readonly string[],
): Finding {
  const others = Object.entries(statuses)
    .filter(([status]) => status !== "503" && !expected.includes(status))
    .map(([status, count]) => `${grouped(count)} ${status}`);
  return others.length === 0 ? undefined : `${what}: got ${others.join(", ")}`;
}

/**
 * Each of this kind has to be refused with one of these, and nothing else. Half is enough: some are under way at the end,
 * and who sends without end may miss the answer.
 */
export function judgeRefused(
  what: string,
  { closed, statuses }: Kind,
  members: number,
  expected: readonly string[],
): Finding[] {
  const refused = expected.reduce((sum, status) => sum + (statuses[status] ?? 0), 0);
  const there = Math.max(closed, Math.floor(members));
  return [
    refused < Math.max(1, there / 2)
      ? `${what}: only ${grouped(refused)} of ${grouped(there)} got ${expected.join(" or ")}`
      : undefined,
    judgeOthers(what, statuses, expected),
  ];
}

type Own = Pick<CrowdOptions, "begin" | "reading"> & Partial<CrowdOptions>;

export function crowdOf(context: AttackContext, own: Own): Crowd {
  return new Crowd({ ...context, count: context.connections, ...own });
}

export const HOST = "Host: attack.test\r\n";

/**
 * One call of `each` a second for every member, spread evenly over the second.
 * Returns what Crowd.run calls every 10 ms.
 */
export function onceASecond(
  crowd: () => Crowd,
  each: (member: Member) => void,
): (elapsedMs: number) => void {
  let done = 0;
  return (elapsedMs) => {
    const { members } = crowd();
    const due = Math.floor((elapsedMs * members.length) / 1000);
    // Never more than one round at once, however late the timer is.
    if (due - done > members.length) done = due - members.length;
    for (; done < due; done++) {
      const member = members[done % members.length];
      if (member?.connected === true) each(member);
    }
  };
}
