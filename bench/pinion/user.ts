import { handler } from "pinion";

export default handler<"/users/{id:int}">(({ params }) => ({
  id: params.id,
  name: "Ada Lovelace",
  roles: ["admin", "author"],
  active: true,
}));
