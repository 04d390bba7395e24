// Reads the body as it comes, and counts it.
import { handler } from "pinion";

export default handler<"/upload">(async (request) => {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  return String(bytes);
});
