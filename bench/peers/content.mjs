// What the peers answer with.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const folder = process.env.BENCH_CONTENT ?? ".";

export const port = Number(process.env.PORT);
export const hello = "Hello, world!\n";
export const page = readFileSync(join(folder, "page.html"), "utf8");
export const download = readFileSync(join(folder, "download.bin"));

export const user = (id) => ({
  id: Number(id),
  name: "Ada Lovelace",
  roles: ["admin", "author"],
  active: true,
});

export function summarize({ customer, items }) {
  let total = 0;
  for (const { quantity, price } of items) total += quantity * price;
  return { customer, count: items.length, total };
}
