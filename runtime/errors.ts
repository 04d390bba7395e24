// Errors that handlers meet or throw. Codes are stable, messages say what to do.

/** Thrown by a handler: the answer has this status and this message. Any other error is a 500 without details. */
export class HttpError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, message: string, options?: { code?: string; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`HttpError: status ${status} is no error status: use 400 to 599`);
    }
    this.name = "HttpError";
    this.status = status;
    this.code = options?.code ?? `PINION_HTTP_${status}`;
  }
}

const INTERNAL = { status: 500, message: "internal server error" };

/** What a client is told of an error. Nothing that the error does throws here. */
export function statusAndMessage(error: unknown): { status: number; message: string } {
  try {
    if (!(error instanceof HttpError)) return INTERNAL;
    const { status, message } = error;
    // They could have been changed since they were checked.
    if (!Number.isInteger(status) || status < 400 || status > 599) return INTERNAL;
    return typeof message === "string" ? { status, message } : INTERNAL;
  } catch {
    return INTERNAL;
  }
}

export function isAbortError(error: unknown): boolean {
  try {
    return error instanceof Error && error.name === "AbortError";
  } catch {
    return false;
  }
}

/** What the client sent cannot be used: a 400 if the handler lets it pass. */
export class BadRequestError extends HttpError {
  constructor(message: string, options?: { code?: string; cause?: unknown }) {
    super(400, message, { code: "PINION_BAD_REQUEST", ...options });
    this.name = "BadRequestError";
  }
}

/** The rest of the request body will never come. */
export function bodyAborted(): HttpError {
  return new BadRequestError("the request body broke off before it was complete", {
    code: "PINION_BODY_ABORTED",
  });
}

export class RequestOverError extends Error {
  readonly code = "PINION_REQUEST_OVER";

  constructor() {
    super(
      "the request has been answered or given up: read what is needed of it before the handler returns",
    );
    this.name = "RequestOverError";
  }
}

const ABORT_REASONS = [
  { code: "PINION_CLIENT_GONE", message: "the client closed the connection" },
  { code: "PINION_TIMED_OUT", message: "the time is up: the client got a 504" },
  {
    code: "PINION_BODY_TOO_SLOW",
    message: "the request body came too slowly: the client got a 408",
  },
  { code: "PINION_CLIENT_GONE", message: "the client has closed its side of the connection" },
  { code: "PINION_BODY_REFUSED", message: "the request body is too large or malformed" },
] as const;

/** The `reason` of a request's AbortSignal. */
export class RequestAbortedError extends Error {
  readonly code: string;

  constructor(reason: number) {
    const known = ABORT_REASONS[reason] ?? ABORT_REASONS[0];
    super(known.message);
    this.name = "AbortError";
    this.code = known.code;
  }
}
