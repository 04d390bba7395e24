// Reads a request's body to its end.
import type { Request } from "pinion";

export default async (request: Request): Promise<{ bytes: number }> => {
  let bytes = 0;
  for await (const part of request) bytes += part.length;
  return { bytes };
};
