import {
  channelKind,
  ERRORS,
  type ErrorCode,
  groupChannel,
  isUserId,
  MAX_NAME_BYTES,
  type Problem,
  problemBody,
  serverProblem,
} from '@ringway/protocol';

/** A refusal that becomes an `application/problem+json` answer. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, detail: string = ERRORS[code].means, retryAfterMs?: number) {
    super(detail);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The answer to a request that failed: what the caller can mend is told, what is a fault of the server is not. */
export function problemOf(error: Error & { readonly statusCode?: number }): Problem {
  return error instanceof HttpProblem
    ? problemBody(error.code, error.message, error)
    : serverProblem(error.statusCode, error.message);
}

/** A user id that a request names. @throws HttpProblem */
export function userIdOf(value: unknown): string {
  if (isUserId(value)) return value;
  throw new HttpProblem('invalid_user_id', `userId: ${ERRORS.invalid_user_id.means}`);
}

/** The name of a group, without `group:`, that a request names. @throws HttpProblem */
export function groupOf(value: unknown): string {
  if (typeof value === 'string' && channelKind(groupChannel(value)) === 'group') return value;
  throw new HttpProblem(
    'invalid_channel',
    `NAME of a group: expected 1 to ${MAX_NAME_BYTES} bytes of UTF-8, no control characters`,
  );
}
