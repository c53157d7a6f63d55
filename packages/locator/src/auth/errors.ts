/** No credential, or not a valid one. `reason` goes to the caller: what was wrong, never the credential itself. */
export class UnauthenticatedError extends Error {
  override readonly name = 'UnauthenticatedError';
  readonly code = 'unauthenticated';
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super(`not authenticated: ${reason}`, options);
    this.reason = reason;
  }
}

/** A user id that is none. `source` says where it stood: a claim, or the query. */
export class InvalidUserIdError extends Error {
  override readonly name = 'InvalidUserIdError';
  readonly code = 'invalid_user_id';
  readonly source: string;

  constructor(source: string) {
    super(`the ${source} must be a user id: 1 to 256 bytes of UTF-8 without control characters`);
    this.source = source;
  }
}

/** Whether a credential is valid cannot be told now, for example because the key set does not answer. */
export class AuthUnavailableError extends Error {
  override readonly name = 'AuthUnavailableError';
  readonly code = 'unavailable';

  constructor(what: string, options?: ErrorOptions) {
    super(`callers cannot be authenticated now: ${what}`, options);
  }
}
