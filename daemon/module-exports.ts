// Which methods a handler module exports functions for, told from its text: the shards know the methods of a route before
// any worker has loaded its module.
import { METHODS, type Method } from "../runtime/methods.js";

const DECLARED = /^[ \t]*export\s+(?:async\s+)?(?:function\s*\*?|const|let|var|class)\s+([\w$]+)/gm;
const LISTED = /^[ \t]*export\s*\{([^}]*)\}/gm;
// Exports whose names the text does not show.
const HIDDEN = /^[ \t]*export\s*(?:\*|(?:const|let|var)\s*[{[])/m;
const OTHER_WAYS = new Set(["default", "factory"]);

/** The methods that a module's named exports answer; undefined: it answers in another way, or one cannot tell. */
export function exportedMethods(code: string): readonly Method[] | undefined {
  if (HIDDEN.test(code) || /^[ \t]*export\s+default\b/m.test(code)) return undefined;
  const names = new Set([...code.matchAll(DECLARED)].map((match) => match[1] ?? ""));
  for (const [, list = ""] of code.matchAll(LISTED)) {
    for (const item of list.split(","))
      names.add(
        item
          .trim()
          .split(/\s+as\s+/)
          .at(-1) ?? "",
      );
  }
  const methods = METHODS.filter((method) => names.has(method));
  return methods.length === 0 || [...names].some((name) => OTHER_WAYS.has(name))
    ? undefined
    : methods;
}
