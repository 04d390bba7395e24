// What every attack is: a name, its size, what the server is set to, and what it does for its time.
import { Crowd, type CrowdOptions, type Member, type Tally } from "../crowd.js";
import type { Target } from "../loopback.js";

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

/** Connections that the server has said to hold when the attack was about to end. */
export interface Held {
  last: number;
}

/** How hard it is tried. */
export interface Scale {
  seconds: number;
  connections: number;
  /** Requests a second of the good clients on each route. */
  rate: number;
}

export interface Attack {
  name: string;
  /** What one connection does; the table adds the numbers. */
  what: string;
  connections: number;
  /** It has not been tried unless so many were held at once. */
  holds?: boolean;
  /** The server's limit of connections; left out: enough for all. */
  serverConnections?: number;
  settings?: (scale: Scale) => Settings;
  /** What became of the attackers themselves, of a server with these settings. */
  judge?: (tally: Tally, scale: Scale, held: Held) => (string | undefined)[];
  run(context: AttackContext): Promise<void>;
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
