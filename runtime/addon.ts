// What the native addon offers, by thread. The addon validates nothing that TypeScript has validated: it asserts.

/** Names a shard in native memory. Made on the main thread, handed to workers through `workerData`. */
export type ShardHandle = bigint;

export interface ListenerOptions {
  /** `tcp`: one socket per shard with SO_REUSEPORT; `unix` and `fd`: one descriptor shared by all shards. */
  kind: "tcp" | "unix" | "fd";
  /** tcp: literal IPv4 or IPv6 address. */
  host?: string;
  /** tcp: 0 lets the kernel choose; `Addon.bind` says which. */
  port?: number;
  /** unix: path of the socket; its mode. */
  path?: string;
  mode?: number;
  /** An inherited or already bound descriptor. */
  fd?: number;
  backlog: number;
  proxyProtocol: boolean;
}

export type PortSharing = "alone" | "first" | "further";

export interface NativeRoute {
  pattern: string;
  /** Bits of the methods table (native/http/method.hpp): 1 << index. */
  methods: number;
  /** Index into the configuration's handlers, or -1: answered by the reactor. */
  handler: number;
  /** Answered by the reactor. `live` and `ready` are the health routes. */
  respond?: { status: number; fields: [string, string][]; body: Uint8Array } | "live" | "ready";
  /** Milliseconds; 0: the shard's default. */
  handlerTimeoutMs: number;
  /** Bytes; -1: the shard's default. */
  bodyLimit: number;
}

export interface ShardOptions {
  cpu: number; // -1: not pinned
  io: "auto" | "uring" | "epoll";
  /** Descriptors from `Addon.bind`; the shard owns them from now on. */
  listeners: { fd: number; proxyProtocol: boolean }[];
  routes: NativeRoute[];
  limits: {
    connections: number;
    headBytes: number;
    targetBytes: number;
    fields: number;
    bodyBytes: number;
    /** Requests of one shard that are parsed and not yet answered. */
    slots: number;
    /** Requests of one shard waiting for their handler to be called: beyond it 503. */
    queue: number;
    arenaBytes: number;
    /** Bytes that one connection may hold of the arena. */
    connectionBytes: number;
    pipeline: number;
    /** Of one client address; 0: no limit. addressRate: requests per second. */
    addressConnections: number;
    addressRate: number;
  };
  /** A request is refused while the oldest has waited for targetMs, in a queue that was not empty for intervalMs. */
  admission: { targetMs: number; intervalMs: number };
  timeouts: {
    headMs: number;
    bodyMs: number;
    handlerMs: number;
    writeMs: number;
    keepAliveMs: number;
    drainMs: number;
    /** How long a worker may stay away with requests started before it is reported overdue for replacement. */
    spinMs: number;
  };
  /** A half-closed client still gets its answer. */
  halfOpen: boolean;
  /** Descriptor that access-log lines (JSON) are written to; -1: none. */
  accessLogFd: number;
}

export interface ShardStatus {
  io: "uring" | "epoll";
  connections: number;
  accepted: number;
  requests: number;
  /** Requests whose handler has not been called yet, and those started. */
  queued: number;
  started: number;
  /** Turns run by each. */
  workerTurns: number;
  standInTurns: number;
  takeovers: number;
  segmentsFree: number;
  /** Lent to the kernel for input, and to lanes for the answers that they write. */
  segmentsLent: number;
  segmentsTotal: number;
  slotsFree: number;
  refused: number;
  /** LaneState of each lane. */
  lanes: number[];
  /** Lanes whose worker has broken the rules of shared memory, and has to be replaced: what it did, by lane. */
  brokenLanes: Record<number, string>;
  /** Milliseconds since the live worker was last in a turn or asleep; 0: it is. */
  awayMs: number;
  draining: boolean;
}

export interface FeatureReport {
  name: string;
  active: boolean;
  /** What it is for, or why it is not active and what is used instead. */
  detail: string;
}

/** What has become of the wish that the kernel holds this process to what it may write. */
export interface WriteRestriction {
  /** Version of Landlock's ABI; 0: the kernel has none. */
  abi: number;
  /** Threads that are held to it. */
  threads: number;
  /** Why not, or not all of them; empty: all. */
  failed: string;
}

export interface Addon {
  // --- main thread ---
  /** Probes the kernel; never throws. */
  probe(): { uring: boolean; why: string; features: FeatureReport[] };
  /** Whether stand-ins may run in real time (SCHED_FIFO). */
  mayRaisePriority(): boolean;
  /**
   * From now on no thread of this process, and no process that it starts, writes anywhere but to these files and below these
   * folders, which must be there; `remove`: folders whose files may be removed. For good. Before the first shard.
   */
  restrictWriting(write: readonly string[], remove: readonly string[]): WriteRestriction;
  /** Whether it would work, tried on a thread of its own. */
  tryWriteRestriction(): WriteRestriction;
  /**
   * Binds and listens. Throws an Error with `code` (EADDRINUSE, EACCES, …). `sharing` is about TCP ports: `alone` and
   * `first` fail where anybody has the port; `further` joins a `first` one.
   */
  bind(
    listener: ListenerOptions,
    sharing: PortSharing,
  ): {
    fd: number;
    /** As the kernel has it: an IP address, or the path of a Unix socket; "" if it has none. */
    address: string;
    /** 0 for a Unix socket. */
    port: number;
  };
  /** Checks a pattern as the router does. */
  checkPattern(pattern: string): { column: number; message: string } | null;
  /**
   * Maps the memory, opens the kernel interface, starts the stand-in, which serves native routes at once. `onBrokenLane`
   * is called soon after there is something new in ShardStatus.brokenLanes.
   */
  createShard(options: ShardOptions, onBrokenLane: () => void): ShardHandle;
  status(shard: ShardHandle): ShardStatus;
  /** Reserves a lane in state `warming` for a worker about to start; -1: none is free. */
  reserveLane(shard: ShardHandle): number;
  /** Gives up on a lane: its started requests get 502, its queued ones go to the next live lane. */
  quarantineLane(shard: ShardHandle, lane: number): void;
  /** The worker's thread has ended (its `exit` event): the lane's slots and segments come back. */
  releaseLane(shard: ShardHandle, lane: number): void;
  /** Stops accepting; answers say Connection: close; idle connections are closed. */
  drain(shard: ShardHandle): void;
  /** True when no connection is left. */
  drained(shard: ShardHandle): boolean;
  /** While it stands, `/-/ready` answers 503 and says that workers end again and again. */
  setCrashLoop(shard: ShardHandle, stands: boolean): void;
  /** Closes everything, joins the stand-in, and writes what is left of the access log, for at most `leftMs`. */
  destroyShard(shard: ShardHandle, leftMs: number): void;
  /** Unmaps what starting up has used of Node's own code; returns its bytes. What runs again is mapped again. */
  dropStartupCode(): number;
  /** Ends the process at once, without waiting for workers that sit in native code, as process.exit() does. */
  endProcess(exitCode: number): never;

  // --- worker ---
  /**
   * Attaches this thread to its lane: pins it, hooks the turn into its event loop, and calls `dispatch` from then on
   * whenever the lane's request ring holds entries. The buffer is the shard's shared region (see layout.generated.ts).
   * `unseenSleepMs[0]` counts the time that libuv has slept and not counted (see event-loop-utilization.ts).
   */
  enter(
    shard: ShardHandle,
    lane: number,
    dispatch: () => void,
  ): { region: ArrayBuffer; laneOffset: number; unseenSleepMs: Float64Array };
  /**
   * The handlers are loaded: the lane goes live and the next turns are this thread's. `methods`: what each handler
   * answers, as bits; other methods of its routes are 405 from now on, without JavaScript.
   */
  live(shard: ShardHandle, lane: number, methods: readonly number[]): void;
  /** Wakes a stand-in that said it sleeps (Lane.standInAsleep), after an answer has been pushed. */
  ringStandIn(shard: ShardHandle): void;
  /**
   * Sends bytes [start, end) of the body of a streamed answer of known length from where they lie, which has to be the
   * next that its connection sends. Returns how many the socket took: 0 if it is full, -1 if it may not be now.
   */
  sendNow(
    shard: ShardHandle,
    lane: number,
    slot: number,
    generation: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number;
  /** Runs a turn between two handlers of a long batch, so that answers leave early. */
  turn(shard: ShardHandle, lane: number): void;
  /** Address of a connection's peer, or null if the connection is gone. */
  remoteAddress(
    shard: ShardHandle,
    slot: number,
    generation: number,
  ): { address: string; port: number } | null;
}
