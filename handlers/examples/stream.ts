// A generator's values are sent as they come; a client that reads slowly slows it down.
import { setTimeout as sleep } from "node:timers/promises";
import { handler, reply } from "pinion";

export const GET = handler<"/stream/{count:int}">(({ params, signal }) => {
  async function* lines() {
    for (let line = 1; line <= params.count; line++) {
      yield `line ${line} of ${params.count}\n`;
      await sleep(100, undefined, { signal });
    }
  }
  return reply(200, lines(), { "content-type": "text/plain; charset=utf-8" });
});
