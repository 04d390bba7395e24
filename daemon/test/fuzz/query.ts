// Queries and percent escapes as handlers see them, against decoders of our own that are written from the standards, and
// against what the router lets through.
import { spawnSync } from "node:child_process";
import { strictEqual, deepStrictEqual } from "node:assert/strict";
import type { Exchange } from "../../../runtime/exchange.js";
import {
  PARAMETER_LENGTH,
  PARAMETER_OFFSET,
  ParameterKind,
  PARAMETER_KIND,
  SLOT_BYTES,
  SLOT_HEAD_LENGTH_WORD,
  SLOT_HEAD_OFFSET_WORD,
  SLOT_PARAMETERS,
  SLOT_PARAMETER_COUNT_HALF,
  SLOT_QUERY_LENGTH_HALF,
} from "../../../runtime/layout.generated.js";
import { Region } from "../../../runtime/region.js";
import { RequestView } from "../../../runtime/request.js";
import type { Random } from "./random.js";

/** A handler's view of a request whose head is `text`, which is its query, and its parameter `p`. */
function viewOf(text: string): RequestView {
  const region = new Region(new ArrayBuffer(SLOT_BYTES + 4096));
  region.bytes.write(text, SLOT_BYTES, "latin1");
  region.words[SLOT_HEAD_OFFSET_WORD] = SLOT_BYTES;
  region.words[SLOT_HEAD_LENGTH_WORD] = text.length;
  region.halves[SLOT_QUERY_LENGTH_HALF] = text.length;
  region.halves[SLOT_PARAMETER_COUNT_HALF] = 1;
  region.halves[(SLOT_PARAMETERS + PARAMETER_OFFSET) / 2] = 0;
  region.halves[(SLOT_PARAMETERS + PARAMETER_LENGTH) / 2] = text.length;
  region.words[(SLOT_PARAMETERS + PARAMETER_KIND) / 4] = ParameterKind.string;
  const exchange = { region, base: 0, view: null as RequestView | null };
  exchange.view = new RequestView(exchange as unknown as Exchange, {
    routes: [{ pattern: "/{p}", parameters: ["p"] }],
    remoteAddress: () => null,
  });
  return exchange.view;
}

const PIECES = [
  ..."abz09+&=;%/?#.-_~ \0\x7f",
  ..."%41,%2f,%2F,%26,%3d,%2b,%25,%00,%0d%0a,%20,%zz,%4,%%,%u0041".split(","),
  // UTF-8: whole, over-long, surrogates, beyond the last one, cut short, a byte order mark; raw and escaped.
  ..."%c3%bc,%C3,%e2%82%ac,%e2%82,%f0%9f%98%80,%c0%af,%ed%a0%80,%f4%90%80%80,%ef%bb%bf,%80,%ff,%fe".split(
    ",",
  ),
  ..."\xc3\xbc,\xe2\x82\xac,\xf0\x9f\x98\x80,\xc0\xaf,\xef\xbb\xbf,\xc3,\x82,\xff,\xc3%bc,%e2\x82%ac".split(
    ",",
  ),
  "__proto__=",
  "constructor=",
];

/** Bytes as latin1, as they stand in a head. */
function anyText(random: Random): string {
  let text = "";
  for (let left = random.below(12); left > 0; left--) {
    text += random.chance(10) ? String.fromCharCode(random.below(256)) : random.pick(PIECES);
  }
  return text;
}

const hexValue = (text: string): number => (/^[0-9a-f]{2}$/i.test(text) ? parseInt(text, 16) : -1);

/** Percent-decoding of URL §1.3; `strict`: undefined for an escape that is none. */
function decodedBytes(text: string, strict: boolean): Buffer | undefined {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const value = text[at] === "%" ? hexValue(text.slice(at + 1, at + 3)) : -1;
    if (text[at] === "%" && value === -1 && strict) return undefined;
    bytes.push(value === -1 ? text.charCodeAt(at) : value);
    if (value !== -1) at += 2;
  }
  return Buffer.from(bytes);
}

// URL §5.1, application/x-www-form-urlencoded parsing, of the bytes as they have come.
function queryPairs(raw: string): [string, string][] {
  const decode = (text: string): string =>
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(
      decodedBytes(text.replaceAll("+", " "), false),
    );
  return raw
    .split("&")
    .filter((part) => part !== "")
    .map((part): [string, string] => {
      const equals = part.indexOf("=");
      const name = equals === -1 ? part : part.slice(0, equals);
      return [decode(name), equals === -1 ? "" : decode(part.slice(equals + 1))];
    });
}

export function fuzzQuery(random: Random): void {
  const raw = anyText(random);
  // What is handed to URLSearchParams may begin with a question mark, which it drops.
  const expected = queryPairs(raw.startsWith("?") ? raw.slice(1) : raw);
  deepStrictEqual([...viewOf(raw).query], expected, JSON.stringify(raw));
}

/** What a path's text must be decoded to; undefined: the router refuses it. */
function pathText(raw: string): string | undefined {
  const bytes = decodedBytes(raw, true);
  if (bytes === undefined || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Paths, many at a time: what the router accepts is decoded to what it says, and nothing else is accepted. */
export function pathFuzzer(tool: string): (random: Random) => void {
  return (random) => {
    const texts = Array.from({ length: 500 }, () => anyText(random));
    const input = texts.flatMap((text) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.length);
      return [length, Buffer.from(text, "latin1")];
    });
    const { stdout, status } = spawnSync(tool, { input: Buffer.concat(input) });
    strictEqual(status, 0);
    strictEqual(stdout.length, texts.length);
    texts.forEach((text, index) => {
      const accepted = stdout[index] === 0x30;
      const expected = pathText(text);
      strictEqual(accepted, expected !== undefined, `the router about ${JSON.stringify(text)}`);
      if (accepted) strictEqual(viewOf(text).params["p"], expected, JSON.stringify(text));
    });
  };
}
