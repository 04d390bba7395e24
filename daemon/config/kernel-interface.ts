// Which kernel interface a configuration can have.
import type { Config } from "./types.js";

/** Buffers of io_uring have numbers of 16 bits: those of an arena, its segments of 4 KiB, are no more than 65,536. */
export const LARGEST_URING_ARENA = 65536 * 4096;

/** `io` as the shards get it: `auto` is left to the probe where io_uring can have the arena. */
export function kernelInterface({ io, limits }: Pick<Config, "io" | "limits">): Config["io"] {
  return io === "auto" && limits.arena > LARGEST_URING_ARENA ? "epoll" : io;
}
