// The table, and below it what was tried and what failed.
import type { RoutePhase } from "./good-client.js";
import { tcpPressureBytes } from "./memory.js";
import { OVERLOAD, type OverloadTrial } from "./overload.js";
import { formatTable, grouped, milliseconds, phases } from "./table.js";
import type { TrialResult } from "./trial.js";
import { mebibytes } from "./verdict.js";

const PHASES = ["before", "during", "after"];
const HEAD = [
  "server",
  "attack",
  "good 200s/s: before / during / after",
  "p99 native, ms",
  "p99 JavaScript, ms",
  "MiB: before, peak (most)",
  "arena, MiB",
  "verdict",
];

export function rowsOf(result: TrialResult | OverloadTrial): string[] {
  const { server, attack, good, memory, verdict } = result;
  const route = (name: string): (RoutePhase | undefined)[] =>
    PHASES.map((phase) => good.phases[phase]?.[name]);
  const native = route("native");
  const javascript = route("javascript");
  const overload = "overload" in result ? result.overload : undefined;
  const rates =
    overload === undefined
      ? native.map((each, i) => (each?.rate ?? 0) + (javascript[i]?.rate ?? 0))
      : [overload.half, overload.during, overload.after].map((each) => each.goodput);
  const p99s =
    overload === undefined
      ? javascript.map((each) => each?.p99 ?? null)
      : [overload.half, overload.during, overload.after].map((each) => each.accepted.p99);
  const most = mebibytes(memory.beforeBytes + memory.allowedBytes);
  return [
    server,
    attack,
    phases(rates, grouped),
    phases(
      native.map((each) => each?.p99 ?? null),
      milliseconds,
    ),
    phases(p99s, milliseconds),
    `${mebibytes(memory.beforeBytes)}, ${mebibytes(memory.peakBytes)} (${most})`,
    memory.arena === undefined
      ? "-"
      : `${mebibytes(memory.arena.peakBytes)} of ${mebibytes(memory.arena.totalBytes)}`,
    verdict.pass ? "pass" : "FAIL",
  ];
}

export function reportText(results: readonly (TrialResult | OverloadTrial)[]): string {
  const tried = results.map((result) => {
    const lines = [`${result.server}, ${result.attack}: ${result.tried}`];
    const tcp = result.memory.kernelTcpBytes;
    if (tcp > 64 * 1024 * 1024) {
      const pressed =
        tcp >= tcpPressureBytes() ? ", so that all sockets of the machine suffer" : "";
      lines.push(`  kernel: ${mebibytes(tcp)} MiB in TCP sockets of both sides${pressed}`);
    }
    if (result.tries > 1) lines.push(`  ${result.tries} tries`);
    for (const failure of result.verdict.failures) lines.push(`  FAIL ${failure}`);
    return lines.join("\n");
  });
  const note = results.some((each) => each.attack === OVERLOAD)
    ? "\n\noverload: rate and p99 JavaScript are the load's own: at half the capacity, during, at half again."
    : "";
  return `${formatTable(HEAD, results.map(rowsOf))}${note}\n\nTried:\n${tried.join("\n")}`;
}
