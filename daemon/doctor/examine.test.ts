import test from "ava";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Finding,
  examineEnvironment,
  examineKernel,
  examineMemory,
  examineNode,
  examinePriority,
} from "./examine.js";
import { examineUser, examineWriting } from "./examine-writing.js";
import { renderReport } from "./report.js";

test("Node's version", (t) => {
  for (const version of ["20.19.0", "20.20.2", "22.0.0", "26.1.0"])
    t.is(examineNode(version).state, "good", version);
  for (const version of ["20.18.9", "18.20.0"]) t.is(examineNode(version).state, "bad", version);
});

test("the kernel's version", (t) => {
  for (const version of ["6.1.0-13-amd64", "6.18.4", "7.0"])
    t.is(examineKernel(version).state, "good", version);
  t.is(examineKernel("5.15.0-91-generic").state, "note");
});

test("libuv's own io_uring is warned of", (t) => {
  t.deepEqual(examineEnvironment({}), []);
  t.deepEqual(examineEnvironment({ UV_USE_IO_URING: "0" }), []);
  t.is(examineEnvironment({ UV_USE_IO_URING: "1" })[0]?.state, "bad");
});

test("a memory limit that the defaults do not fit into, and what to do", (t) => {
  const mib = 1024 * 1024;
  const limit = { bytes: 128 * mib, path: "/sys/fs/cgroup/memory.max" };
  t.is(examineMemory(undefined, 1024 * mib, 4).state, "good");
  t.regex(examineMemory(undefined, 1024 * mib, 4).value, /^1GiB of the machine/);
  t.is(examineMemory(limit, 1024 * mib, 1).state, "good");
  t.is(examineMemory({ ...limit, bytes: 2048 * mib }, 1024 * mib, 100).state, "good");
  const finding = examineMemory(limit, 1024 * mib, 4);
  t.is(finding.state, "note");
  t.regex(finding.value, /^128MiB the cgroup's limit/);
  t.regex(finding.advice ?? "", /4 shards .* the cgroup allows 128MiB .*; lower limits\.arena/);
});

test("the report counts, and puts advice below", (t) => {
  const report = renderReport([
    { name: "a", state: "good", value: "1" },
    { name: "long", state: "bad", value: "2", advice: "do" },
  ]);
  t.deepEqual(report.split("\n"), [
    "ok    a     1",
    "BAD   long  2",
    "            → do",
    "",
    "1 bad, 0 to note, 1 ok",
  ]);
});

test("whether the stand-in may raise its priority, and what to do", (t) => {
  t.is(examinePriority(true).state, "good");
  const finding = examinePriority(false);
  t.is(finding.state, "note");
  t.regex(finding.advice ?? "", /LimitRTPRIO=1 .*setcap cap_sys_nice\+ep/);
});

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));

/** What `pinion doctor` says of the stand-in, started by these words. */
function priorityBy(...before: string[]): Finding["state"] | "not allowed" {
  const [command = "", ...words] = [...before, process.execPath, MAIN, "doctor", "--json"];
  const { status, stdout, error } = spawnSync(command, words, { encoding: "utf8" });
  if (error !== undefined || (status !== 0 && stdout === "")) return "not allowed";
  const findings = JSON.parse(stdout) as Finding[];
  return findings.find(({ name }) => name === "stand-in")?.state ?? "bad";
}

test("it is asked of the kernel: without the capability and the limit, no; with the limit, yes", (t) => {
  const drop = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice"];
  const isNobody = process.getuid?.() !== 0;
  const without = [...(isNobody ? [] : drop), "prlimit", "--rtprio=0"];
  t.true(["note", "not allowed"].includes(priorityBy(...without)));
  // Who may not raise the limit cannot try it.
  const limited = priorityBy("prlimit", "--rtprio=1", ...(isNobody ? [] : drop));
  t.true(["good", "not allowed"].includes(limited), limited);
});

test("what handlers may write to, and what an older kernel lacks", (t) => {
  t.is(examineWriting({ abi: 7, failed: "" }, undefined).state, "good");
  const old = examineWriting({ abi: 1, failed: "" }, undefined);
  t.is(old.state, "note");
  t.regex(old.value, /ioctl on devices .*; truncate .*; no file moves/);
  t.notRegex(examineWriting({ abi: 3, failed: "" }, undefined).value, /truncate/);
  const none = examineWriting({ abi: 0, failed: "no Landlock" }, undefined);
  t.is(none.state, "note");
  t.regex(none.value, /no Landlock/);
  t.regex(examineWriting({ abi: 7, failed: "" }, "a.yaml").value, /write is any in a\.yaml/);
});

test("who runs as root is told what to do", (t) => {
  t.is(examineUser(1000).state, "good");
  t.is(examineUser(0).state, "note");
  t.regex(examineUser(0).advice ?? "", /User=/);
});

test("doctor tells a configuration that lets handlers write anywhere", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pinion-doctor-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const doctor = (...words: string[]) =>
    spawnSync(process.execPath, [MAIN, "doctor", "--json", ...words], {
      encoding: "utf8",
      cwd: folder,
    });
  const writing = (...words: string[]) =>
    (JSON.parse(doctor(...words).stdout) as Finding[]).find(({ name }) => name === "writing");
  // Without Landlock there is nothing to switch off.
  const restricted = writing()?.state === "good";
  writeFileSync(join(folder, "pinion.yaml"), "write: any\n");
  t.is(/write is any in pinion\.yaml/.test(writing()?.value ?? ""), restricted);
  writeFileSync(join(folder, "other.yaml"), "write: []\n");
  t.is(writing("other.yaml")?.state === "good", restricted);
  t.is(doctor("none.yaml").status, 2);
  writeFileSync(join(folder, "pinion.yaml"), "wrong: 1\n");
  t.is(writing()?.state === "good", restricted);
});
