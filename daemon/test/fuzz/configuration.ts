// Configurations that are nearly right, or meant to hurt: each is either taken, or refused by problems with file, line
// and column. Never another error, never a prototype that has changed, never work without a bound.
import { ok } from "node:assert/strict";
import { parseConfig } from "../../config/load.js";
import { ConfigError } from "../../config/problem.js";
import type { Random } from "./random.js";

const FILE = "/etc/pinion/fuzzed.yaml";
/** Of a hundred problems and the line that counts the others: a message and the line it is about. */
const REPORT_MAX_CHARACTERS = 101 * 1500;
// An input of 64 KiB takes milliseconds; only what grows out of all proportion takes as long on any machine.
const TIME_MAX_MS = 20_000;

const WHOLE = `
listen:
  - 127.0.0.1:8080
  - { address: "unix:/run/pinion.sock", proxyProtocol: true }
shards: auto
io: auto
limits:
  connections: 1000
  body: 1MiB
  arena: 64MiB
  slots: 256
timeouts: { head: 10s, body: 30s, handler: 30s, drain: 20s }
routes:
  - path: /hello/{name}
    methods: [GET, HEAD]
    handler: ./hello.ts
  - path: /fixed
    respond: { status: 200, body: "fixed\\n", headers: { X-A: b } }
  - path: "/{id:int}/{rest:path}"
    handler: ./hello.ts#other
    timeout: 5s
`;

const WORDS = [
  ..."&a ,*a,*b,<<: ,!!js/function ,!!set ,!!binary ,!x ,| ,>- ,? ,: ,- ,--- ,...\n,%YAML 1.1\n,# ".split(
    ",",
  ),
  ..."{,},[,],\",',`,@,\t,\n,\r\n,\0,\ufeff,\u2028,\u202e,é,😀,\ud800".split(","),
  ..."null,~,true,yes,0x10,0o17,1e999,-1,.inf,.nan,1_000,99999999999999999999,2001-01-01,1MiB,10s,-5s,0s".split(
    ",",
  ),
  ..."__proto__: ,constructor: ,prototype: ,toString: ,__proto__: { polluted: 1 }\n,hasOwnProperty: x\n".split(
    ",",
  ),
  ..."listen: ,limits: ,routes: ,path: ,handler: ,respond: ,timeouts: ,status: ,body: ,shards: ".split(
    ",",
  ),
];

const repeated = (text: string, count: number): string => text.repeat(count);

/** Each makes a text that grows faster than it looks. */
const BOMBS: readonly ((random: Random) => string)[] = [
  (random) => {
    let text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
    for (let level = 1; level < 2 + random.below(30); level++)
      text += `a${level}: &a${level} [${Array(9)
        .fill(`*a${level - 1}`)
        .join(", ")}]\n`;
    return text + "listen: *a1\n";
  },
  (random) => "a: &a\n  b: &b {}\n" + repeated("  c: *a\n", random.below(3)) + "routes: *a\n",
  (random) => "routes: &r\n  - *r\n" + repeated("  - *r\n", random.below(200)),
  (random) => repeated("[", 1 + random.below(20_000)),
  (random) => repeated("{a: ", 1 + random.below(10_000)),
  (random) =>
    repeated(random.pick(["- ", "? ", ": ", "- ? "]), 1 + random.below(10_000)) +
    random.pick(["x\n", "x\ny\n", "x\ny: 1\n"]),
  (random) => Array.from({ length: random.below(300) }, (_, n) => `${" ".repeat(n)}a:\n`).join(""),
  (random) => `listen: "${repeated("x", random.below(60_000))}"\n`,
  (random) => `routes:\n${repeated("  - path: /a\n    handler: ./a.ts\n", random.below(500))}`,
  (random) => Array.from({ length: random.below(8000) }, (_, n) => `k${n}: ${n}\n`).join(""),
  (random) => repeated("listen: 1\n", random.below(6000)),
  (random) => `limits:\n  body: ${repeated("9", random.below(5000))}MiB\n`,
  (random) => `listen: |\n${repeated("  line\n", random.below(8000))}`,
  (random) => repeated("? ", random.below(5000)) + "x",
  (random) => repeated("&a ", random.below(3000)) + repeated("!t ", random.below(3000)) + "x",
  (random) => `routes: [${repeated("{path: /a, respond: {status: 200}}, ", random.below(1500))}]\n`,
];

function mutated(text: string, random: Random): string {
  for (let left = 1 + random.below(6); left > 0; left--) {
    const at = random.below(text.length + 1);
    const length = random.below(random.chance(20) ? 200 : 12);
    const other = random.below(text.length + 1);
    switch (random.below(7)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + length);
        break;
      case 1:
        text = text.slice(0, at) + text.slice(other, other + length) + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + String.fromCharCode(random.below(256)) + text.slice(at + 1);
        break;
      case 3: {
        // A line again, or elsewhere, or less or more indented.
        const lines = text.split("\n");
        const line = lines[random.below(lines.length)] as string;
        const indented = random.chance(50) ? line : " ".repeat(random.below(8)) + line.trimStart();
        lines.splice(random.below(lines.length + 1), random.below(2), indented);
        text = lines.join("\n");
        break;
      }
      default:
        text =
          text.slice(0, at) +
          random.pick(WORDS) +
          text.slice(at + (random.chance(50) ? length : 0));
    }
  }
  return text;
}

// Stands for the native router, which judges patterns byte by byte.
function checkPattern(pattern: string): { column: number; message: string } | null {
  if (!pattern.startsWith("/")) return { column: 0, message: "a pattern begins with /" };
  const column = Buffer.from(pattern).indexOf("!");
  return column === -1 ? null : { column, message: "no ! here" };
}

export function fuzzConfiguration(random: Random): void {
  const bomb = random.chance(15);
  let source = bomb ? random.pick(BOMBS)(random) : WHOLE;
  if (!bomb || random.chance(50)) source = mutated(source, random);
  if (bomb && random.chance(30)) source = WHOLE + source;
  const began = performance.now();
  try {
    const { config } = parseConfig(source, FILE, checkPattern);
    ok(config.listen.length > 0 && Object.getPrototypeOf(config) === Object.prototype);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    checkProblems(error, source);
  }
  const took = performance.now() - began;
  ok(took < TIME_MAX_MS, `${source.length} characters took ${Math.round(took)} ms`);
  ok(!("polluted" in {}), "a prototype was changed");
}

function checkProblems(error: ConfigError, source: string): void {
  ok(error.problems.length > 0);
  ok(
    error.message.length <= REPORT_MAX_CHARACTERS,
    `a report of ${error.message.length} characters`,
  );
  for (const { code, message, offset } of error.problems) {
    ok(/^config\/[a-z-]+$/.test(code), code);
    ok(message.length > 0);
    ok(offset !== undefined && offset >= 0 && offset <= source.length, `${code} at ${offset}`);
  }
  for (const line of error.message.split("\n")) {
    // The line that is shown is indented; what it shows must not steer the terminal.
    // eslint-disable-next-line no-control-regex
    ok(!/[\0-\x08\x0b-\x1f\x7f\u202e]/.test(line), JSON.stringify(line));
    if (!line.startsWith("    ") && !line.endsWith(" [config/more-problems]"))
      ok(/^\/etc\/pinion\/fuzzed\.yaml:\d+:\d+: .* \[config\/[a-z-]+\]$/.test(line), line);
  }
}
