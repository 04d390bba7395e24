import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Factory, reply } from "pinion";

export const factory: Factory<unknown, "/download.bin"> = async () => {
  const bytes = await readFile(join(process.env["BENCH_CONTENT"] ?? ".", "download.bin"));
  return () => reply(200, bytes, { "content-type": "application/octet-stream" });
};
