// Seeded choices, and the loop of a fuzzer: the same seed makes the same input.

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
    this.below(1);
  }

  /** splitmix32. 0 if `bound` is. */
  below(bound: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return bound <= 1 ? 0 : ((z ^ (z >>> 15)) >>> 0) % bound;
  }

  chance(ofHundred: number): boolean {
    return this.below(100) < ofHundred;
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }
}

/** What one seed does; it throws where something is wrong. */
export type Fuzzer = (random: Random) => void;

/** Thrown with how to run the one seed again that has failed. */
export class FuzzFailure extends Error {
  constructor(name: string, seed: number, cause: unknown) {
    const what = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(`seed ${seed}: ${what}\nagain: PINION_SEED=${seed} ops/fuzz ${name}`, { cause });
  }
}

/** Runs `count` seeds from `first` on. */
export function runSeeds(name: string, fuzzer: Fuzzer, first: number, count: number): void {
  for (let seed = first; seed < first + count; seed++) {
    try {
      fuzzer(new Random(seed));
    } catch (error) {
      throw new FuzzFailure(name, seed, error);
    }
  }
}
