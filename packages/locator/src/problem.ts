import { ERRORS, type ErrorCode, type Problem } from '@ringway/protocol';

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

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** The body of a refusal. */
export function problemBody(code: ErrorCode, detail: string, retryAfterMs?: number): Problem {
  const { status } = ERRORS[code];
  const body = { type: `urn:ringway:error:${code}`, title: TITLES[status] ?? 'Error', status, detail, code };
  return retryAfterMs === undefined ? body : { ...body, retryAfterMs };
}

const RETRY_SOON_MS = 1000;

/** Which refusal an error stands for: any with a `code` of the catalogue is told, the rest are `internal`. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return problemBody(error.code, error.message, error.retryAfterMs);
  if (!(error instanceof Error)) return problemBody('internal', ERRORS.internal.means);
  if ('validation' in error && error.validation) return problemBody('bad_request', error.message);
  const code: unknown = 'code' in error ? error.code : undefined;
  if (code === 'unavailable') return problemBody(code, error.message, RETRY_SOON_MS);
  if (code === 'unauthenticated' || code === 'invalid_user_id') return problemBody(code, error.message);
  const status: unknown = 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) return problemBody('frame_too_big', error.message);
  if (typeof status === 'number' && status >= 400 && status < 500)
    return problemBody('bad_request', error.message);
  return problemBody('internal', ERRORS.internal.means);
}
