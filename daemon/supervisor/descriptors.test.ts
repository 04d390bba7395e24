import test from "ava";
import {
  FEWEST_CONNECTIONS_OF_SHARD,
  leastOpenFiles,
  mostConnections,
  openFilesLimit,
  shareConnections,
} from "./descriptors.js";

test("the soft limit is read", (t) => {
  const text = (soft: string) =>
    `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}                 4096     files\n`;
  t.is(openFilesLimit(text("1024")), 1024);
  t.is(openFilesLimit(text("unlimited")), Number.MAX_SAFE_INTEGER);
  t.is(openFilesLimit(""), undefined);
});

test("the most connections, shared out, fit into the limit", (t) => {
  for (const limit of [256, 1024, 20_000, 1_048_576]) {
    for (const shards of [1, 2, 3, 4, 64]) {
      const most = mostConnections(limit, shards);
      if (most > 1)
        t.true(
          shareConnections(most, shards) * shards + 64 + 32 * shards <= limit,
          `${limit} ${shards}`,
        );
    }
  }
});

test("the least limit leaves every shard the fewest connections, one less does not", (t) => {
  for (const shards of [1, 2, 3, 64]) {
    const fewest = shards * FEWEST_CONNECTIONS_OF_SHARD;
    t.true(mostConnections(leastOpenFiles(shards), shards) >= fewest);
    t.true(mostConnections(leastOpenFiles(shards) - 1, shards) < fewest);
  }
});

test("one shard gets them all, several a bit more than their share", (t) => {
  t.is(shareConnections(10_000, 1), 10_000);
  t.is(shareConnections(10_000, 2), 5625);
});
