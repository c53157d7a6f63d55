import { ERRORS, type ErrorCode, type Problem, type PublishAnswer } from '@ringway/protocol';
import { errorFor, type PushError } from './errors.ts';

/** Why a publish, or a part of one, was refused. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

/** What a node said to the elements of one POST: one answer each, or one failure for all of them. */
export type Answers = readonly PublishAnswer[] | Failure;

/** Reads the answer to a `POST /publish` with `expected` elements. */
export function readAnswers(status: number, text: string, expected: number): Answers {
  if (status === 200) {
    const body = parse(text);
    if (Array.isArray(body) && body.length === expected) return body as PublishAnswer[];
  }
  return failureOf(status, text);
}

/** The failure that an answer tells, or one made for an answer that tells none (a proxy's, say). */
export function failureOf(status: number, text: string): Failure {
  const body = parse(text);
  if (
    typeof body === 'object' &&
    body !== null &&
    'code' in body &&
    Object.hasOwn(ERRORS, String(body.code))
  ) {
    const { code, detail, retryAfterMs } = body as Problem;
    const { retryable, means } = ERRORS[code];
    return { code, message: detail || means, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  const code = BY_STATUS.get(status) ?? 'internal';
  return {
    code,
    message: `an answer with status ${status} that is not Ringway's`,
    retryable: ERRORS[code].retryable,
  };
}

/** The error for an answer that is not a success. */
export function problemError(status: number, text: string, to: string): PushError {
  return toError(failureOf(status, text), { to });
}

/** The error that a failure becomes for the caller. */
export function toError(
  failure: Failure,
  fields: { readonly id?: string; readonly to?: string | undefined },
): PushError {
  const { code, message, retryAfterMs } = failure;
  const { id, to } = fields;
  return errorFor(code, message, {
    ...(id !== undefined && { id }),
    ...(to !== undefined && { to }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

const BY_STATUS: ReadonlyMap<number, ErrorCode> = new Map([
  [401, 'unauthenticated'],
  [403, 'forbidden'],
  [413, 'frame_too_big'],
  [429, 'rate_limited'],
  [503, 'unavailable'],
]);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
