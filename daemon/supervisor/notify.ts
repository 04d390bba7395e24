// Tells systemd how the service is doing (sd_notify). Node has no datagram socket for the Unix domain, so the message goes
// through systemd's own tool; the unit needs NotifyAccess=all, since it runs as a child.
import { spawn } from "node:child_process";
import type { Log } from "../log/log.js";

export function notifySystemd(log: Log, state: "READY=1" | "STOPPING=1", status: string): void {
  if (process.env["NOTIFY_SOCKET"] === undefined) return;
  const child = spawn("systemd-notify", [`--pid=${process.pid}`, state, `STATUS=${status}`], {
    stdio: "ignore",
  });
  child.on("error", ({ message }) =>
    log.warn("systemd cannot be told: is systemd-notify installed?", { state, error: message }),
  );
  child.unref();
}
