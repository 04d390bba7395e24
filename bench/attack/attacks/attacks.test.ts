// Each attack's own judgement: what it lets pass, and that each thing it asks fails by itself.
import test from "ava";
import { newKind, newTally, type Kind, type Tally } from "../crowd.js";
import type { Held, Scale } from "./attack.js";
import { ATTACKS } from "./index.js";

const SECONDS = 4;
const RATE = 100;

function attackOf(name: string, coarse = false) {
  const attack = ATTACKS.find((each) => each.name === name);
  if (attack === undefined) throw new Error(`no attack is called ${name}`);
  const scale: Scale = { seconds: SECONDS, rate: RATE, coarse, connections: attack.connections };
  const all = attack.connections;
  const crowd: Tally = { ...newTally(), opened: all, peak: all };
  return {
    all,
    tried: (tally: Partial<Tally>) => attack.tried({ ...crowd, ...tally }, scale),
    judged: (tally: Partial<Tally>, held: Held = { most: 0 }) =>
      attack.judge({ ...crowd, ...tally }, scale, held).filter((each) => each !== undefined),
  };
}

const kindOf = (kind: Partial<Kind>): Kind => ({ ...newKind(), ...kind });

/** `other` in the place of the kind with this index. */
const but = (kinds: Kind[], index: number, other: Partial<Kind>): Kind[] =>
  kinds.map((kind, i) => (i === index ? { ...kind, ...other } : kind));

for (const { name, connections } of ATTACKS) {
  if (connections === 0) continue;
  test(`${name}: nobody has come`, (t) => {
    t.regex(attackOf(name).tried({ ...newTally(), statuses: {} }) ?? "", /^(the attack|no more)/);
  });
}

for (const name of ["slow-heads", "slow-bodies", "slow-readers", "half-open"]) {
  test(`${name}: all are there at once`, (t) => {
    const { tried, all } = attackOf(name);
    t.is(tried({ peak: all * 0.9 }), undefined);
    t.regex(tried({ peak: all * 0.9 - 1 }) ?? "", /never held more than/);
  });
}

const FLOODS = ["header-flood", "chunk-extension-flood", "huge-content-length"];
for (const name of [...FLOODS, "address-rate"]) {
  test(`${name}: each has its turn`, (t) => {
    const { tried, all } = attackOf(name);
    t.is(tried({ opened: all * 0.9, peak: 1 }), undefined);
    t.regex(tried({ opened: all * 0.9 - 1 }) ?? "", /opened no more than/);
  });
}

for (const name of ["reset-storm", "mass-reset"]) {
  test(`${name}: as many are reset as there are`, (t) => {
    const { tried, all } = attackOf(name);
    t.is(tried({ reset: all }), undefined);
    t.regex(tried({ reset: all - 1 }) ?? "", /reset no more than/);
  });
}

for (const [name, most] of Object.entries({ "slow-heads": Infinity, "slow-bodies": 512 })) {
  test(`${name}: half of them get 408`, (t) => {
    const { judged, all } = attackOf(name);
    const half = Math.min(all, most) / 2;
    t.deepEqual(judged({ statuses: { "408": half } }), []);
    t.is(judged({ statuses: { "408": half - 1 } }).length, 1);
    const coarse = attackOf(name, true);
    t.deepEqual(coarse.judged({ statuses: { "408": half / 10 } }), []);
    t.is(coarse.judged({ statuses: { "408": Math.floor(half / 10) - 1 } }).length, 1);
  });
}

test("slow-readers: those that take too little of much are ended, whatever becomes of the others", (t) => {
  const others = kindOf({ opened: 5000 });
  const judgedAs = (coarse: boolean, overdue: number, kept: number): string[] =>
    attackOf("slow-readers", coarse).judged({ kinds: [kindOf({ overdue, kept }), others] });
  t.deepEqual(judgedAs(false, 1000, 100), []);
  t.deepEqual(judgedAs(false, 1000, 101), [
    "of 1,000 that took too little of 4 MiB 101 were not ended",
  ]);
  t.deepEqual(judgedAs(false, 99, 0), ["only 99 answers began in time to be ended"]);
  t.deepEqual(judgedAs(true, 2, 1), []);
  t.is(judgedAs(true, 0, 0).length, 1);
  t.is(judgedAs(true, 100, 51).length, 1);
});

const REFUSED: Record<string, string[]> = {
  "header-flood": ["431"],
  "chunk-extension-flood": ["400", "413"],
  "huge-content-length": ["413"],
};
for (const [name, expected] of Object.entries(REFUSED)) {
  test(`${name}: each of three kinds is refused`, (t) => {
    const { judged } = attackOf(name);
    for (const status of expected) {
      const good = kindOf({ opened: 1100, closed: 1000, statuses: { [status]: 500, "503": 1 } });
      const kinds = [good, good, good];
      t.deepEqual(judged({ kinds }), []);
      for (const index of kinds.keys()) {
        const failures = (kind: Partial<Kind>): number =>
          judged({ kinds: but(kinds, index, kind) }).length;
        t.is(failures({ statuses: { [status]: 499 } }), 1, "too few");
        t.is(failures({ statuses: {} }), 1, "ended without a word");
        t.is(failures({ closed: 0, statuses: {} }), 1, "neither answered nor ended");
        t.is(failures({ statuses: { [status]: 1000, "200": 1 } }), 1, "served");
      }
    }
  });
}

test("huge-content-length: what is allowed is not refused", (t) => {
  const { judged } = attackOf("huge-content-length");
  const good = kindOf({ opened: 1000, closed: 1000, statuses: { "413": 1000 } });
  const kinds = [good, good, good, kindOf({ opened: 500 })];
  t.deepEqual(judged({ kinds }), []);
  t.deepEqual(judged({ kinds: but(kinds, 3, { statuses: { "413": 2 } }) }), [
    "1048576 bytes: got 2 413",
  ]);
});

test("pipelining-flood: it floods, and nobody's requests are all taken", (t) => {
  const { tried, judged } = attackOf("pipelining-flood");
  t.is(tried({ sent: 100 * 65536 }), undefined);
  t.regex(tried({ sent: 100 * 65536 - 1 }) ?? "", /bytes were sent/);
  t.regex(tried({ sent: 100 * 65536, peak: 89 }) ?? "", /never held/);
  t.deepEqual(judged({ kinds: [kindOf({ opened: 100 })] }), []);
  t.is(judged({ kinds: [kindOf({ opened: 100, swallowed: 1 })] }).length, 1);
});

test("connection-flood: the server's limit is reached, and is one", (t) => {
  const { tried, judged } = attackOf("connection-flood");
  t.is(tried({ peak: 4001 }), undefined);
  t.regex(tried({ peak: 4000 }) ?? "", /not beyond the limit/);
  t.deepEqual(judged({ statuses: { "200": 2000 } }, { most: 4020 }), []);
  t.deepEqual(judged({}, { most: 4021 }), ["4,021 held, 4,020 allowed"]);
  t.deepEqual(judged({}, { most: 3617 }), ["no more than 3,617 held, 4,020 allowed"]);
  t.deepEqual(judged({ statuses: { "400": 1 } }, { most: 4020 }), ["a connection: got 1 400"]);
});

test("reset-storm: some are answered before, and nothing but what they ask for", (t) => {
  const { judged } = attackOf("reset-storm");
  t.deepEqual(judged({ statuses: { "200": 1 } }), []);
  t.is(judged({}).length, 1);
  t.is(judged({ statuses: { "200": 1, "400": 1 } }).length, 1);
});

test("mass-reset: nobody has asked, nobody is answered", (t) => {
  const { judged } = attackOf("mass-reset");
  t.deepEqual(judged({}), []);
  t.deepEqual(judged({ statuses: { "200": 3 } }), ["half a head: got 3 200"]);
});

test("half-open: who has asked is answered, who has not is not", (t) => {
  const { judged } = attackOf("half-open");
  const half = kindOf({ opened: 1250, statuses: { "400": 600 } });
  const kinds = [half, half, kindOf({ opened: 1250, statuses: { "200": 1125 } })];
  t.deepEqual(judged({ kinds }), []);
  t.is(judged({ kinds: but(kinds, 0, { statuses: { "200": 1 } }) }).length, 1);
  t.is(judged({ kinds: but(kinds, 1, { statuses: { "200": 1 } }) }).length, 1);
  t.is(judged({ kinds: but(kinds, 2, { statuses: { "200": 1124 } }) }).length, 1);
  t.is(judged({ kinds: but(kinds, 2, { statuses: { "200": 1250, "400": 1 } }) }).length, 1);
});

test("address-rate: some get 429, and no more are taken than the rate allows", (t) => {
  const { judged } = attackOf("address-rate");
  t.deepEqual(judged({ statuses: { "200": 600, "429": 1 } }), []);
  t.is(judged({ statuses: { "200": 600 } }).length, 1);
  t.is(judged({ statuses: { "200": 400, "400": 201, "429": 1 } }).length, 1);
});

test("address-connections: no more are served than the share, the others are closed", (t) => {
  const { tried, judged } = attackOf("address-connections");
  t.is(tried({ opened: 50, failed: 450 }), undefined);
  t.regex(tried({ opened: 50, failed: 449 }) ?? "", /tried 499 connections, of which 50 came/);
  t.regex(tried({ opened: 49, failed: 5000 }) ?? "", /of which 49 came about/);
  const good: Partial<Tally> = { opened: 2000, closed: 1850, statuses: { "200": 50 } };
  t.deepEqual(judged(good), []);
  t.is(judged({ ...good, statuses: { "200": 49 } }).length, 1);
  t.is(judged({ ...good, statuses: { "200": 51 } }).length, 1);
  t.is(judged({ ...good, closed: 1849 }).length, 1);
});
