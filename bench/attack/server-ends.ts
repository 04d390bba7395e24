// What the kernel says of the server's ends of connections: who cannot see it from outside may look there.
import { readFileSync } from "node:fs";
import type { Member } from "./crowd.js";
import type { Target } from "./loopback.js";

export interface ServerEnd {
  /** What has been sent to it and the server has not taken: in the queues of both ends. */
  untakenBytes: number;
}

export interface ServerEnds {
  /** Undefined: the server has ended it, or it is none of IPv4. */
  of(member: Member | undefined): ServerEnd | undefined;
}

const ESTABLISHED = "01";

/** As proc_net_tcp writes addresses: four bytes as a number of this machine, which is a little-endian one. */
function hexadecimal(address: string, port: number): string {
  const bytes = address.split(".").reverse();
  const hex = (value: number, digits: number): string =>
    value.toString(16).toUpperCase().padStart(digits, "0");
  return `${bytes.map((byte) => hex(Number(byte), 2)).join("")}:${hex(port, 4)}`;
}

/** `table`: as in /proc/net/tcp. Costs a look at every socket of the machine. */
export function serverEnds(
  { host, port }: Target,
  table = readFileSync("/proc/net/tcp", "latin1"),
): ServerEnds {
  const server = hexadecimal(host, port);
  const received = new Map<string, number>();
  const underWay = new Map<string, number>();
  for (const line of table.split("\n")) {
    const [, local = "", remote = "", state, queues = ""] = line.trim().split(/\s+/);
    const [sending = NaN, receiving = NaN] = queues.split(":").map((each) => parseInt(each, 16));
    if (remote === server) underWay.set(local, sending);
    if (local === server && state === ESTABLISHED) received.set(remote, receiving);
  }
  return {
    of(member) {
      const { localAddress, localPort } = member?.socket ?? {};
      if (localAddress === undefined || localPort === undefined) return undefined;
      const client = hexadecimal(localAddress, localPort);
      const bytes = received.get(client);
      return bytes === undefined
        ? undefined
        : { untakenBytes: bytes + (underWay.get(client) ?? 0) };
    },
  };
}
