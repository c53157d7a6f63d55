import {
  channelKind,
  ERRORS,
  type ErrorCode,
  groupChannel,
  isUserId,
  MAX_NAME_BYTES,
  type Problem,
} from '@ringway/protocol';

/** A refusal that becomes an `application/problem+json` answer. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly code: ErrorCode;
  readonly statusCode: number;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, detail: string = ERRORS[code].means, retryAfterMs?: number) {
    super(detail);
    this.code = code;
    this.statusCode = ERRORS[code].status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The answer to a request that failed: what the caller can mend is told, what is a fault of the server is not. */
export function problemOf(error: Error & { readonly statusCode?: number }): Problem {
  const known = error instanceof HttpProblem;
  const status = error.statusCode ?? 500;
  const code: ErrorCode = known
    ? error.code
    : status === 413
      ? 'frame_too_big'
      : status < 500
        ? 'bad_request'
        : 'internal';
  return {
    type: 'about:blank',
    title: ERRORS[code].means,
    status,
    detail: status >= 500 && !known ? ERRORS.internal.means : error.message,
    code,
    ...(known && error.retryAfterMs !== undefined ? { retryAfterMs: error.retryAfterMs } : {}),
  };
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
