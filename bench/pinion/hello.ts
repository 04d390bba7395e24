import { handler } from "pinion";

export default handler<"/hello">(() => "Hello, world!\n");
