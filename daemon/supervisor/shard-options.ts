// The configuration as one shard gets it.
import type { NativeRoute, ShardOptions } from "../../runtime/addon.js";
import { kernelInterface } from "../config/kernel-interface.js";
import type { Config } from "../config/types.js";
import { shareConnections } from "./descriptors.js";

const STANDARD_OUTPUT = 1;

export function shardOptions(
  config: Config,
  routes: NativeRoute[],
  shard: { cpu: number; count: number; connections: number; listeners: ShardOptions["listeners"] },
): ShardOptions {
  const { limits, timeouts, admission, http, log } = config;
  return {
    cpu: shard.cpu,
    io: kernelInterface(config),
    listeners: shard.listeners,
    routes,
    limits: {
      connections: shareConnections(shard.connections, shard.count),
      headBytes: limits.head,
      targetBytes: limits.target,
      fields: limits.fields,
      bodyBytes: limits.body,
      slots: limits.slots,
      queue: limits.queue ?? limits.connections,
      arenaBytes: limits.arena,
      connectionBytes: limits.connection,
      pipeline: limits.pipeline,
      // A client's connections are spread over the shards by the kernel's hash: each shard counts its own.
      addressConnections: limits.addressConnections,
      addressRate: limits.addressRate,
    },
    admission: { targetMs: admission.target, intervalMs: admission.interval },
    timeouts: {
      headMs: timeouts.head,
      bodyMs: timeouts.body,
      handlerMs: timeouts.handler,
      writeMs: timeouts.write,
      keepAliveMs: timeouts.keepAlive,
      drainMs: timeouts.drain,
      spinMs: timeouts.spin,
    },
    halfOpen: http.halfOpen,
    accessLogFd: log.access ? STANDARD_OUTPUT : -1,
  };
}
