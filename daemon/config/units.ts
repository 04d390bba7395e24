// Sizes and durations as people write them.

const SIZES: Record<string, number> = {
  "": 1,
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

const DURATIONS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Bytes, rounded down; undefined if the text is no size. */
export function parseSize(text: string | number): number | undefined {
  return parseWith(SIZES, String(text));
}

/** Milliseconds, rounded down; undefined if the text is no duration. */
export function parseDuration(text: string): number | undefined {
  return parseWith(DURATIONS, text);
}

function parseWith(units: Record<string, number>, text: string): number | undefined {
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,9})?)([A-Za-z]*)$/.exec(text);
  const factor =
    match?.[2] === undefined || !Object.hasOwn(units, match[2]) ? undefined : units[match[2]];
  if (factor === undefined) return undefined;
  const value = Math.floor(Number(match?.[1]) * factor);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Writes bytes in the largest unit that is exact. */
export function formatSize(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"]) {
    const factor = SIZES[unit] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes} bytes`;
}

/** Writes milliseconds in the largest unit that is exact. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ["h", "m", "s"]) {
    const factor = DURATIONS[unit] ?? 1;
    if (milliseconds >= factor && milliseconds % factor === 0)
      return `${milliseconds / factor}${unit}`;
  }
  return `${milliseconds}ms`;
}
