// Runs one attack for its time, in a process of its own. Message out: `result`.
import { ATTACKS } from "./attacks/index.js";
import type { Paths } from "./attacks/attack.js";
import { helperOptions, report } from "./child.js";
import { newTally } from "./crowd.js";
import { parseTarget } from "./loopback.js";
import { seededRandom } from "./random.js";

export interface AttackerOptions {
  url: string;
  attack: string;
  paths: Paths;
  connections: number;
  seconds: number;
  seed: number;
}

async function main(): Promise<void> {
  const options = helperOptions<AttackerOptions>();
  const target = parseTarget(options.url);
  const attack = ATTACKS.find((each) => each.name === options.attack);
  if (attack === undefined) throw new Error(`no attack is called ${options.attack}`);
  const stop = new AbortController();
  process.on("disconnect", () => stop.abort());
  const tally = newTally();
  await attack.run({
    target,
    paths: options.paths,
    connections: options.connections,
    until: performance.now() + options.seconds * 1000,
    signal: stop.signal,
    random: seededRandom(options.seed),
    tally,
  });
  report("result", tally);
  process.disconnect();
}

await main();
