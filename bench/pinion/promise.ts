import { handler } from "pinion";

export default handler<"/promise">(async () => {
  await Promise.resolve();
  return "Hello, world!\n";
});
