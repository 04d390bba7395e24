import test from "ava";
import { findMemoryLimit, memoryNeeded, memoryWarning } from "./memory-limit.js";

const MIB = 1024 * 1024;
const limitOf = (files: Record<string, string>) => findMemoryLimit((path) => files[path]);

test("no cgroup, no limit, nothing that can be read", (t) => {
  t.is(limitOf({}), undefined);
  t.is(
    limitOf({ "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n" }),
    undefined,
  );
  t.is(limitOf({ "/proc/self/cgroup": "0::/a\n" }), undefined);
  t.is(
    limitOf({
      "/proc/self/cgroup": "4:memory:/a\n",
      "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
    }),
    undefined,
  );
});

test("cgroup v2: the tightest limit on the way up holds", (t) => {
  t.deepEqual(
    limitOf({
      "/proc/self/cgroup": "0::/system.slice/app.service\n",
      "/sys/fs/cgroup/system.slice/app.service/memory.max": "536870912\n",
      "/sys/fs/cgroup/system.slice/memory.max": "134217728\n",
      "/sys/fs/cgroup/memory.max": "max\n",
    }),
    { bytes: 128 * MIB, path: "/sys/fs/cgroup/system.slice/memory.max" },
  );
});

test("cgroup v2 in a container: the path may not be visible, the root is", (t) => {
  const files = {
    "/proc/self/cgroup": "0::/docker/abc\n",
    "/sys/fs/cgroup/memory.max": "67108864\n",
  };
  t.is(limitOf(files)?.bytes, 64 * MIB);
});

test("cgroup v1, also where v2 is mounted beside it", (t) => {
  t.deepEqual(
    limitOf({
      "/proc/self/cgroup": "5:cpuset,memory:/a/b:c\n3:cpu,cpuacct:/x\n0::/y\n",
      "/sys/fs/cgroup/memory/a/b:c/memory.limit_in_bytes": "9223372036854771712\n",
      "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "268435456\n",
      "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1\n",
    }),
    { bytes: 256 * MIB, path: "/sys/fs/cgroup/memory/a/memory.limit_in_bytes" },
  );
});

const LIMITS = { arena: 16 * MIB, slots: 1024, youngHeap: 12 * MIB, abandoned: 16 * MIB };

test("what is needed grows with shards, arena, slots and heaps", (t) => {
  const one = memoryNeeded(1, LIMITS);
  t.true(memoryNeeded(2, LIMITS) >= one + 30 * MIB);
  t.is(memoryNeeded(1, { ...LIMITS, arena: 17 * MIB }), one + MIB);
  t.is(memoryNeeded(3, { ...LIMITS, heap: 10 * MIB }), memoryNeeded(3, LIMITS) + 30 * MIB);
  // 2 KiB each, and 64 KiB of an upload in every second one.
  t.is(memoryNeeded(1, { ...LIMITS, slots: 2048 }), one + 34 * MIB);
});

test("a configuration that cannot fit: what, where, and what to do", (t) => {
  const limit = { bytes: 512 * MIB, path: "/sys/fs/cgroup/memory.max" };
  t.is(memoryWarning(4, LIMITS, undefined), undefined);
  t.is(memoryWarning(4, LIMITS, limit), undefined);
  t.is(memoryWarning(1, LIMITS, { ...limit, bytes: memoryNeeded(1, LIMITS) }), undefined);
  const tight = { ...limit, bytes: memoryNeeded(1, LIMITS) - 1 };
  t.truthy(memoryWarning(1, LIMITS, tight));
  const warning = memoryWarning(4, { ...LIMITS, heap: 128 * MIB }, limit);
  t.regex(
    warning?.what ?? "",
    /^4 shards with an arena of 16MiB, .* heap of 128MiB may take \d+MiB, but the cgroup allows 512MiB \(\/sys\/fs\/cgroup\/memory\.max\)/,
  );
  t.regex(warning?.remedy ?? "", /limits\.arena, limits\.heap or shards, .*MemoryMax=/);
});
