// Functions named by methods: another method is answered with 405 before JavaScript sees the request.
import { handler, reply } from "pinion";

export const POST = handler<"/echo">(async (request) => ({
  query: Object.fromEntries(request.query),
  type: request.headers.get("content-type"),
  body: await request.json(),
}));

// The body goes back as it comes, in constant memory.
export const PUT = handler<"/echo">((request) => reply(200, request.body));
