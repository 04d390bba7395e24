import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Factory, reply } from "pinion";

export const factory: Factory<unknown, "/page.html"> = async () => {
  const page = await readFile(join(process.env["BENCH_CONTENT"] ?? ".", "page.html"), "utf8");
  return () => reply(200, page, { "content-type": "text/html; charset=utf-8" });
};
