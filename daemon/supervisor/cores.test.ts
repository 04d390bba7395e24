import test from "ava";
import { findCores, parseCoreList, planShards } from "./cores.js";

const machine = (files: Record<string, string>) => findCores((path) => files[path]);
const status = "Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\nMems_allowed:\t1\n";

test("core lists", (t) => {
  t.deepEqual(parseCoreList("0"), [0]);
  t.deepEqual(parseCoreList("0-2,5"), [0, 1, 2, 5]);
  t.deepEqual(parseCoreList(" 1 , 3-4 \n"), [1, 3, 4]);
  t.deepEqual(parseCoreList(""), []);
  t.deepEqual(parseCoreList("x,2"), [2]);
  t.deepEqual(parseCoreList("3-1"), []);
});

test("no limit", (t) => {
  t.deepEqual(
    machine({
      "/proc/self/status": status,
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/cpu.max": "max 100000\n",
    }),
    {
      allowed: [0, 1, 2, 3, 8],
      quota: undefined,
    },
  );
});

test("cores that are possible, and not there", (t) => {
  const online = (list: string) =>
    machine({ "/proc/self/status": status, "/sys/devices/system/cpu/online": list }).allowed;
  t.deepEqual(online("0-1\n"), [0, 1]);
  t.deepEqual(online("0,2-127\n"), [0, 2, 3, 8]);
  t.deepEqual(online("4\n"), [0, 1, 2, 3, 8]); // it runs, so that cannot be
});

test("nothing can be read: one core", (t) => {
  t.deepEqual(machine({}), { allowed: [0], quota: undefined });
});

test("cgroup v2: the tightest limit on the way up holds", (t) => {
  const files = {
    "/proc/self/status": status,
    "/proc/self/cgroup": "0::/system.slice/app.service\n",
    "/sys/fs/cgroup/system.slice/app.service/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/system.slice/cpu.max": "150000 100000\n",
  };
  t.is(machine(files).quota, 1.5);
});

test("cgroup v2 in a container: the path may not be visible, the root is", (t) => {
  const files = {
    "/proc/self/status": status,
    "/proc/self/cgroup": "0::/docker/abc\n",
    "/sys/fs/cgroup/cpu.max": "200000 100000\n",
  };
  t.is(machine(files).quota, 2);
});

test("cgroup v1", (t) => {
  const files = {
    "/proc/self/status": status,
    "/proc/self/cgroup": "3:cpu,cpuacct:/a/b\n2:memory:/\n0::/\n",
    "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us": "-1\n",
    "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n",
    "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n",
    "/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
  };
  t.is(machine(files).quota, 0.5);
});

test("one pinned shard for each core", (t) => {
  t.deepEqual(planShards("auto", { allowed: [2, 5], quota: undefined }, 7).cpus, [2, 5]);
  t.deepEqual(planShards("auto", { allowed: [2, 5], quota: 2 }, 7).cpus, [2, 5]);
});

test("a quota below the cores: fewer shards, none pinned", (t) => {
  t.deepEqual(planShards("auto", { allowed: [0, 1, 2, 3], quota: 1.5 }, 0).cpus, [-1, -1]);
  t.deepEqual(planShards("auto", { allowed: [0, 1], quota: 0.1 }, 0).cpus, [-1]);
});

test("the configuration's number is used, beyond the cores too", (t) => {
  t.deepEqual(planShards(3, { allowed: [0, 1], quota: undefined }, 1).cpus, [0, 1, 0]);
  t.deepEqual(planShards(1, { allowed: [0, 1], quota: undefined }, 0).cpus, [0]);
  t.deepEqual(planShards(1, { allowed: [0, 1], quota: undefined }, 5).cpus, [1]);
});
