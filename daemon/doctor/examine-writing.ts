// What `pinion doctor` says of least privilege: what handlers may write to, and who they run as.
import { existsSync } from "node:fs";
import type { Addon, WriteRestriction } from "../../runtime/addon.js";
import { DEFAULT_FILE } from "../serve-arguments.js";
import type { Finding } from "./examine.js";

/** What a version of Landlock's ABI lacks, newest first (landlock(7)). */
const LACKS = [
  [5, "ioctl on devices is not restricted (Linux 6.10)"],
  [3, "truncate is not restricted (Linux 6.2)"],
  [2, "no file moves from one folder to another, also where writing is allowed (Linux 5.19)"],
] as const;

/** `anywhere`: the name of a configuration that has `write: any`. */
export function examineWriting(
  { abi, failed }: Pick<WriteRestriction, "abi" | "failed">,
  anywhere: string | undefined,
): Finding {
  const name = "writing";
  if (failed !== "")
    return {
      name,
      state: "note",
      value: `cannot be restricted to what \`write\` in the configuration names: ${failed}`,
      advice:
        "handlers write wherever this user may: use ProtectSystem=strict and ReadWritePaths= in the systemd unit",
    };
  if (anywhere !== undefined)
    return {
      name,
      state: "note",
      value: `not restricted: write is any in ${anywhere}`,
      advice: "name the folders that handlers write to, such as write: [./data]",
    };
  const value = `restricted to what \`write\` in the configuration names (Landlock, ABI ${abi})`;
  const lacks = LACKS.filter(([since]) => abi < since).map(([, what]) => what);
  if (lacks.length === 0) return { name, state: "good", value };
  return { name, state: "note", value: `${value}; ${lacks.join("; ")}`, advice: "a newer kernel" };
}

export function examineUser(user: number | undefined): Finding {
  const name = "user";
  if (user !== 0) return { name, state: "good", value: user === undefined ? "unknown" : `${user}` };
  return {
    name,
    state: "note",
    value: "root: handlers would run as root too",
    advice:
      "start the server as a user of its own: User= or DynamicUser= of the systemd unit, USER of a container, or setpriv --reuid=… --regid=… --init-groups",
  };
}

/** The configuration's name, if it lets handlers write anywhere. One that nobody has named may be wrong, or another's. */
export async function writesAnywhere(
  addon: Pick<Addon, "checkPattern">,
  named: string | undefined,
): Promise<string | undefined> {
  const file = named ?? DEFAULT_FILE;
  if (!existsSync(file) && named === undefined) return undefined;
  const { loadConfig } = await import("../config/load.js");
  try {
    const { config } = loadConfig(file, (pattern) => addon.checkPattern(pattern));
    return config.write === "any" ? file : undefined;
  } catch (error) {
    if (named !== undefined) throw error;
    return undefined;
  }
}
