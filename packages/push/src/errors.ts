import type { ErrorCode } from '@ringway/protocol';

/** What an error of this SDK says beside its message. */
export interface PushErrorFields {
  /** The publish's id: retry with it, and what was stored already is not stored again. */
  readonly id?: string;
  /** The channel or user it was for. */
  readonly to?: string;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Base of every error that this SDK rejects with; tell them apart by class or by `code`, never by message. */
export abstract class PushError extends Error {
  abstract readonly code: ErrorCode | 'bad_option' | 'closed';
  /** The same call may succeed later. */
  abstract readonly retryable: boolean;
  readonly id: string | undefined;
  readonly to: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, fields: PushErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.id = fields.id;
    this.to = fields.to;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

/** Refused until the deadline, and nothing was stored: no node could be reached, or none could act as the home. */
export class UnavailableError extends PushError {
  override readonly name = 'UnavailableError';
  readonly code = 'unavailable';
  readonly retryable = true;
}

/** Sent, and not answered until the deadline: it may have been stored. Retry with the same `id`. */
export class UnknownOutcomeError extends PushError {
  override readonly name = 'UnknownOutcomeError';
  readonly code = 'unknown';
  readonly retryable = true;
}

/** The ring is empty, or could not be read before the deadline. */
export class NoNodesError extends PushError {
  override readonly name = 'NoNodesError';
  readonly code = 'no_nodes';
  readonly retryable = true;
}

/** The target answers that too much came in too short a time; `retryAfterMs` where it said so. */
export class RateLimitedError extends PushError {
  override readonly name = 'RateLimitedError';
  readonly code = 'rate_limited';
  readonly retryable = true;
}

/** The same id was published before with other data. */
export class IdConflictError extends PushError {
  override readonly name = 'IdConflictError';
  readonly code = 'id_conflict';
  readonly retryable = false;
}

/** The cluster token was not accepted: wrong key, wrong cluster, or clocks more than its lifetime apart. */
export class UnauthenticatedError extends PushError {
  override readonly name = 'UnauthenticatedError';
  readonly code = 'unauthenticated';
  readonly retryable = false;
}

/** The cluster token does not allow this. */
export class ForbiddenError extends PushError {
  override readonly name = 'ForbiddenError';
  readonly code = 'forbidden';
  readonly retryable = false;
}

/** Larger than the node takes. */
export class TooBigError extends PushError {
  override readonly name = 'TooBigError';
  readonly code = 'frame_too_big';
  readonly retryable = false;
}

/** The request itself is wrong: `code` says in which way. */
export class InvalidRequestError extends PushError {
  override readonly name = 'InvalidRequestError';
  readonly code: ErrorCode;
  readonly retryable = false;

  constructor(code: ErrorCode, message: string, fields: PushErrorFields = {}) {
    super(message, fields);
    this.code = code;
  }
}

/** A fault of the server that it could not name better. */
export class ServerFaultError extends PushError {
  override readonly name = 'ServerFaultError';
  readonly code = 'internal';
  readonly retryable = true;
}

/** `close()` was called. */
export class ClosedError extends PushError {
  override readonly name = 'ClosedError';
  readonly code = 'closed';
  readonly retryable = false;
}

/** An option is wrong: the message names it and says what was expected. */
export class OptionError extends PushError {
  override readonly name = 'OptionError';
  readonly code = 'bad_option';
  readonly retryable = false;
  readonly option: string;

  constructor(option: string, message: string) {
    super(`${option}: ${message}`);
    this.option = option;
  }
}

/** The error class for a code of the catalogue. */
export function errorFor(code: ErrorCode, message: string, fields: PushErrorFields): PushError {
  switch (code) {
    case 'unavailable':
    case 'not_ready':
    case 'overloaded':
      return new UnavailableError(message, fields);
    case 'unknown':
      return new UnknownOutcomeError(message, fields);
    case 'no_nodes':
      return new NoNodesError(message, fields);
    case 'rate_limited':
      return new RateLimitedError(message, fields);
    case 'id_conflict':
      return new IdConflictError(message, fields);
    case 'unauthenticated':
      return new UnauthenticatedError(message, fields);
    case 'forbidden':
      return new ForbiddenError(message, fields);
    case 'frame_too_big':
      return new TooBigError(message, fields);
    case 'internal':
      return new ServerFaultError(message, fields);
    case 'bad_frame':
    case 'bad_request':
    case 'unknown_type':
    case 'invalid_user_id':
    case 'invalid_channel':
    case 'list_too_long':
    case 'limit_reached':
    case 'not_found':
      return new InvalidRequestError(code, message, fields);
  }
}
