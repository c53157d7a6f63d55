import { ERRORS, type ErrorCode } from './errors.ts';
import type { Problem } from './http.ts';

/** What of a refusal its code does not tell. */
export interface ProblemOptions {
  /** Another HTTP status than the code's own, where it says more. */
  readonly status?: number;
  /** When the same request may succeed, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined;
}

/** The body of a refusal, the same from every listener. `detail` tells what was wrong with this request. */
export function problemBody(
  code: ErrorCode,
  detail: string = ERRORS[code].means,
  { status = ERRORS[code].status, retryAfterMs }: ProblemOptions = {},
): Problem {
  return {
    type: `urn:ringway:error:${code}`,
    title: ERRORS[code].means,
    status,
    detail,
    code,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** The same of what a web server refuses by itself, with a status of the 400s; anything else is a fault of the server. */
export function serverProblem(status: number | undefined, detail: string): Problem {
  if (status === undefined || status < 400 || status >= 500) return problemBody('internal');
  if (status === 413) return problemBody('frame_too_big', detail);
  if (status === 415)
    return problemBody('bad_request', 'Content-Type: expected application/json', { status });
  return problemBody('bad_request', detail, { status });
}
