// Overload: a multiple of the capacity, offered in an open loop. What is judged is how the server turns it away.
import { startHelper } from "./child.js";
import { urlOf } from "./loopback.js";
import type { OverloadOptions, OverloadResult } from "./overload-client.js";
import type { ServerKind } from "./server.js";
import { grouped, milliseconds } from "./table.js";
import { Watch, type TrialOptions, type TrialResult } from "./trial.js";
import { judgeGoodClients, percent, verdictOf } from "./verdict.js";

export const OVERLOAD = "overload";
export const OVERLOAD_WHAT = "offer three times the capacity of a handler that costs a millisecond";
const FACTOR = 3;
const CONNECTIONS = 4000;
/** Requests a second of the good clients on each route: they must not be the load. */
const GOOD_RATE = 100;

const LEAST_GOODPUT = 0.9;
const COLLAPSED_GOODPUT = 0.5;
/** What `bounded` means, milliseconds: a tenth more than the `admission.interval` of the daemon's defaults. */
export const ACCEPTED_P99_MS = 550;
/** What `at once` means, milliseconds, at p99. */
export const REFUSED_P99_MS = 100;
const RECOVERY_MS = 1000;

export interface OverloadTrial extends TrialResult {
  overload: OverloadResult | undefined;
}

export async function runOverload(
  kind: ServerKind,
  options: TrialOptions,
): Promise<OverloadTrial | undefined> {
  const connections = options.connections ?? CONNECTIONS;
  // Who closes is gone: else a half-closed client is owed its answer.
  const settings = { http: { halfOpen: false } };
  const server = await kind.start({
    cpus: options.serverCpus,
    connections: connections + 1000,
    settings,
  });
  const { work } = server.paths;
  if (work === undefined) {
    await server.stop();
    return undefined; // nothing here that costs time
  }
  const most = options.seconds + 50;
  const watch = new Watch(server, { ...options, rate: GOOD_RATE }, most);
  try {
    await watch.before();
    watch.phase("capacity");
    const load = startHelper(
      "./overload-client.js",
      {
        url: urlOf(server.target),
        work,
        factor: FACTOR,
        connections,
        seconds: options.seconds,
        seed: options.seed,
      } satisfies OverloadOptions,
      options.clientCpus,
      most,
      { last: !options.coarse },
    );
    await load.message("during");
    watch.phase("during");
    await load.message("after");
    watch.phase("settling load");
    const overload = await load.message<OverloadResult>("result");
    await load.exited;
    const { good, memory, failures } = await watch.after();
    // The handlers of good clients compete with the load: only what needs no JavaScript must not notice.
    const native = { phases: onlyNative(good.phases) };
    return {
      server: kind.name,
      attack: OVERLOAD,
      tried: overload === undefined ? OVERLOAD_WHAT : describe(overload),
      tries: 1,
      good,
      memory,
      overload,
      verdict: verdictOf([
        ...failures,
        ...(overload === undefined
          ? ["the load ended early"]
          : judgeOverload(overload, { halfOpen: !kind.takesSettings, coarse: options.coarse })),
        ...judgeGoodClients(native, options.coarse),
      ]),
    };
  } finally {
    watch.abort();
    await server.stop();
  }
}

function onlyNative(phases: TrialResult["good"]["phases"]): TrialResult["good"]["phases"] {
  return Object.fromEntries(
    Object.entries(phases).map(([phase, { native }]) => [
      phase,
      native === undefined ? {} : { native },
    ]),
  );
}

const fails = (failed: boolean, text: string): string | undefined => (failed ? text : undefined);

/** `halfOpen`: the server may owe an answer to who has closed. `coarse`: times are not judged. */
export function judgeOverload(
  result: OverloadResult,
  { halfOpen, coarse }: { halfOpen: boolean; coarse: boolean },
): (string | undefined)[] {
  const { during, capacity, reached, overs } = result;
  const share = during.goodput / capacity;
  const always = [
    fails(
      share < (coarse ? COLLAPSED_GOODPUT : LEAST_GOODPUT),
      `goodput ${percent(share)} of the peak`,
    ),
    fails(during.bare > 0, `${during.bare} 503s without Retry-After`),
  ];
  if (coarse) return always;
  const others = Object.entries(during.others).map(([key, count]) => `${count} ${key}`);
  return [
    ...always,
    fails(
      !((during.accepted.p99 ?? Infinity) <= ACCEPTED_P99_MS),
      `accepted p99 ${milliseconds(during.accepted.p99)} ms, ${ACCEPTED_P99_MS} allowed`,
    ),
    fails(
      (during.refused.p99 ?? 0) > REFUSED_P99_MS,
      `503 at p99 ${milliseconds(during.refused.p99)} ms, ${REFUSED_P99_MS} allowed`,
    ),
    fails(others.length > 0, `neither 200 nor 503: ${others.join(", ")} of ${during.offered}`),
    fails(
      reached.over > 0,
      `${reached.over} of ${overs.over} refused or expired reached JavaScript`,
    ),
    fails(reached.reset > 0, `${reached.reset} of ${overs.reset} reset reached JavaScript`),
    fails(
      !halfOpen && reached.closed > 0,
      `${reached.closed} of ${overs.closed} closed reached JavaScript`,
    ),
    fails(
      result.recoveryMs === null || result.recoveryMs > RECOVERY_MS,
      `normal after ${result.recoveryMs ?? "more than 3000"} ms`,
    ),
  ];
}

function describe(result: OverloadResult): string {
  const { during, capacity, reached, overs } = result;
  const rate = during.offered / during.seconds;
  return (
    `${grouped(rate)}/s offered, ${(rate / capacity).toFixed(1)} times the capacity of ` +
    `${grouped(capacity)}/s: goodput ${grouped(during.goodput)}/s, ` +
    `${grouped(during.refused.count)} 503s at p50 ${milliseconds(during.refused.p50)}, ` +
    `p99 ${milliseconds(during.refused.p99)} ms; given up by reset ${overs.reset}, ` +
    `${reached.reset} reached JavaScript, by close ${overs.closed}, ${reached.closed} did; ` +
    `normal after ${result.recoveryMs ?? ">3000"} ms`
  );
}
