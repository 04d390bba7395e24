// How findings are printed.
import type { Finding } from "./examine.js";

const MARKS = { good: "ok  ", note: "note", bad: "BAD " } as const;

export function renderReport(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.map(({ state, name, value, advice }) => {
    const line = `${MARKS[state]}  ${name.padEnd(width)}  ${value}`;
    return advice === undefined ? line : `${line}\n${" ".repeat(width + 8)}→ ${advice}`;
  });
  const bad = findings.filter(({ state }) => state === "bad").length;
  const notes = findings.filter(({ state }) => state === "note").length;
  return `${lines.join("\n")}\n\n${bad} bad, ${notes} to note, ${findings.length - bad - notes} ok`;
}
