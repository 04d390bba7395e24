import { handler } from "pinion";

interface Order {
  customer: string;
  items: { sku: string; quantity: number; price: number }[];
}

export default handler<"/orders">(async (request) => {
  const { customer, items } = await request.json<Order>();
  let total = 0;
  for (const { quantity, price } of items) total += quantity * price;
  return { customer, count: items.length, total };
});
