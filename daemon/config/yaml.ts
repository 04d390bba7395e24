// YAML text to a document, one lexeme at a time: what nests too deeply is left before anything recurses into it. The
// package's own recursion ends in a RangeError at best; V8 kills the process where it compiles a regular expression
// with too little stack left.
import { Composer, Lexer, Parser, YAMLParseError } from "yaml";
import type { Document } from "yaml";

export type ParsedYaml =
  | { document: Document.Parsed }
  /** Offset of the first list or map that is nested too deeply. */
  | { tooDeepAt: number };

/** The first document of `source`, with its errors. `deepest`: how many lists and maps may be nested. */
export function parseYaml(source: string, deepest: number): ParsedYaml {
  const parser = new Parser();
  // The package compares each key with all before it: duplicates are found elsewhere.
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, logLevel: "error" });
  const documents: Document.Parsed[] = [];
  for (const lexeme of new Lexer().lex(source)) {
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    const top = parser.stack.at(-1);
    if (top !== undefined && depthOf(parser, deepest) > deepest) return { tooDeepAt: top.offset };
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end(true, source.length));
  const [document, second] = documents as [Document.Parsed, ...Document.Parsed[]];
  if (second !== undefined) {
    const [start, end] = second.range;
    document.errors.push(new YAMLParseError([start, end], "MULTIPLE_DOCS", "multiple documents"));
  }
  return { document };
}

/** Lists and maps that are open; not counted where there cannot be more than `enough`. */
function depthOf({ stack }: Parser, enough: number): number {
  return stack.length <= enough ? 0 : stack.filter((token) => "items" in token).length;
}
