// The only addresses that this program sends to: literal loopback addresses. A name could mean anything.
import { isIPv4 } from "node:net";

export interface Target {
  /** `127.x.y.z` or `::1`. */
  readonly host: string;
  readonly port: number;
}

const FORM = /^(?:http:\/\/)?(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:/[\]]*)):(?<port>\d{1,5})\/?$/;

/** Dotted 127.0.0.0/8 or `::1`, and no other spelling of the same. */
export function isLoopback(host: string): boolean {
  return host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/** `http://127.0.0.1:8080` or `http://[::1]:8080`. Throws on everything else. */
export function parseTarget(text: string): Target {
  const groups = FORM.exec(text)?.groups;
  const host = groups?.["v6"] ?? groups?.["v4"] ?? "";
  const port = Number(groups?.["port"]);
  const bracketed = groups?.["v6"] !== undefined;
  if (!isLoopback(host) || bracketed !== (host === "::1") || !(port >= 1 && port <= 65535)) {
    throw new RangeError(
      `${JSON.stringify(text)} is refused: only loopback is attacked, written http://127.0.0.1:PORT ` +
        "or http://[::1]:PORT",
    );
  }
  return { host, port };
}

export function urlOf(target: Target): string {
  return `http://${target.host === "::1" ? "[::1]" : target.host}:${target.port}`;
}
