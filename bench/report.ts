// The report: Markdown that can be pasted into a README, and JSON with every round.
import { GOALS, type Goal } from "./goals.js";
import type { Machine } from "./machine.js";
import { METRICS, type Metric, type Results } from "./metrics.js";
import { ratios, type Spread, spread } from "./statistics.js";
import { judge, type Verdict } from "./verdict.js";
import type { Load, Work } from "./works.js";

export interface Report {
  command: string;
  machine: Machine;
  rounds: number;
  seconds: number;
  versions: Record<string, string>;
  /** How to get what was not there, by server. */
  skipped: Record<string, string>;
  wrk2: string;
  works: readonly Work[];
  /** The floor of each server. */
  floors: Record<string, string>;
  results: Results;
}

export function verdicts({ works, results }: Report): Verdict[] {
  const names = works.map(({ name }) => name);
  return GOALS.filter(({ work }) => names.includes(work)).map((goal) => judge(goal, results));
}

export function toJson(report: Report): string {
  const { works, results, ...head } = report;
  const goals = verdicts(report).map(({ goal, measured, met }) => ({
    ...goal,
    measured: measured ?? null,
    met: met ?? null,
  }));
  const body = { ...head, works: works.map(({ name }) => name), cells: results.cells, goals };
  return `${JSON.stringify(body, null, 1)}\n`;
}

export function toMarkdown(report: Report): string {
  const tables = report.works.flatMap((work) => workSection(report, work));
  return [
    ...headSection(report),
    ...tables,
    ...againstSection(report),
    ...goalSection(verdicts(report)),
    ...failureSection(report.results),
    "",
  ].join("\n");
}

/** How much else ran: figures from a busy machine are worth less. */
function disturbance({ cells }: Results): string {
  const others = spread(cells.flatMap(({ rounds }) => rounds.map((round) => round.others ?? NaN)));
  if (others === undefined) return "";
  return `Other programs took ${others.median.toFixed(2)} cores meanwhile (up to ${others.most.toFixed(2)}). `;
}

function headSection(report: Report): string[] {
  const { command, machine, rounds, seconds, versions, skipped, wrk2, results } = report;
  const { processor, cores, memoryMiB, kernel, date, clientCore, serverCore, siblings } = machine;
  const shared = siblings ? ", hyper-threads of one core" : "";
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `\`${command}\``,
    "",
    `${date}; ${processor}, ${cores} cores, ${memoryMiB} MiB, Linux ${kernel}; server on core ${serverCore}, client on ` +
      `core ${clientCore}${shared}; ${rounds} rounds of ${seconds} s` +
      `${rounds < 5 ? " (fewer than five: a trial)" : ""}: median (least to most). ` +
      `${disturbance(results)}${wrk2}`,
    "",
    `${names.join(", ")}.`,
    "",
    ...Object.entries(skipped).map(
      ([name, how]) => `- ${name} is not installed; to get it: \`${how}\``,
    ),
    ...(Object.keys(skipped).length > 0 ? [""] : []),
  ];
}

function failureSection({ cells }: Results): string[] {
  const lines = cells.flatMap(({ work, load, server, failure }) =>
    failure === undefined ? [] : [`- ${work} ${load}, ${server}: ${failure.split("\n")[0] ?? ""}`],
  );
  return lines.length === 0 ? [] : ["", "### Failed", "", ...lines];
}

// --- one work ---

const COLUMNS: Record<Load["kind"], readonly Metric[]> = {
  closed: ["cpu", "rate", "client"],
  rate: ["p50", "p99", "p999", "cpu"],
  idle: ["connectionBytes"],
  resident: ["residentIdle", "residentLoaded"],
  blocked: ["p50", "blockedP50", "p99", "blockedP99", "share"],
};

/** Beside CPU/request, whose spread tells how quiet it was. */
const SPREADLESS: readonly Metric[] = ["rate", "client", "wrk2P50", "wrk2P99"];

function workSection(report: Report, work: Work): string[] {
  return [
    `### ${work.name}`,
    "",
    `${work.title}.`,
    "",
    ...work.loads.flatMap((load) => loadTable(report, work, load)),
  ];
}

function loadTable({ results, floors }: Report, work: Work, load: Load): string[] {
  const latencies: Metric[] = (load.wrk2Rate ?? 0) > 0 ? ["wrk2P50", "wrk2P99"] : [];
  const columns = [...COLUMNS[load.kind], ...latencies];
  const withFloor =
    load.kind === "closed" && work.servers.some((name) => name.startsWith("floor-"));
  const titles = columns.map((metric) => METRICS[metric].title);
  const head = [caption(load), ...titles, ...(withFloor ? ["over floor, us", "x floor"] : [])];
  const rows = work.servers.flatMap((server) => {
    const cell = results.find(work.name, load.name, server);
    if (cell === undefined) return [];
    if (cell.failure !== undefined) return [[server, "failed"]];
    const values = (name: string, metric: Metric) =>
      results.values(work.name, load.name, name, metric);
    const shown = columns.map((metric) => {
      const found = spread(values(server, metric));
      return SPREADLESS.includes(metric) ? showMedian(found) : show(found);
    });
    if (!withFloor) return [[server, ...shown]];
    const [cpu, floor] = [values(server, "cpu"), values(floors[server] ?? "", "cpu")];
    const pairs = cpu.map((value, round) => [value, floor[round] ?? NaN] as const);
    const excess = spread(pairs.map(([ours, theirs]) => ours - theirs));
    const times = spread(pairs.map(([ours, theirs]) => ours / theirs));
    return [[server, ...shown, excess?.median.toFixed(2) ?? "", times?.median.toFixed(2) ?? ""]];
  });
  return rows.length === 0 ? [] : [...table(head, rows), ""];
}

function caption({ kind, name, connections, depth, idle, rate }: Load): string {
  const parts: string[] = [];
  if (name !== String(connections) && kind === "closed") parts.push(name);
  if (connections > 0) parts.push(`${connections} connection${connections === 1 ? "" : "s"}`);
  if (depth !== undefined) parts.push(`${depth} deep`);
  if (idle !== undefined && kind === "idle") parts.push(`${idle} connections`);
  if (rate !== undefined) parts.push(`${rate}/s`);
  return parts.join(", ");
}

const showMedian = (values: Spread | undefined): string =>
  values === undefined ? "" : values.median.toFixed(values.median >= 100 ? 0 : 2);

/** Median (least to most), with as many digits as it deserves. */
export function show(values: Spread | undefined): string {
  if (values === undefined) return "";
  const digits = values.median >= 100 ? 0 : 2;
  const [median, least, most] = [values.median, values.least, values.most].map((value) =>
    value.toFixed(digits),
  );
  return least === most ? `${median}` : `${median} (${least} to ${most})`;
}

// --- the other checkout ---

/** This one over the other: CPU/request, or what the work is about where it counts none. */
function againstSection({ works, results }: Report): string[] {
  const rows = works.flatMap((work) =>
    work.loads.flatMap((load) =>
      (["uring", "epoll"] as const).flatMap((io) => {
        const metric = COLUMNS[load.kind][0] as Metric;
        const [ours, theirs] = [`pinion-${io}`, `other-${io}`].map((server) =>
          results.values(work.name, load.name, server, metric),
        ) as [number[], number[]];
        const found = spread(ratios(ours, theirs));
        const what = `pinion-${io} / other-${io}`;
        return found === undefined
          ? []
          : [[`${work.name} ${load.name}`, METRICS[metric].title, what, show(found)]];
      }),
    ),
  );
  if (rows.length === 0) return [];
  return [
    "### Against the other checkout",
    "",
    ...table(["work", "", "ratio", "measured"], rows),
    "",
  ];
}

// --- the goals ---

function goalSection(found: readonly Verdict[]): string[] {
  if (found.length === 0) return [];
  const rows = found.map(({ goal, measured, met }) => [
    `${goal.work} ${goal.ours.load}`,
    goal.text,
    limit(goal),
    show(measured),
    met === undefined ? "not measured" : met ? "met" : "**missed**",
  ]);
  const count = (wanted: boolean | undefined) => found.filter(({ met }) => met === wanted).length;
  return [
    "### Goals",
    "",
    ...table(["work", "ratio", "goal", "measured", ""], rows),
    "",
    `${count(true)} met, ${count(false)} missed, ${count(undefined)} not measured.`,
  ];
}

const limit = ({ limit: value, atLeast }: Goal): string =>
  `${atLeast === true ? "at least" : "at most"} ${Number.isInteger(value) && value >= 100 ? value : value.toFixed(2)}`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, at) => Math.max(3, ...all.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, at) => (row[at] ?? "").padEnd(width)).join(" | ")} |`;
  return [
    line(head),
    `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`,
    ...rows.map(line),
  ];
}
