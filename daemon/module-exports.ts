// What a handler module can answer, told from the names that it exports: the shards know the methods of a route before any
// worker has loaded its module.
import { METHODS, type Method } from "../runtime/methods.js";

/** The methods that a module's named exports answer; undefined: it answers in another way, or one cannot tell. */
export function exportedMethods(names: readonly string[] | null): readonly Method[] | undefined {
  if (names === null || names.includes("default") || names.includes("factory")) return undefined;
  const methods = METHODS.filter((method) => names.includes(method));
  return methods.length === 0 ? undefined : methods;
}

/** True if nothing that the module exports can be a handler. */
export function exportsNoHandler(names: readonly string[] | null): boolean {
  if (names === null || names.includes("default") || names.includes("factory")) return false;
  return exportedMethods(names) === undefined;
}
