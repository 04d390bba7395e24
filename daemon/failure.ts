// How a command ends that cannot do what it was asked for.

/** The configuration was refused, and the process that read it has said why. */
export class PlanRefused extends Error {
  override name = "PlanRefused";

  constructor(readonly exitCode: number) {
    super("the configuration was refused");
  }
}

/** A mistake on the command line. */
export class UsageError extends Error {
  override name = "UsageError";
  readonly code = "PINION_USAGE";
}

export const FAILED = 1;
export const MISUSED = 2;

/** Says what is wrong, on standard error, and gives the exit code. */
export function reportFailure(error: unknown): number {
  // A child process has said what is wrong already.
  if (error instanceof PlanRefused) return error.exitCode;
  const { code, message, stack } = error as NodeJS.ErrnoException;
  if (code === "PINION_CONFIG") {
    console.error(message);
    return MISUSED;
  }
  if (code === "PINION_USAGE") {
    console.error(`pinion: ${message}`);
    return MISUSED;
  }
  // A mistake of ours shows its stack; what the machine or the user can change, its sentence.
  const isOurs =
    error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  console.error(`pinion: ${isOurs ? stack : message}`);
  return FAILED;
}
