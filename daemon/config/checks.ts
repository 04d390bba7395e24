// What the schema cannot say: values that must fit each other, and the machine.
import { ANSWER_FIELDS_BYTES } from "../../runtime/layout.generated.js";
import { clash, parseAddress } from "./address.js";
import type { ConfigDocument, Path } from "./document.js";
import { LARGEST_URING_ARENA } from "./kernel-interface.js";
import { checkModule, nearestModules, type NearestModule } from "./missing-module.js";
import { findClashes, type Claim } from "./patterns.js";
import type { Problem } from "./problem.js";
import { schema } from "./schema.js";
import type { Address, ConfigFile, ListenConfig, RespondConfig, RouteConfig } from "./types.js";
import { formatSize } from "./units.js";
import { nameOf } from "./validate.js";
import { parseWrite } from "./write.js";

/** As `Addon.checkPattern`: `column` counts bytes from 0. */
export type CheckPattern = (pattern: string) => { column: number; message: string } | null;

export interface CheckContext {
  document: ConfigDocument;
  folder: string;
  checkPattern: CheckPattern;
}

const SEGMENT_BYTES = 4096;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e]*$/;
// Native code writes these itself.
const OWNED_FIELDS = [
  "connection",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "server",
  "transfer-encoding",
  "upgrade",
];

/** All problems of a configuration whose shape is right. Items that the schema refused are undefined. */
export function checkConfig(config: ConfigFile, context: CheckContext): Problem[] {
  const nearestTo = nearestModules(context.folder);
  return [
    ...parseListen(config.listen, context).problems,
    ...parseWrite(config.write, context).problems,
    ...checkLimits(config, context),
    ...checkHealth(config, context),
    ...config.routes.flatMap((route: RouteConfig | undefined, index) =>
      route === undefined ? [] : checkRoute(route, ["routes", index], { ...context, nearestTo }),
    ),
    ...findClashes(claimsOf(config, context.document)),
  ];
}

export function parseListen(
  listen: ConfigFile["listen"],
  context: Pick<CheckContext, "document" | "folder">,
) {
  const problems: Problem[] = [];
  const listeners: ListenConfig[] = [];
  const seen: { address: Address; text: string; name: string }[] = [];
  for (const [index, entry] of (Array.isArray(listen) ? listen : [listen]).entries()) {
    if (entry === undefined) continue;
    const path: Path = Array.isArray(listen) ? ["listen", index] : ["listen"];
    const item =
      typeof entry === "string" ? { address: entry, proxyProtocol: false, backlog: 1024 } : entry;
    const at = typeof entry === "string" ? path : [...path, "address"];
    const offset = context.document.valueOffset(at);
    const address = parseAddress(item.address, context.folder);
    if ("error" in address) {
      problems.push({ code: "config/bad-address", message: address.error, offset });
      continue;
    }
    const other = seen.find((earlier) => clash(earlier.address, address));
    if (other !== undefined) {
      const isSame = other.text === item.address;
      const message = isSame
        ? `${item.address} is there twice`
        : `${item.address} clashes with ${other.text} (${other.name}): both would listen on the same address and port; remove one`;
      problems.push({ code: "config/duplicate-address", message, offset });
    }
    seen.push({ address, text: item.address, name: nameOf(path) });
    const mode =
      "mode" in item && item.mode !== undefined ? Number.parseInt(item.mode, 8) : undefined;
    if (mode !== undefined && address.kind !== "unix") {
      problems.push({
        code: "config/bad-address",
        message: "mode is for unix: addresses only; remove it",
        offset: context.document.keyOffset([...path, "mode"]),
      });
    }
    listeners.push({
      address,
      text: item.address,
      proxyProtocol: item.proxyProtocol,
      backlog: item.backlog,
      ...(mode === undefined ? {} : { mode }),
    });
  }
  return { listeners, problems };
}

function checkLimits({ io, limits }: ConfigFile, { document }: CheckContext): Problem[] {
  const problems: Problem[] = [];
  const atLeast = (key: keyof typeof limits, least: number, why: string) => {
    const value = limits[key] ?? 0;
    if (value >= least) return;
    const shown = key === "slots" ? String(least) : formatSize(least);
    const message = `limits.${key} must be at least ${shown}: ${why}`;
    problems.push({
      code: "config/limits-clash",
      message,
      offset: document.valueOffset(["limits", key]),
    });
  };
  const headSegments = Math.ceil(limits.head / SEGMENT_BYTES) * SEGMENT_BYTES;
  atLeast("head", limits.target, "limits.target must fit into it");
  atLeast(
    "connection",
    headSegments + SEGMENT_BYTES,
    "a whole head (limits.head) and a segment must fit into it",
  );
  const ofConnections = Math.max(2 * limits.connection, 16 * SEGMENT_BYTES);
  const ofSlots = 2 * limits.slots * SEGMENT_BYTES;
  if (ofSlots > ofConnections) {
    // Each request whose handler runs holds the segment that its head lies in.
    atLeast(
      "arena",
      ofSlots,
      `two segments for each of ${limits.slots} slots (limits.slots) must fit into it`,
    );
  } else {
    atLeast(
      "arena",
      ofConnections,
      "two connections (limits.connection) and 16 segments must fit into it",
    );
  }
  if (io === "uring" && limits.arena > LARGEST_URING_ARENA) {
    const most = formatSize(LARGEST_URING_ARENA);
    problems.push({
      code: "config/limits-clash",
      message: `limits.arena must be at most ${most} with io: uring, which cannot number more; lower it, or write io: epoll`,
      offset: document.valueOffset(["limits", "arena"]),
    });
  }
  return problems;
}

function checkHealth({ health }: ConfigFile, { document, checkPattern }: CheckContext): Problem[] {
  if (!health.enabled) return [];
  return (["live", "ready"] as const).flatMap((key) => {
    const path = health[key];
    if (path.includes("{")) {
      const message = `health.${key} must be a plain path, without parameters`;
      return [
        { code: "config/bad-pattern", message, offset: document.valueOffset(["health", key]) },
      ];
    }
    return checkOnePattern(path, ["health", key], document, checkPattern);
  });
}

function checkRoute(
  route: RouteConfig,
  path: Path,
  { document, folder, checkPattern, nearestTo }: CheckContext & { nearestTo: NearestModule },
): Problem[] {
  const problems = checkOnePattern(route.path, [...path, "path"], document, checkPattern);
  const report = (code: string, message: string, offset: number) =>
    problems.push({ code, message, offset });
  // What the schema has refused was there all the same.
  const wrote = (key: string) => document.keyOffset([...path, key]) !== document.keyOffset(path);
  const has = {
    handler: route.handler !== undefined || wrote("handler"),
    respond: route.respond !== undefined || wrote("respond"),
  };
  if (has.handler && has.respond)
    report(
      "config/route-answer",
      "a route has handler or respond, not both; remove one",
      document.keyOffset([...path, "respond"]),
    );
  // A misspelt key was meant to answer: one message is enough.
  if (!has.handler && !has.respond && !hasUnknownKey(document.value, path))
    report(
      "config/route-answer",
      `nothing answers ${route.path}; add handler or respond`,
      document.valueOffset(path),
    );
  for (const key of ["options", "timeout", "body"] as const) {
    if (!has.handler && has.respond && route[key] !== undefined) {
      report(
        "config/route-answer",
        `${key} is for routes with a handler; remove it`,
        document.keyOffset([...path, key]),
      );
    }
  }
  const repeated =
    route.methods?.findIndex(
      (method, index, all) => method !== undefined && all.indexOf(method) !== index,
    ) ?? -1;
  if (repeated !== -1)
    report(
      "config/duplicate-method",
      `${route.methods?.[repeated]} is there twice`,
      document.valueOffset([...path, "methods", repeated]),
    );
  if (route.handler !== undefined) {
    const message = checkModule(route.handler, folder, nearestTo);
    if (message !== undefined)
      report("config/missing-handler", message, document.valueOffset([...path, "handler"]));
  }
  if (route.respond !== undefined)
    problems.push(...checkRespond(route.respond, [...path, "respond"], document));
  return problems;
}

function hasUnknownKey(value: unknown, path: Path): boolean {
  const written = path.reduce<unknown>(
    (at, step) => (at as Record<string | number, unknown>)[step],
    value,
  ) as object;
  return Object.keys(written).some(
    (key) => !Object.hasOwn(schema.properties.routes.items.properties, key),
  );
}

function checkOnePattern(
  pattern: string,
  path: Path,
  document: ConfigDocument,
  checkPattern: CheckPattern,
): Problem[] {
  const found = checkPattern(pattern);
  if (found === null) return [];
  const index = Buffer.from(pattern).subarray(0, found.column).toString().length;
  return [
    {
      code: "config/bad-pattern",
      message: found.message,
      offset: document.characterOffset(path, index),
    },
  ];
}

function checkRespond(respond: RespondConfig, path: Path, document: ConfigDocument): Problem[] {
  const problems: Problem[] = [];
  const report = (message: string, at: Path, offset = document.valueOffset(at)) =>
    problems.push({ code: "config/bad-answer", message, offset });
  if ([204, 205, 304].includes(respond.status ?? 200) && (respond.body ?? "") !== "") {
    report(`a ${respond.status} has no body; remove it, or use another status`, [...path, "body"]);
  }
  if (respond.type !== undefined && (respond.type === "" || !FIELD_VALUE.test(respond.type))) {
    report("type must be a media type such as text/plain, without line breaks", [...path, "type"]);
  }
  const headers = Object.entries(respond.headers ?? {});
  const bytes = headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  if (bytes > ANSWER_FIELDS_BYTES) {
    report(`the headers have ${bytes} bytes; make them ${ANSWER_FIELDS_BYTES} at most`, [
      ...path,
      "headers",
    ]);
  }
  for (const [name, value] of headers) {
    const at = [...path, "headers", name];
    if (!TOKEN.test(name))
      report(`${JSON.stringify(name)} is no field name`, at, document.keyOffset(at));
    else if (OWNED_FIELDS.includes(name.toLowerCase())) {
      const remedy = name.toLowerCase() === "content-type" ? "use type" : "remove it";
      report(`${name} is written by the server itself; ${remedy}`, at, document.keyOffset(at));
    } else if (!FIELD_VALUE.test(value))
      report(
        `the value of ${name} must not contain line breaks, controls or characters beyond ASCII`,
        at,
      );
  }
  return problems;
}

/** What the health checks answer. */
export function healthClaims(health: ConfigFile["health"], document: ConfigDocument): Claim[] {
  if (!health.enabled) return [];
  return (["live", "ready"] as const).map((key) => ({
    pattern: health[key],
    methods: ["GET"],
    name: `health.${key}`,
    offset: document.valueOffset(["health", key]),
  }));
}

function claimsOf({ routes, health }: ConfigFile, document: ConfigDocument): Claim[] {
  const claims = healthClaims(health, document);
  for (const [index, route] of routes.entries() as IterableIterator<
    [number, RouteConfig | undefined]
  >) {
    if (route === undefined) continue;
    // Those that the schema refused are undefined.
    const known = route.methods?.filter((method: string | undefined) => method !== undefined);
    const methods = known ?? (route.respond === undefined ? undefined : ["GET"]);
    claims.push({
      pattern: route.path,
      methods,
      name: `routes[${index}]`,
      offset: document.valueOffset(["routes", index, "path"]),
    });
  }
  return claims;
}
