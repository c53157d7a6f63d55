import type { Capabilities } from '@ringway/protocol';

/** What an adapter may look at. */
export interface AuthRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** `userId` of the query, as it was asked for. */
  readonly userId: string | undefined;
}

/** Who asks `/route`, and what a session of theirs may do. */
export interface Caller {
  /** Well formed: `isUserId` of @ringway/protocol holds. */
  readonly userId: string;
  readonly cap: Capabilities;
  /** When the right to a session ends, in seconds since the epoch; absent when it does not. */
  readonly exp?: number;
}

/**
 * PORT: who is calling `/route`.
 *
 * Called once a request, before anything is looked up; concurrently. Should answer at once where it can: a promise costs
 * every request some microseconds. It says no by throwing or rejecting with
 * - `UnauthenticatedError`: no credential, or not a valid one (401);
 * - `InvalidUserIdError`: the credential is valid, but its user id is none (400);
 * - `AuthUnavailableError`: whether it is valid cannot be told now (503, the caller may retry).
 * Anything else it throws is a fault of the adapter's (500), logged without the request.
 */
export type Authenticate = (request: AuthRequest) => Caller | Promise<Caller>;
