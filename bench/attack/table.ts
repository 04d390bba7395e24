/** Plain text, columns as wide as they need to be; cells that look like numbers stand on the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[], right: boolean): string =>
    widths
      .map((width, column) => {
        const cell = cells[column] ?? "";
        return right && /^[\d,.]/.test(cell) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [line(head, false), rule, ...rows.map((row) => line(row, true))].join("\n");
}

/** 12345.6 as `12,346`. */
export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Milliseconds in three digits or so. */
export function milliseconds(value: number | null): string {
  if (value === null || Number.isNaN(value)) return "-";
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Before, during and after, side by side. */
export function phases(values: readonly (number | null)[], format: (value: number) => string) {
  return values.map((value) => (value === null ? "-" : format(value))).join(" / ");
}
