// A handler is a function from a request to an answer. Its parameters' types follow from the pattern.
import { handler } from "pinion";

export default handler<"/hello/{name:string}">(({ params }) => `Hello, ${params.name}!\n`);
