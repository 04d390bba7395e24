import test from "ava";
import type { Config } from "../config/types.js";
import { createLog } from "../log/log.js";
import { restrictWriting, warnOfRoot } from "./restrict.js";

function logged(use: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  use(createLog({ level: "info", format: "json" }, (line) => lines.push(line)));
  return lines.join("");
}

const config = { write: [], listen: [], file: "/app/pinion.yaml" } as unknown as Config;

test("root is warned, others are not", (t) => {
  t.regex(
    logged((log) => warnOfRoot(log, 0)),
    /"level":"warn".*running as root.*User=/,
  );
  t.is(
    logged((log) => warnOfRoot(log, 1000)),
    "",
  );
});

test("a process of which only some threads are restricted does not serve", (t) => {
  // No kernel does it when it is asked to.
  const partly = {
    restrictWriting: () => ({ abi: 7, threads: 3, failed: "thread 4: Out of memory" }),
  };
  logged((log) =>
    t.throws(() => restrictWriting(partly, config, {}, log), {
      message: /on 3 threads only: thread 4: Out of memory; write: any/,
    }),
  );
});
