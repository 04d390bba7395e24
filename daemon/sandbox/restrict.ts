// Holds the whole process to what it may write, and says so.
import type { Addon } from "../../runtime/addon.js";
import type { WriteLimits } from "../../runtime/messages.js";
import type { Config } from "../config/types.js";
import type { Log } from "../log/log.js";
import { writablePaths } from "./writable.js";

/**
 * After the sockets are bound and before there is a ring, a shard or a worker: all of them inherit it. Null: nothing is
 * restricted. Throws where only some threads are: that is a promise half kept.
 */
export function restrictWriting(
  addon: Pick<Addon, "restrictWriting">,
  config: Config,
  environment: NodeJS.ProcessEnv,
  log: Log,
): WriteLimits | null {
  const { write, file } = config;
  if (write === "any") {
    log.info("writing is not restricted: write is any in the configuration");
    return null;
  }
  const writable = writablePaths({ write, listen: config.listen }, environment);
  const { abi, threads, failed } = addon.restrictWriting(writable.write, writable.remove);
  if (failed !== "" && threads > 0)
    throw new Error(
      `writing is restricted on ${threads} threads only: ${failed}; write: any does without`,
    );
  if (failed !== "") {
    log.warn(
      `writing is not restricted: ${failed}; write: any does without, and without this line`,
    );
    return null;
  }
  const folders = writable.write.filter((path) => !path.startsWith("/dev/"));
  log.info(
    `writing is restricted to ${folders.join(", ")} (Landlock, ABI ${abi}, ${threads} threads)`,
  );
  return { file, write: write.map(({ text }) => text), paths: writable.write };
}

/** Root may do everything that is no writing. */
export function warnOfRoot(log: Log, user: number | undefined = process.getuid?.()): void {
  if (user !== 0) return;
  log.warn(
    "running as root, and so are the handlers: start it as a user of its own, by User= or DynamicUser= in the systemd unit, or `setpriv --reuid=… --regid=… --init-groups`",
  );
}
