// How many connections the limit on open files leaves room for.
import { readFileSync } from "node:fs";

// Node's own, the ring's or epoll's, the listeners', the handlers' files.
const RESERVED = 64;
const RESERVED_FOR_SHARD = 32;
/** With fewer a shard is of no use, and what a handler opens may take them. */
export const FEWEST_CONNECTIONS_OF_SHARD = 16;

/** Soft limit of open files (Node raises it to the hard one at its start); undefined: not known. */
export function openFilesLimit(limits = readLimits()): number | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(soft);
}

/**
 * Connections for each shard. Which shard gets a connection is the kernel's choice by hash, so several shards get an
 * eighth more than their even share; else some would refuse while others have room.
 */
export function shareConnections(connections: number, shards: number): number {
  return shards === 1 ? connections : Math.ceil(((connections / shards) * 9) / 8);
}

/** The most that `connections` may be, so that each shard's share fits into the limit. */
export function mostConnections(limit: number, shards: number): number {
  const room = limit - RESERVED - shards * RESERVED_FOR_SHARD;
  return Math.max(1, Math.floor(shards === 1 ? room : (room * 8) / 9) - shards);
}

/** The least limit that leaves each shard the fewest connections that are of use. */
export function leastOpenFiles(shards: number): number {
  const fewest = shards * FEWEST_CONNECTIONS_OF_SHARD;
  let limit = RESERVED + shards * RESERVED_FOR_SHARD + fewest;
  while (mostConnections(limit, shards) < fewest) limit++;
  return limit;
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
