// The forms in which `listen` takes an address.
import { readFileSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import { isAbsolute, resolve } from "node:path";
import { UsageError } from "../failure.js";
import type { Address, ListenConfig } from "./types.js";

// sockaddr_un.sun_path without its final NUL.
const LONGEST_SOCKET_PATH = 107;

/** The address, or what is wrong with it. Relative socket paths start at `folder`. */
export function parseAddress(text: string, folder: string): Address | { error: string } {
  if (text.startsWith("unix:")) return parseUnix(text.slice(5), folder);
  if (text.startsWith("fd:")) return parseDescriptor(text.slice(3));
  if (text === "systemd") return { kind: "systemd" };
  if (text.startsWith("systemd:")) return { kind: "systemd", name: text.slice(8) };
  return parseTcp(text);
}

/** The addresses of the command line; throws a UsageError. */
export function parseListenArguments(texts: readonly string[], folder: string): ListenConfig[] {
  const found: ListenConfig[] = [];
  for (const text of texts) {
    const address: Address | { error: string } = parseAddress(text, folder);
    if ("error" in address) throw new UsageError(`--listen ${text}: ${address.error}`);
    const other = found.find((earlier) => clash(earlier.address, address));
    if (other !== undefined) {
      throw new UsageError(
        `--listen ${text} clashes with --listen ${other.text}: both would listen on the same address and port; leave one out`,
      );
    }
    found.push({ address, text, proxyProtocol: false, backlog: 1024 });
  }
  return found;
}

function parseUnix(path: string, folder: string): Address | { error: string } {
  if (path === "") return { error: "a Unix socket needs a path: unix:/run/app.sock" };
  const absolute = isAbsolute(path) ? path : resolve(folder, path);
  if (absolute.includes("\0")) return { error: "a socket's path must not contain NUL" };
  if (Buffer.byteLength(absolute) > LONGEST_SOCKET_PATH) {
    return {
      error: `the path of a Unix socket has at most ${LONGEST_SOCKET_PATH} bytes; use a shorter one`,
    };
  }
  return { kind: "unix", path: absolute };
}

function parseDescriptor(text: string): Address | { error: string } {
  if (!/^[0-9]{1,6}$/.test(text) || Number(text) < 3) {
    return { error: "an inherited socket is fd:N with N from 3" };
  }
  return { kind: "fd", fd: Number(text) };
}

function parseTcp(text: string): Address | { error: string } {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text);
  if (match === null) return { error: explain(text) };
  const port = Number(match[3]);
  if (port > 65535) return { error: `port ${port} is out of range: 0 to 65535` };
  const [, six, name = ""] = match;
  if (six?.includes("%")) {
    return { error: `an address with a zone (${six}) cannot be listened on; leave the zone out` };
  }
  if (six !== undefined) {
    return isIPv6(six) ? tcp(six, port) : { error: `${JSON.stringify(six)} is no IPv6 address` };
  }
  if (name === "" || name === "*") return { kind: "tcp", host: "::", port, anyHost: true };
  if (name === "localhost") return tcp("127.0.0.1", port);
  if (isIPv4(name)) return tcp(name, port);
  return {
    error: `${JSON.stringify(name)} is no IP address; write one, such as 127.0.0.1:${port}, or :${port} for all`,
  };
}

function tcp(host: string, port: number): Address {
  return { kind: "tcp", host, port, anyHost: false };
}

/** True if one cannot listen on both. */
export function clash(left: Address, right: Address): boolean {
  if (left.kind !== "tcp" || right.kind !== "tcp")
    return (
      JSON.stringify(left) === JSON.stringify(right) || isAllOf(left, right) || isAllOf(right, left)
    );
  if (left.port !== right.port || left.port === 0) return false;
  const [one, other] = [canonicalHost(left.host), canonicalHost(right.host)];
  return one === other || covers(one, other) || covers(other, one);
}

// All sockets that systemd hands over are also those of a name, or of a number.
function isAllOf(all: Address, other: Address): boolean {
  const isAll = all.kind === "systemd" && all.name === undefined;
  return isAll && (other.kind === "systemd" || other.kind === "fd");
}

function canonicalHost(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
}

// Without IPV6_V6ONLY, a socket of every IPv6 address is one of every IPv4 address too (ipv6(7)).
function covers(host: string, other: string): boolean {
  if (host === "0.0.0.0") return isIPv4(other);
  return host === "::" && (isIPv6(other) || !isIPv6Only());
}

function isIPv6Only(): boolean {
  try {
    return readFileSync("/proc/sys/net/ipv6/bindv6only", "utf8").trim() === "1";
  } catch {
    return false;
  }
}

function explain(text: string): string {
  const [, bare = "", port = ""] = /^(.*):([0-9]{1,5})$/.exec(text) ?? [];
  if (isIPv6(bare)) {
    return `an IPv6 address stands in brackets, and they in quotes: "[${bare}]:${port}"`;
  }
  if (isIPv6(text) || /^[0-9a-fA-F:]*::[0-9a-fA-F:]*$/.test(text)) {
    return `an IPv6 address stands in brackets and has a port, all in quotes: "[${text}]:8080"`;
  }
  if (isIPv4(text)) return `the port is missing: ${text}:8080`;
  if (/^[0-9]+$/.test(text))
    return `an address has a colon before the port: 127.0.0.1:${text}, or :${text} for all`;
  if (text.startsWith("/")) return `a Unix socket is written unix:${text}`;
  if (/^https?:\/\//.test(text))
    return `leave out the scheme: ${text.replace(/^https?:\/\//, "").replace(/\/.*$/, "")}`;
  return "expected host:port, [address]:port, :port, unix:/path, fd:N or systemd";
}

/** How the address is written in messages, with the port that the kernel chose. */
export function formatAddress(address: Address, port?: number): string {
  switch (address.kind) {
    case "tcp": {
      const host = address.host.includes(":") ? `[${address.host}]` : address.host;
      return `http://${host}:${port ?? address.port}`;
    }
    case "unix":
      return `unix:${address.path}`;
    case "fd":
      return `fd:${address.fd}`;
    case "systemd":
      return address.name === undefined ? "systemd" : `systemd:${address.name}`;
  }
}
