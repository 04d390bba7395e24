// From the configuration's routes to what the shards and the workers get.
import type { NativeRoute } from "../runtime/addon.js";
import type { HandlerSource } from "../runtime/messages.js";
import { METHODS, type Method } from "../runtime/methods.js";
import { healthClaims } from "./config/checks.js";
import { findClashes } from "./config/patterns.js";
import { byPosition, ConfigError, type Problem } from "./config/problem.js";
import type { LoadedConfig } from "./config/load.js";
import { didYouMean } from "./config/suggest.js";
import { exportedMethods, exportsNoHandler } from "./module-exports.js";
import type { HandlerModules } from "./modules.js";
import type { Config, RespondConfig, RouteConfig } from "./config/types.js";

export interface RoutePlan {
  native: NativeRoute[];
  handlers: HandlerSource[];
}

// Without `methods`, a default function is asked for every method but the two that no handler expects.
const ANY_METHOD = METHODS.filter((method) => method !== "CONNECT" && method !== "TRACE");

type Modules = HandlerModules["byName"];

/** Throws a ConfigError where routes clash, or ask of a module what it does not export. */
export function planRoutes(loaded: LoadedConfig, modules: Modules): RoutePlan {
  const { config, document } = loaded;
  const handlers: HandlerSource[] = [];
  const indexOf = handlerIndex(handlers, modules);
  const native = config.routes.map((route): NativeRoute => {
    const handler = route.handler === undefined ? -1 : indexOf(route.handler, route.options);
    return {
      pattern: route.path,
      methods: methodBits(methodsOf(route, modules)),
      handler,
      handlerTimeoutMs: route.timeout ?? 0,
      bodyLimit: route.body ?? -1,
      ...(route.respond === undefined ? {} : { respond: fixedAnswer(route.respond) }),
    };
  });
  const unfit = config.routes.flatMap((route, index) =>
    checkExports(route, index, loaded, modules),
  );
  const clashes = findClashes([
    ...healthClaims(config.health, document),
    ...config.routes.map((route, index) => ({
      pattern: route.path,
      methods: methodsOf(route, modules),
      name: `routes[${index}]`,
      offset: document.valueOffset(["routes", index, "path"]),
    })),
  ]);
  const problems = [...unfit, ...clashes].sort(byPosition);
  if (problems.length > 0) throw new ConfigError(problems, loaded.name, loaded.source);
  return { native: [...native, ...healthRoutes(config)], handlers };
}

// What can be told before the module runs; the worker looks at the rest.
function checkExports(
  route: RouteConfig,
  index: number,
  { document }: LoadedConfig,
  modules: Modules,
): Problem[] {
  const exports = modules.get(route.handler ?? "")?.exports ?? null;
  const { handler = "", methods = [] } = route;
  if (exports === null) return [];
  const path = ["routes", index];
  if (exportsNoHandler(exports)) {
    return [
      {
        code: "handler/exports",
        message: `${handler} exports ${listed(exports)}${didYouMeanExport(exports)}: export a default function, functions named by methods (GET, POST, …), or a function \`factory\` that returns one of these`,
        offset: document.valueOffset([...path, "handler"]),
      },
    ];
  }
  const problems: Problem[] = [];
  const answered = exportedMethods(exports);
  for (const [at, method] of methods.entries()) {
    if (answered === undefined || answered.includes(method)) continue;
    if (method === "HEAD" && answered.includes("GET")) continue;
    const message = `${handler} exports no ${method}, only ${answered.join(", ")}; add it there, or remove it here`;
    const offset = document.valueOffset([...path, "methods", at]);
    problems.push({ code: "handler/method", message, offset });
  }
  if (route.options !== undefined && !exports.includes("factory")) {
    problems.push({
      code: "handler/options",
      message: `${handler} exports no factory, which is what options are handed to; export one, or remove options`,
      offset: document.keyOffset([...path, "options"]),
    });
  }
  return problems;
}

function listed(exports: readonly string[]): string {
  return exports.length === 0 ? "nothing" : exports.join(", ");
}

function didYouMeanExport(exports: readonly string[]): string {
  const found = exports
    .map((name) => didYouMean(name, [...METHODS, "factory"]))
    .filter((hint) => hint !== "");
  return found[0] ?? "";
}

/** Methods of a route: as configured, else what its answer can do. */
export function methodsOf(route: RouteConfig, modules: Modules): readonly Method[] {
  if (route.methods !== undefined) return route.methods;
  if (route.handler === undefined) return ["GET"];
  return exportedMethods(modules.get(route.handler)?.exports ?? null) ?? ANY_METHOD;
}

/** For people: GET answers HEAD too, and what a factory returns is known only when it has run. */
export function describeMethods(route: RouteConfig, modules: Modules): string {
  const exports = modules.get(route.handler ?? "")?.exports ?? [];
  if (route.methods === undefined && exports.includes("factory")) return "(from its factory)";
  const methods = methodsOf(route, modules);
  return METHODS.filter(
    (method) => methods.includes(method) || (method === "HEAD" && methods.includes("GET")),
  ).join(" ");
}

function methodBits(methods: readonly Method[]): number {
  return methods.reduce((bits, method) => bits | (1 << METHODS.indexOf(method)), 0);
}

// Routes that name the same module with the same options share one handler: its factory is called once.
// Appends to `handlers` what is not there yet.
function handlerIndex(
  handlers: HandlerSource[],
  modules: Modules,
): (name: string, options: unknown) => number {
  const known = new Map<string, number>();
  return (name, options) => {
    const key = `${name}\0${JSON.stringify(options)}`;
    const index = known.get(key) ?? handlers.length;
    if (index === handlers.length) {
      handlers.push({ name, url: modules.get(name)?.url ?? "", options });
      known.set(key, index);
    }
    return index;
  };
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
