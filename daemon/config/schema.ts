// The configuration's JSON Schema: the one source of its types, defaults, validator, reference page and editor
// completion. After a change: `npm run generate`.
//
// Three keywords are ours. `unit` says that a value is a size or a duration, read by units.ts; `least` and `most`
// bound it, in bytes or milliseconds.

const size = (description: string, fallback: string, least: number, most: number) =>
  ({
    type: ["string", "integer"],
    unit: "size",
    pattern: "^[0-9]+(\\.[0-9]+)?(B|kB|KB|MB|GB|KiB|MiB|GiB)?$",
    minimum: 0,
    least,
    most,
    default: fallback,
    description,
  }) as const;

const duration = (description: string, fallback: string, least = 1, most = 7 * 24 * 3600 * 1000) =>
  ({
    type: "string",
    unit: "duration",
    pattern: "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$",
    least,
    most,
    default: fallback,
    description,
  }) as const;

function withoutDefault<S extends { default: unknown }>(schema: S): Omit<S, "default"> {
  const { default: _, ...rest } = schema;
  return rest;
}

// Not nothing, which would be the configuration's own folder.
const PATH = ".";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const listener = {
  address: {
    type: "string",
    description:
      "`127.0.0.1:8080`, `[::1]:8080`, `:8080` (every address of the machine), `unix:/run/app.sock`, `fd:3` (an inherited socket), `systemd` or `systemd:NAME` (the sockets that systemd hands over). Port 0 lets the kernel choose.",
  },
  proxyProtocol: {
    type: "boolean",
    default: false,
    description: "Expect the PROXY protocol's header, and take the client's address from it.",
  },
  backlog: {
    type: "integer",
    minimum: 1,
    maximum: 65535,
    default: 1024,
    description:
      "Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.",
  },
  mode: {
    type: "string",
    pattern: "^0?[0-7]{3}$",
    description: 'Permissions of a Unix socket, octal and in quotes: `"0660"`.',
  },
} as const;

export const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PATCH",
] as const;

export const schema = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "Pinion configuration",
  type: "object",
  additionalProperties: false,
  properties: {
    listen: {
      type: ["string", "object", "array"],
      description:
        "Where to listen: one address, or a list. `--listen` on the command line replaces it.",
      default: "127.0.0.1:8080",
      properties: listener,
      required: ["address"],
      additionalProperties: false,
      minItems: 1,
      maxItems: 64,
      items: {
        type: ["string", "object"],
        properties: listener,
        required: ["address"],
        additionalProperties: false,
      },
    },
    shards: {
      type: ["string", "integer"],
      pattern: "^auto$",
      minimum: 1,
      maximum: 256,
      default: "auto",
      description:
        "Shards, each with its own sockets, memory and worker. `auto`: one for each logical core that affinity and cgroup leave to the process.",
    },
    io: {
      enum: ["auto", "uring", "epoll"],
      default: "auto",
      description:
        "The kernel's interface. `auto`: io_uring where the probe finds it good enough, else epoll.",
    },
    routes: {
      type: "array",
      default: [],
      maxItems: 20_000,
      description: "What answers which path.",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["path"],
        properties: {
          path: {
            type: "string",
            description:
              "Pattern: `/hello/{name:string}`. Kinds: `string` (also without a kind), `int`, `float`, `uuid`, and, at the end, `path`, which takes the rest. No parameter is ever empty: `/files/{rest:path}` does not answer `/files/`.",
          },
          methods: {
            type: "array",
            minItems: 1,
            items: { enum: METHODS },
            description:
              "Methods that are answered; another is 405. Left out: GET for `respond`; for a handler, the methods that it has functions for, or all but TRACE if it is one function. GET answers HEAD too.",
          },
          handler: {
            type: "string",
            pattern: "\\.(ts|mts|js|mjs)$",
            description: "A `.ts` or `.js` module, relative to the configuration's folder.",
          },
          options: { description: "Handed to the module's factory. Any YAML value." },
          respond: {
            type: "object",
            additionalProperties: false,
            description: "A fixed answer, given without JavaScript.",
            properties: {
              status: {
                type: "integer",
                minimum: 200,
                maximum: 599,
                default: 200,
                description: "Status code.",
              },
              type: {
                type: "string",
                description:
                  "Content-Type. Left out: `text/plain; charset=utf-8` if there is a body.",
              },
              headers: {
                type: "object",
                additionalProperties: { type: "string" },
                default: {},
                description: "Further fields, by name.",
              },
              body: { type: "string", default: "", description: "The body." },
            },
          },
          timeout: withoutDefault(
            duration("Time for this handler; left out: `timeouts.handler`.", ""),
          ),
          body: withoutDefault(
            size("Largest request body of this route; left out: `limits.body`.", "", 0, 64 * GIB),
          ),
        },
      },
    },
    write: {
      type: ["string", "array"],
      default: [],
      maxItems: 64,
      pattern: PATH,
      items: { type: "string", pattern: PATH },
      description:
        "Folders (with all that is below them) and files that handlers, and programs that they start, may write to: `[./data]`, relative to the configuration's folder. They have to be there when the server starts. Beside them only the folder for temporary files and the folders that systemd hands over (`StateDirectory=`, `LogsDirectory=`, `RuntimeDirectory=`) may be written to, where the kernel has Landlock. `any`: no restriction.",
    },
    cache: {
      type: "string",
      pattern: PATH,
      description:
        "Folder where compiled handlers are kept, relative to the configuration's folder. Left out: `handlers` in systemd's `CacheDirectory=`, else `pinion` in `XDG_CACHE_HOME` or `~/.cache`, or in the folder for temporary files where that cannot be written to.",
    },
    limits: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "Bounds. At each there is backpressure or a status code, never growth.",
      properties: {
        body: size("Largest request body (413).", "1MiB", 0, 64 * GIB),
        head: size("Largest request head (431).", "16KiB", 256, 65535),
        target: size("Longest request target (414).", "8KiB", 64, 65535),
        fields: {
          type: "integer",
          minimum: 1,
          maximum: 200,
          default: 100,
          description: "Field lines of one request (431).",
        },
        connections: {
          type: "integer",
          minimum: 1,
          maximum: 1_000_000,
          default: 10000,
          description:
            "Open connections of the whole server, shared out evenly among the shards; further ones wait in the kernel.",
        },
        slots: {
          type: "integer",
          minimum: 2,
          maximum: 65536,
          default: 1024,
          description:
            "Requests of one shard that are parsed and not yet answered; a few, of two one, are kept for those that need no handler.",
        },
        queue: {
          type: "integer",
          minimum: 1,
          maximum: 65536,
          description:
            "Requests of one shard that wait for their handler to be called, and connections that wait for a slot (503); left out: bounded by connections and memory alone.",
        },
        arena: size(
          "Memory of one shard for requests and answers, touched only as it is used. io_uring has 256MiB at most: beyond that `io: auto` is epoll.",
          "16MiB",
          64 * KIB,
          // With 65,536 slots and their rings it stays within what a worker's signed offsets of 32 bits reach.
          1792 * MIB,
        ),
        connection: size(
          "The most of its shard's arena that one connection's unread input may hold.",
          "256KiB",
          8 * KIB,
          GIB,
        ),
        pipeline: {
          type: "integer",
          minimum: 1,
          maximum: 65535,
          default: 64,
          description: "Requests of one connection that are read ahead of their answers.",
        },
        addressConnections: {
          type: "integer",
          minimum: 0,
          maximum: 1_000_000,
          default: 0,
          description:
            "Open connections of one client address (IPv6: of one /64) and one shard; further ones are closed. 0: no limit.",
        },
        addressRate: {
          type: "integer",
          minimum: 0,
          maximum: 1_000_000,
          default: 0,
          description:
            "Requests a second of one client address (IPv6: of one /64) and one shard; it may be one second ahead (429). What is refused, malformed or too large counts as well. 0: no limit.",
        },
        heap: withoutDefault(
          size(
            "JavaScript heap of one worker; left out: Node's own default.",
            "",
            16 * MIB, // Node 24 may end the process while it makes a worker of 8
            64 * GIB,
          ),
        ),
        abandoned: size(
          "Memory of one worker for requests whose handlers go on although their clients have gone, or have got their 504; beyond that such a request keeps its slot until its handler is done, or for 30 seconds (so that all slots' worth may be added in that time).",
          "16MiB",
          0,
          GIB,
        ),
        youngHeap: size(
          "The young generation of one worker's heap: a third of it is filled with new objects between two collections. More suits handlers that hold much while they wait.",
          "12MiB",
          MIB,
          GIB,
        ),
      },
    },
    admission: {
      type: "object",
      additionalProperties: false,
      default: {},
      description:
        "When requests for handlers are refused because too many wait (503 with Retry-After).",
      properties: {
        target: duration(
          "In a standing queue, new requests are refused while the oldest has waited so long. 0: never.",
          "250ms",
          0,
        ),
        interval: duration(
          "A queue that has not been empty for so long is a standing one, and who has waited so long in it, or would have to, is refused; a shorter burst may wait.",
          "500ms",
        ),
      },
    },
    timeouts: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "How long each state may last.",
      properties: {
        head: duration(
          "From a connection's or a request's first moment to the end of its head (408).",
          "10s",
        ),
        body: duration(
          "A client that sends nothing of a request body for so long, or less than 512 bytes a second, is slow (408). While other uploads wait to begin, the slowest of those that send nothing for 5 seconds, or less than 16 KiB a second, give way.",
          "30s",
        ),
        handler: duration("For a handler to answer (504).", "30s"),
        write: duration(
          "A client that takes nothing of an answer for so long, or less than 512 bytes a second, is disconnected, after twice this time at the latest.",
          "30s",
        ),
        keepAlive: duration("An idle connection is kept.", "60s"),
        drain: duration(
          "From SIGTERM or SIGINT to the end of the process. Requests in flight have all of it but the last tenth (0.1 to 1 second).",
          "10s",
          0,
        ),
        spin: duration(
          "A worker may stay in JavaScript, with requests waiting, before it is replaced.",
          "60s",
          100,
        ),
      },
    },
    health: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "Routes for health checks, answered without JavaScript.",
      properties: {
        enabled: { type: "boolean", default: true, description: "Answer them." },
        live: { type: "string", default: "/-/live", description: "200 while the process runs." },
        ready: {
          type: "string",
          default: "/-/ready",
          description:
            "200 while the shard has a live worker, workers do not end again and again, and it is not draining; else 503.",
        },
      },
    },
    http: {
      type: "object",
      additionalProperties: false,
      default: {},
      description: "HTTP details.",
      properties: {
        halfOpen: {
          type: "boolean",
          default: true,
          description:
            "A client that has closed its sending side still gets its answer; false: it counts as gone.",
        },
      },
    },
    log: {
      type: "object",
      additionalProperties: false,
      default: {},
      description:
        "What the daemon writes about itself (standard error), and about requests (standard output).",
      properties: {
        access: {
          type: "boolean",
          default: false,
          description:
            'One line of JSON on standard output for each request; `{"dropped":n}` where n lines found no room, because standard output was not read fast enough.',
        },
        level: {
          enum: ["error", "warn", "info", "debug"],
          default: "info",
          description: "The least level that is written.",
        },
        format: {
          enum: ["auto", "json", "text"],
          default: "auto",
          description: "`auto`: text on a terminal, else JSON.",
        },
      },
    },
  },
} as const;
