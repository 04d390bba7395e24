// The bytes that the floor answers with: Pinion's own answers, taken at the start of a run.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { learnAnswer } from "./exchange.js";
import { freePort, startServer } from "./processes.js";
import { HANDLED, ROUTES, type RouteName } from "./routes.js";
import type { Server } from "./servers.js";

export interface Floors {
  /** The file with the answer to a route. */
  file(route: RouteName): string;
}

export async function takeAnswers(
  pinion: Server,
  folder: string,
  content: string,
  core: number,
): Promise<Floors> {
  const port = await freePort();
  const file = (route: RouteName) => join(folder, `floor-${route}.bytes`);
  const floor = { requestBytes: 0, answerFile: "" };
  const command = pinion.command({ port, folder, content, floor });
  const running = await startServer(command, port, core);
  try {
    for (const route of HANDLED) {
      writeFileSync(file(route), (await learnAnswer(port, ROUTES[route])).raw);
    }
  } finally {
    await running.stop();
  }
  return { file };
}
