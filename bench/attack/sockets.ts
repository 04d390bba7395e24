// Every connection of this program is opened here, and to loopback only.
import { connect, type OnReadOpts, type Socket } from "node:net";
import { isLoopback, type Target } from "./loopback.js";

/**
 * Source addresses to take turns with: one has 28,000 ports, and closed connections keep theirs for a minute. Good clients
 * have others than attackers, as they have in the world: a server may count by address.
 */
const SOURCES = 100;
const NETWORKS = { attacker: "127.0.1", good: "127.0.2", load: "127.0.3" };
let turn = 0;

export interface OpenOptions {
  as: keyof typeof NETWORKS;
  /** The one source address, where the target is 127.0.0.1. */
  from?: string;
  onread?: OnReadOpts;
  /** The peer's end does not end our side. */
  allowHalfOpen?: boolean;
}

export function open(target: Target, { as, from, ...options }: OpenOptions): Socket {
  if (!isLoopback(target.host)) throw new RangeError(`${target.host} is not loopback`);
  const localAddress = from ?? `${NETWORKS[as]}.${1 + (turn++ % SOURCES)}`;
  const source = target.host === "127.0.0.1" ? { localAddress } : {};
  return connect({ host: target.host, port: target.port, noDelay: true, ...source, ...options });
}
