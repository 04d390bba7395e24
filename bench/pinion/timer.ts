import { setTimeout as sleep } from "node:timers/promises";
import { handler } from "pinion";

export default handler<"/timer">(async () => {
  await sleep(5);
  return "Hello, world!\n";
});
