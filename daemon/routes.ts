// From the configuration's routes to what the shards and the workers get.
import type { NativeRoute } from "../runtime/addon.js";
import type { HandlerSource } from "../runtime/messages.js";
import { METHODS, type Method } from "../runtime/methods.js";
import { findClashes } from "./config/patterns.js";
import { ConfigError } from "./config/problem.js";
import type { LoadedConfig } from "./config/load.js";
import type { HandlerModule } from "./modules.js";
import type { Config, RespondConfig, RouteConfig } from "./config/types.js";

export interface RoutePlan {
  native: NativeRoute[];
  handlers: HandlerSource[];
}

// Without `methods`, a default function is asked for every method but the two that no handler expects.
const ANY_METHOD = METHODS.filter((method) => method !== "CONNECT" && method !== "TRACE");

/** `modules`: by the `handler` value of the configuration. Throws a ConfigError where routes clash. */
export function planRoutes(
  loaded: LoadedConfig,
  modules: ReadonlyMap<string, HandlerModule>,
): RoutePlan {
  const { config, document } = loaded;
  const handlers: HandlerSource[] = [];
  const native = config.routes.map((route): NativeRoute => {
    const handler =
      route.handler === undefined
        ? -1
        : handlerIndex(handlers, route.handler, route.options, modules);
    return {
      pattern: route.path,
      methods: methodBits(methodsOf(route, modules)),
      handler,
      handlerTimeoutMs: route.timeout ?? 0,
      bodyLimit: route.body ?? -1,
      ...(route.respond === undefined ? {} : { respond: fixedAnswer(route.respond) }),
    };
  });
  const clashes = findClashes(
    config.routes.map((route, index) => ({
      pattern: route.path,
      methods: methodsOf(route, modules),
      name: `routes[${index}]`,
      offset: document.valueOffset(["routes", index, "path"]),
    })),
  );
  if (clashes.length > 0) throw new ConfigError(clashes, loaded.name, loaded.source);
  return { native: [...native, ...healthRoutes(config)], handlers };
}

/** Methods of a route: as configured, else what its answer can do. */
export function methodsOf(
  route: RouteConfig,
  modules: ReadonlyMap<string, HandlerModule>,
): readonly Method[] {
  if (route.methods !== undefined) return route.methods;
  if (route.handler === undefined) return ["GET"];
  return modules.get(route.handler)?.methods ?? ANY_METHOD;
}

function methodBits(methods: readonly Method[]): number {
  return methods.reduce((bits, method) => bits | (1 << METHODS.indexOf(method)), 0);
}

// Routes that name the same module with the same options share one handler: its factory is called once.
function handlerIndex(
  handlers: HandlerSource[],
  name: string,
  options: unknown,
  modules: ReadonlyMap<string, HandlerModule>,
): number {
  const key = JSON.stringify(options);
  const found = handlers.findIndex(
    (handler) => handler.name === name && JSON.stringify(handler.options) === key,
  );
  if (found !== -1) return found;
  return handlers.push({ name, url: modules.get(name)?.url ?? "", options }) - 1;
}

function fixedAnswer({ status, type, headers, body }: RespondConfig) {
  const contentType = type ?? (body === "" ? undefined : "text/plain; charset=utf-8");
  const fields: [string, string][] =
    contentType === undefined ? [] : [["Content-Type", contentType]];
  return {
    status,
    fields: [...fields, ...Object.entries(headers)],
    body: new TextEncoder().encode(body),
  };
}

function healthRoutes({ health }: Config): NativeRoute[] {
  if (!health.enabled) return [];
  return (["live", "ready"] as const).map((respond) => ({
    pattern: health[respond],
    methods: methodBits(["GET"]),
    handler: -1,
    respond,
    handlerTimeoutMs: 0,
    bodyLimit: -1,
  }));
}
