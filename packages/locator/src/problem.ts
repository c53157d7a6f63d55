import { type ErrorCode, type Problem, problemBody, serverProblem } from '@ringway/protocol';

/** A refusal that the caller is told of as application/problem+json. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ErrorCode;
  /** When the same request may succeed, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    options: { readonly retryAfterMs?: number } & ErrorOptions = {},
  ) {
    super(detail, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

const RETRY_SOON_MS = 1000;

/** Which refusal an error stands for: any with a `code` of the catalogue is told, the rest are `internal`. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return problemBody(error.code, error.message, error);
  if (!(error instanceof Error)) return problemBody('internal');
  if ('validation' in error && error.validation) return problemBody('bad_request', error.message);
  const code: unknown = 'code' in error ? error.code : undefined;
  if (code === 'unavailable') return problemBody(code, error.message, { retryAfterMs: RETRY_SOON_MS });
  if (code === 'unauthenticated' || code === 'invalid_user_id') return problemBody(code, error.message);
  const status: unknown = 'statusCode' in error ? error.statusCode : undefined;
  return serverProblem(typeof status === 'number' ? status : undefined, error.message);
}
