// What one round of one server under one load yields, and where it is kept.
import type { Count } from "./load.js";
import { percentile } from "./histogram.js";

export const METRICS = {
  /** Server CPU per request: microseconds. */
  cpu: { unit: "us", title: "CPU/request, us" },
  /** Requests per second. */
  rate: { unit: "/s", title: "requests/s" },
  /** The client's own CPU per request: microseconds. */
  client: { unit: "us", title: "client CPU, us" },
  /** What other programs took meanwhile: cores. */
  others: { unit: "", title: "others, cores" },
  p50: { unit: "us", title: "p50, us" },
  p99: { unit: "us", title: "p99, us" },
  p999: { unit: "us", title: "p99.9, us" },
  /** The same with JavaScript spinning. */
  blockedP50: { unit: "us", title: "p50 blocked, us" },
  blockedP99: { unit: "us", title: "p99 blocked, us" },
  /** CPU of the spinning thread over its time by the clock. */
  share: { unit: "", title: "JavaScript's share of the core" },
  /** User memory for each idle connection: bytes. */
  connectionBytes: { unit: "B", title: "bytes/connection" },
  /** Resident memory: MiB. */
  residentIdle: { unit: "MiB", title: "idle, MiB" },
  residentLoaded: { unit: "MiB", title: "after load, MiB" },
  /** From wrk2, at its own fixed rate: microseconds. */
  wrk2P50: { unit: "us", title: "wrk2 p50, us" },
  wrk2P99: { unit: "us", title: "wrk2 p99, us" },
} as const;

export type Metric = keyof typeof METRICS;

/** One round's values. */
export type Metrics = Partial<Record<Metric, number>>;

/** All rounds of one server under one load of one work. */
export interface Cell {
  work: string;
  load: string;
  server: string;
  rounds: Metrics[];
  /** Why it has none, or no more. */
  failure?: string;
}

/** `least`: with fewer answers than that the round says nothing: its window was too short, or the machine too busy. */
export function closedMetrics(count: Count, least = 1): Metrics {
  const { answers, seconds, serverCpuNs, clientCpuNs, machineCpuNs } = count;
  if (answers < least) return {};
  return {
    cpu: serverCpuNs / answers / 1000,
    rate: answers / seconds,
    client: clientCpuNs / answers / 1000,
    others: Math.max(0, machineCpuNs - serverCpuNs - clientCpuNs) / 1e9 / seconds,
  };
}

export function rateMetrics(count: Count): Metrics {
  const at = (fraction: number) => percentile(count.histogram, fraction) / 1000;
  return { ...closedMetrics(count), p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

/** Cells by work, load and server. */
export class Results {
  readonly cells: Cell[] = [];

  cell(work: string, load: string, server: string): Cell {
    const found = this.find(work, load, server);
    if (found !== undefined) return found;
    const cell: Cell = { work, load, server, rounds: [] };
    this.cells.push(cell);
    return cell;
  }

  find(work: string, load: string, server: string): Cell | undefined {
    return this.cells.find(
      (cell) => cell.work === work && cell.load === load && cell.server === server,
    );
  }

  /** A metric round by round; empty if it was not measured. */
  values(work: string, load: string, server: string, metric: Metric): number[] {
    const cell = this.find(work, load, server);
    if (cell === undefined || cell.failure !== undefined) return [];
    return cell.rounds.map((round) => round[metric] ?? NaN);
  }
}
