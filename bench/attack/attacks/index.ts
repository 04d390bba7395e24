import * as address from "./address.js";
import type { Attack } from "./attack.js";
import * as floods from "./floods.js";
import * as slow from "./slow.js";

/** Nothing happens: what the good clients look like on this machine, at this hour. */
const control: Attack = {
  name: "control",
  what: "no attack",
  connections: 0,
  tried: () => undefined,
  judge: () => [],
  run: (context) => {
    const left = Math.max(0, context.until - performance.now());
    return new Promise((done) => setTimeout(done, left));
  },
};

export const ATTACKS: readonly Attack[] = [
  control,
  slow.slowHeads,
  slow.slowBodies,
  slow.slowReaders,
  floods.headerFlood,
  floods.chunkExtensionFlood,
  floods.hugeContentLength,
  floods.pipeliningFlood,
  floods.connectionFlood,
  floods.resetStorm,
  floods.massReset,
  slow.halfOpen,
  address.addressRate,
  address.addressConnections,
];
