import test from "ava";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.js";

const sizes: [text: string | number, bytes: number | undefined][] = [
  ["0", 0],
  [4096, 4096],
  ["4096B", 4096],
  ["1KiB", 1024],
  ["16KiB", 16384],
  ["1MiB", 1048576],
  ["1.5MiB", 1572864],
  ["1GiB", 1073741824],
  ["10MB", 10_000_000],
  ["1kB", 1000],
  ["1KB", 1000],
  ["0.0001KiB", 0],
  ["1mib", undefined],
  ["1 MiB", undefined],
  ["-1", undefined],
  ["+1", undefined],
  ["1e3", undefined],
  [".5KiB", undefined],
  ["1.KiB", undefined],
  ["", undefined],
  ["KiB", undefined],
  ["1toString", undefined],
  ["1__proto__", undefined],
  ["99999999999GiB", undefined],
  [Number.NaN, undefined],
  [Infinity, undefined],
  ["0x10", undefined],
];

for (const [text, bytes] of sizes) test(`size ${text}`, (t) => t.is(parseSize(text), bytes));

const durations: [text: string, milliseconds: number | undefined][] = [
  ["500ms", 500],
  ["10s", 10_000],
  ["1.5s", 1500],
  ["2m", 120_000],
  ["1h", 3_600_000],
  ["0s", 0],
  ["10", undefined],
  ["10 s", undefined],
  ["10S", undefined],
  ["1d", undefined],
  ["-1s", undefined],
  ["", undefined],
];

for (const [text, milliseconds] of durations)
  test(`duration ${text}`, (t) => t.is(parseDuration(text), milliseconds));

test("formats are read back as what they were", (t) => {
  for (const bytes of [1024, 65536, 1048576, 3 * 1024 ** 3])
    t.is(parseSize(formatSize(bytes)), bytes);
  for (const milliseconds of [1, 999, 1000, 90_000, 3_600_000])
    t.is(parseDuration(formatDuration(milliseconds)), milliseconds);
  t.is(formatSize(65535), "65535 bytes");
});
