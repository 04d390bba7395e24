// Opens the sockets: one per shard where the kernel can share a port out, else one that the shards share.
import { type BigIntStats, closeSync, statSync, unlinkSync } from "node:fs";
import { createConnection } from "node:net";
import type { Addon, ListenerOptions, PortSharing } from "../../runtime/addon.js";
import { formatAddress } from "../config/address.js";
import type { Address, ListenConfig } from "../config/types.js";

export interface OpenListener {
  /** How clients reach it, e.g. `http://127.0.0.1:8080`. */
  url: string;
  proxyProtocol: boolean;
  /** One descriptor for each shard. */
  fds: number[];
  /** Undoes what closing the descriptors does not. */
  remove(): void;
}

/** What systemd or the shell handed over, by environment. */
export interface Inherited {
  fds: number[];
  names: string[];
}

export class ListenError extends Error {
  override name = "ListenError";
  readonly code = "PINION_LISTEN";
}

/** Opens all listeners, or none: throws a ListenError that says what to do. */
export async function openListeners(
  addon: Pick<Addon, "bind">,
  listen: readonly ListenConfig[],
  shards: number,
  inherited: Inherited,
): Promise<OpenListener[]> {
  const open: OpenListener[] = [];
  try {
    for (const config of listen)
      open.push(...(await openListener(addon, config, shards, inherited)));
    return open;
  } catch (error) {
    closeListeners(open);
    throw error;
  }
}

export function closeListeners(listeners: readonly OpenListener[]): void {
  for (const listener of listeners) {
    listener.fds.forEach((fd) => closeSync(fd));
    listener.remove();
  }
}

async function openListener(
  addon: Pick<Addon, "bind">,
  config: ListenConfig,
  shards: number,
  inherited: Inherited,
): Promise<OpenListener[]> {
  const { address, proxyProtocol } = config;
  switch (address.kind) {
    case "tcp":
      return [openTcp(addon, config, address, shards)];
    case "unix": {
      await removeStaleSocket(address.path);
      const options = {
        kind: "unix",
        path: address.path,
        ...base(config),
        ...(config.mode === undefined ? {} : { mode: config.mode }),
      } as const;
      const { fd } = bindOrExplain(addon, options, config);
      const made = statSync(address.path, { bigint: true });
      return [
        {
          url: `unix:${address.path}`,
          proxyProtocol,
          fds: shared(addon, fd, config, shards),
          remove: () => removeSocket(address.path, made),
        },
      ];
    }
    case "fd":
      return [inherit(addon, config, address.fd, shards)];
    case "systemd":
      return pickInherited(address, config, inherited).map((fd) =>
        inherit(addon, config, fd, shards),
      );
  }
}

function base({ backlog, proxyProtocol }: ListenConfig) {
  return { backlog, proxyProtocol };
}

// SO_REUSEPORT alone would let a second daemon of the same user bind the same port and take half of the connections: so the
// first socket is bound without it, and gets it afterwards. It also learns the port that the kernel chose for 0.
function openTcp(
  addon: Pick<Addon, "bind">,
  config: ListenConfig,
  address: Address & { kind: "tcp" },
  shards: number,
): OpenListener {
  let { host } = address;
  const options = (port: number): ListenerOptions => ({ kind: "tcp", host, port, ...base(config) });
  const sharing = shards === 1 ? "alone" : "first";
  let first: { fd: number; port: number };
  try {
    first = bindOrExplain(addon, options(address.port), config, sharing);
  } catch (error) {
    // A machine without IPv6.
    if (!address.anyHost || !isCode((error as Error).cause, ["EAFNOSUPPORT", "EADDRNOTAVAIL"]))
      throw error;
    host = "0.0.0.0";
    first = bindOrExplain(addon, options(address.port), config, sharing);
  }
  const { port } = first;
  const url = formatAddress({ ...address, host }, port);
  const fds = [first.fd];
  try {
    while (fds.length < shards) fds.push(bindOrExplain(addon, options(port), config, "further").fd);
  } catch (error) {
    fds.forEach((fd) => closeSync(fd));
    throw error;
  }
  return { url, proxyProtocol: config.proxyProtocol, fds, remove: () => {} };
}

function inherit(
  addon: Pick<Addon, "bind">,
  config: ListenConfig,
  inheritedFd: number,
  shards: number,
): OpenListener {
  const { fd, address, port } = bindOrExplain(
    addon,
    { kind: "fd", fd: inheritedFd, ...base(config) },
    config,
  );
  const url = inheritedUrl(inheritedFd, address, port);
  const fds = shared(addon, fd, config, shards);
  // The shards have duplicates. One kept here would hold the socket open while they drain, with nobody to accept.
  closeSync(inheritedFd);
  return { url, proxyProtocol: config.proxyProtocol, fds, remove: () => {} };
}

function inheritedUrl(fd: number, address: string, port: number): string {
  if (port > 0) return formatAddress({ kind: "tcp", host: address, port, anyHost: false });
  return formatAddress(address === "" ? { kind: "fd", fd } : { kind: "unix", path: address });
}

/** Each shard owns its descriptor, so further ones get duplicates: `bind` duplicates a descriptor that it is given. */
function shared(
  addon: Pick<Addon, "bind">,
  fd: number,
  config: ListenConfig,
  shards: number,
): number[] {
  const fds = [fd];
  while (fds.length < shards)
    fds.push(bindOrExplain(addon, { kind: "fd", fd, ...base(config) }, config).fd);
  return fds;
}

function bindOrExplain(
  addon: Pick<Addon, "bind">,
  options: ListenerOptions,
  config: ListenConfig,
  sharing: PortSharing = "alone",
) {
  try {
    return addon.bind(options, sharing);
  } catch (error) {
    throw new ListenError(
      `cannot listen on ${config.text}: ${explain(error as NodeJS.ErrnoException, config)}`,
      { cause: error },
    );
  }
}

function explain(error: NodeJS.ErrnoException, { address }: ListenConfig): string {
  switch (error.code ?? "") {
    case "EADDRINUSE":
      return address.kind === "tcp"
        ? `another program has the port; stop it (\`ss -ltnp 'sport = :${address.port}'\` names it) or choose another port`
        : "another program listens there; stop it or choose another path";
    case "EACCES":
    case "EPERM":
      return address.kind === "tcp"
        ? "this user may not use the port; choose one from 1024 up, grant CAP_NET_BIND_SERVICE, or let systemd hand over the socket (listen: systemd)"
        : "this user may not create a socket in that folder; change the folder's owner or choose another";
    case "EADDRNOTAVAIL":
      return "the machine has no such address; `ip address` lists what it has";
    case "EAFNOSUPPORT":
      return "the machine has no IPv6; write an IPv4 address";
    case "ENOENT":
      return "the folder does not exist; create it";
    case "EBADF":
    case "ENOTSOCK":
      return "that descriptor is no socket; was it handed over by the parent process?";
    default:
      return error.message;
  }
}

function pickInherited(
  address: Address & { kind: "systemd" },
  config: ListenConfig,
  { fds, names }: Inherited,
): number[] {
  const { name } = address;
  const picked = name === undefined ? fds : fds.filter((_, index) => names[index] === name);
  if (picked.length > 0) return picked;
  const why =
    fds.length === 0
      ? "systemd handed over no socket; start the daemon by its .socket unit"
      : `no socket is called that; there are: ${names.join(", ")}`;
  throw new ListenError(`cannot listen on ${config.text}: ${why}`);
}

/** The sockets of LISTEN_FDS, if they are for this process. */
export function inheritedSockets(environment: NodeJS.ProcessEnv, pid: number): Inherited {
  const count = Number(environment["LISTEN_FDS"] ?? 0);
  if (
    environment["LISTEN_PID"] !== String(pid) ||
    !Number.isInteger(count) ||
    count < 1 ||
    count > 1024
  )
    return { fds: [], names: [] };
  const names = (environment["LISTEN_FDNAMES"] ?? "").split(":");
  const fds = Array.from({ length: count }, (_, index) => index + 3);
  return { fds, names: fds.map((_, index) => names[index] ?? "") };
}

// A socket that a killed daemon has left behind refuses connections; one that accepts them belongs to somebody.
async function removeStaleSocket(path: string): Promise<void> {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return;
  if (!status.isSocket())
    throw new ListenError(
      `cannot listen on unix:${path}: a file that is no socket is there; move it away or choose another path`,
    );
  const outcome = await tryToConnect(path);
  if (outcome === "ECONNREFUSED" || outcome === "ENOENT") unlinkSync(path);
  else if (outcome === "connected" || outcome === "EAGAIN") {
    throw new ListenError(
      `cannot listen on unix:${path}: another program listens there; stop it or choose another path`,
    );
  } else
    throw new ListenError(
      `cannot listen on unix:${path}: whether the socket there is in use cannot be told (${outcome}); remove it or choose another path`,
    );
}

function tryToConnect(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

// Only ours: a successor may already have made a new one at the same path, and got the inode's number for it.
function removeSocket(path: string, made: BigIntStats): void {
  try {
    const found = statSync(path, { bigint: true });
    const isOurs = found.ino === made.ino && found.dev === made.dev;
    if (isOurs && found.birthtimeNs === made.birthtimeNs) unlinkSync(path);
  } catch {
    // It is gone already.
  }
}

function isCode(error: unknown, codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? "");
}
