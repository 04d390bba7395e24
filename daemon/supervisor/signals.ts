// SIGTERM and SIGINT: the first drains, the second ends the process at once.

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;
export type StopSignal = keyof typeof SIGNALS;

/** Resolves with the first signal; from then on the next one ends the process, the last by `end`. */
export function waitForStop(
  onReload: () => void,
  onSecond: (signal: StopSignal) => void,
  end: (exitCode: number) => never,
): Promise<StopSignal> {
  return new Promise((resolve) => {
    process.on("SIGHUP", onReload);
    let isStopping = false;
    for (const signal of Object.keys(SIGNALS) as StopSignal[]) {
      process.on(signal, () => {
        if (isStopping) {
          onSecond(signal);
          endAtOnce(signal, end);
        }
        isStopping = true;
        resolve(signal);
      });
    }
  });
}

// By the signal itself. To a shell it is 130 or 143 either way. The kernel ignores the default action for process 1 of a
// container, hence the exit after it.
function endAtOnce(signal: StopSignal, end: (exitCode: number) => never): never {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  return end(128 + SIGNALS[signal]);
}
