// What a handler module exports, and how it is found out.
import { METHODS, type Method } from "./methods.js";
import type { KnownKinds } from "./parameters.js";
import type { Answer } from "./reply.js";
import type { RequestView } from "./request.js";

export type Handler<Pattern extends string = string> = (
  request: RequestView<Pattern>,
) => Answer | Promise<Answer>;

export type HandlersByMethod<Pattern extends string = string> = {
  [Name in Method]?: Handler<Pattern>;
};

/** What a factory is told beside its options. */
export interface FactoryContext {
  /** Folder of the configuration: what relative paths among the options are relative to. */
  directory: string;
}

/** `export const factory: Factory<Options> = async (options) => …`, called once for each worker. */
export type Factory<Options = unknown, Pattern extends string = string> = (
  options: Options,
  context: FactoryContext,
) =>
  | Handler<Pattern>
  | HandlersByMethod<Pattern>
  | Promise<Handler<Pattern> | HandlersByMethod<Pattern>>;

/** Types a handler by its path pattern: `handler<"/hello/{name}">((request) => request.params.name)`. */
export function handler<Pattern extends string>(
  callback: Handler<NoInfer<Pattern>> & KnownKinds<NoInfer<Pattern>>,
): Handler<Pattern> {
  return callback;
}

/** A module does not export what it has to: the message says all that there is to say. */
export class ExportError extends TypeError {
  override name = "ExportError";
}

/** Handlers of one module by Slot.method; undefined: 405. */
export type HandlerTable = readonly (Handler | undefined)[];

/** The methods that a table answers: bits, 1 << Slot.method. */
export function methodsOf(table: HandlerTable): number {
  return table.reduce((bits, callback, method) => bits | (callback ? 1 << method : 0), 0);
}

// Methods of an object may speak of it as `this`; functions of a module have none.
function tableOf(exported: unknown, isModule = false): HandlerTable | null {
  if (typeof exported === "function") return METHODS.map(() => exported as Handler);
  if (typeof exported !== "object" || exported === null) return null;
  const byMethod = exported as Record<string, unknown>;
  const table = METHODS.map((method) => {
    const callback = byMethod[method];
    if (typeof callback !== "function") return undefined;
    return (isModule ? callback : callback.bind(exported)) as Handler;
  });
  table[METHODS.indexOf("HEAD")] ??= table[METHODS.indexOf("GET")];
  return table.some((callback) => callback !== undefined) ? table : null;
}

/**
 * The handlers of a module, by the first of these that it exports: `factory`, a default function, functions named by
 * methods. Throws if there is none.
 */
export async function handlersOf(
  module: Readonly<Record<string, unknown>>,
  file: string,
  options: unknown,
  context: FactoryContext,
): Promise<HandlerTable> {
  if (typeof module["factory"] === "function") {
    const table = tableOf(await (module["factory"] as Factory)(options, context));
    if (table !== null) return table;
    throw new ExportError(
      `${file}: factory() has to return a function, or an object of functions named by methods`,
    );
  }
  const table = tableOf(module["default"]) ?? tableOf(module, true);
  if (table !== null) return table;
  const names = Object.keys(module);
  throw new ExportError(
    `${file} exports ${names.length === 0 ? "nothing" : names.join(", ")}: export a default function, ` +
      "functions named by methods (GET, POST, …), or a function `factory` that returns one of these",
  );
}
