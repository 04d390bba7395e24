// What a shard says about itself: the daemon logs it on SIGUSR2.
import type { ExecutionContext } from "ava";
import type { ShardStatus } from "../../../runtime/addon.js";
import type { Daemon } from "./daemon.js";

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

export async function shardStatus(daemon: Daemon): Promise<ShardStatus> {
  const from = daemon.output().length;
  daemon.signal("SIGUSR2");
  for (let i = 0; i < 2000; i++) {
    for (const line of daemon.output().slice(from).split("\n").slice(0, -1)) {
      if (line.includes('"message":"status"')) return JSON.parse(line) as ShardStatus;
    }
    await sleep(5);
  }
  throw new Error(`the daemon did not log its status:\n${daemon.output().slice(-2000)}`);
}

/**
 * Waits until the shard holds nothing of what has come since `before`: no connection, no request, every slot free, and
 * all segments free or lent to the kernel and the worker. Fails the test if that does not come about. `before` may have
 * been taken while a connection was still closing, so it is no measure of the segments.
 */
export async function settlesTo(
  t: ExecutionContext,
  daemon: Daemon,
  before: ShardStatus,
  what = "",
): Promise<void> {
  let status = before;
  for (let i = 0; i < 150; i++) {
    status = await shardStatus(daemon);
    const settled =
      status.connections <= before.connections &&
      status.queued === 0 &&
      status.started === 0 &&
      status.slotsFree >= before.slotsFree &&
      status.segmentsFree + status.segmentsLent === status.segmentsTotal;
    if (settled) return;
    await sleep(100);
  }
  t.fail(`something leaked ${what}: ${JSON.stringify(status)}; before: ${JSON.stringify(before)}`);
}
