/** One row of the catalogue. `status` is the HTTP status where the error is an HTTP answer. */
export interface ErrorRule {
  readonly status: number;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  readonly means: string;
}

/** Every `code` of an `error` frame, of a per-target result and of an `application/problem+json` answer. */
export const ERRORS = {
  bad_frame: { status: 400, retryable: false, means: 'not a JSON object as the protocol describes it' },
  bad_request: { status: 400, retryable: false, means: 'a parameter or the body is not as described' },
  unknown_type: { status: 400, retryable: false, means: 'no frame of this type exists' },
  invalid_user_id: {
    status: 400,
    retryable: false,
    means: 'a user id has 1 to 256 bytes of UTF-8, no control characters',
  },
  invalid_channel: {
    status: 400,
    retryable: false,
    means: 'a channel is user:<id>, group:<name> or all; presence:user:<id> can be joined',
  },
  list_too_long: { status: 400, retryable: false, means: 'more targets in one list than are allowed' },
  unauthenticated: { status: 401, retryable: false, means: 'no valid credential' },
  forbidden: { status: 403, retryable: false, means: 'the credential does not allow this' },
  not_found: { status: 404, retryable: false, means: 'no such thing' },
  id_conflict: { status: 409, retryable: false, means: 'the same id was published before with other data' },
  limit_reached: { status: 409, retryable: false, means: 'as many as are allowed are there already' },
  frame_too_big: { status: 413, retryable: false, means: 'larger than the limit' },
  rate_limited: { status: 429, retryable: true, means: 'too many in too short a time' },
  internal: { status: 500, retryable: true, means: 'a fault of the server' },
  unavailable: {
    status: 503,
    retryable: true,
    means: 'not stored: the home or its log cannot be reached now',
  },
  unknown: { status: 503, retryable: true, means: 'sent on but not answered: retry with the same id' },
  no_nodes: { status: 503, retryable: true, means: 'the ring is empty' },
  overloaded: { status: 503, retryable: true, means: 'more requests than can be answered in time' },
  not_ready: { status: 503, retryable: true, means: 'still starting' },
} as const satisfies Record<string, ErrorRule>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;
