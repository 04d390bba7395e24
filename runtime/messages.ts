// What the main thread and a worker tell each other. Requests never pass here: they cross in shared memory.
import type { ShardHandle } from "./addon.js";

/** A handler module as the configuration names it. */
export interface HandlerSource {
  /** For messages: the file as the configuration has it. */
  name: string;
  /** file: URL of what is imported: the module itself, or what it was compiled to. */
  url: string;
  /** From the configuration, for a factory. */
  options: unknown;
}

/** What this process is held to. */
export interface WriteLimits {
  /** The configuration's path. */
  file: string;
  /** `write` as it has it. */
  write: string[];
  /** All that may be written to: real paths of files, and of folders with all that is below them. */
  paths: string[];
}

export interface WorkerData {
  shard: ShardHandle;
  lane: number;
  /** Index: Slot.handler. */
  handlers: HandlerSource[];
  /** Patterns by Slot.route; native routes too, so that the numbers agree. */
  routes: string[];
  /** Folder of the configuration. */
  directory: string;
  /** Null: writing is not restricted. */
  writing: WriteLimits | null;
  /** `limits.abandoned`, bytes. */
  abandonedMost: number;
  /** One word: the lines of the log that the main thread has taken. */
  linesTaken: Int32Array<SharedArrayBuffer>;
}

/** The handlers are loaded and the lane is live. */
export interface ReadyMessage {
  type: "ready";
}

/** The worker begins to load a handler. */
export interface LoadingMessage {
  type: "loading";
  handler: string;
}

/** The worker cannot start: a handler does not load. It ends itself. */
export interface StartFailedMessage {
  type: "startFailed";
  /** Name of the handler that failed, if it was one. */
  handler: string | null;
  message: string;
}

export interface LogMessage {
  type: "log";
  level: "error" | "warning";
  message: string;
  requestId: string;
  method: string;
  path: string;
  route: string;
}

/** Lines that were not said, for the main thread had too many to take. */
export interface LeftOutMessage {
  type: "leftOut";
  lines: number;
}

export type WorkerMessage =
  ReadyMessage | LoadingMessage | StartFailedMessage | LogMessage | LeftOutMessage;
