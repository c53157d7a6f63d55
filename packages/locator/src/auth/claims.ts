import { type Capabilities, capabilitiesProblem, isUserId, NO_CAPABILITIES } from '@ringway/protocol';
import { InvalidUserIdError, UnauthenticatedError } from './errors.ts';
import type { AuthRequest, Caller } from './port.ts';

/** How far the clock of whoever made a token may be off, in seconds. */
export const CLOCK_LEEWAY_SECONDS = 5;

/** What a caller's token must say, and where it says who the caller is. */
export interface ClaimRules {
  /** What `iss` must be; anything when undefined. */
  readonly issuer: string | undefined;
  /** What `aud` must be or hold; anything when undefined. */
  readonly audience: string | undefined;
  readonly userClaim: string;
  readonly capClaim: string;
}

/** The token of an `Authorization: Bearer` header. @throws UnauthenticatedError */
export function bearerToken(headers: AuthRequest['headers']): string {
  const { authorization } = headers;
  if (typeof authorization !== 'string') throw new UnauthenticatedError('no Authorization header');
  if (authorization.length < 8 || authorization.slice(0, 7).toLowerCase() !== 'bearer ') {
    throw new UnauthenticatedError('the Authorization header must be "Bearer <token>"');
  }
  return authorization.slice(7).trim();
}

/**
 * Checks times, issuer and audience of claims whose signature is known to be good. `now` in milliseconds.
 *
 * @throws UnauthenticatedError
 */
export function checkClaims(claims: Readonly<Record<string, unknown>>, rules: ClaimRules, now: number): void {
  const { exp, nbf, iss, aud } = claims;
  if (exp !== undefined) {
    if (typeof exp !== 'number') throw new UnauthenticatedError('exp must be a number');
    if (now >= (exp + CLOCK_LEEWAY_SECONDS) * 1000) throw new UnauthenticatedError('the token has expired');
  }
  if (nbf !== undefined) {
    if (typeof nbf !== 'number') throw new UnauthenticatedError('nbf must be a number');
    if (now < (nbf - CLOCK_LEEWAY_SECONDS) * 1000)
      throw new UnauthenticatedError('the token is not valid yet');
  }
  if (rules.issuer !== undefined && iss !== rules.issuer)
    throw new UnauthenticatedError('the token is of another issuer');
  if (rules.audience === undefined) return;
  if (aud !== rules.audience && !(Array.isArray(aud) && aud.includes(rules.audience))) {
    throw new UnauthenticatedError('the token is for another audience');
  }
}

/**
 * The caller that checked claims speak of.
 *
 * @throws UnauthenticatedError | InvalidUserIdError
 */
export function callerOf(claims: Readonly<Record<string, unknown>>, rules: ClaimRules): Caller {
  const userId = claims[rules.userClaim];
  if (!isUserId(userId)) throw new InvalidUserIdError(`claim "${rules.userClaim}" of the token`);
  const cap = capabilities(claims[rules.capClaim]);
  const { exp } = claims;
  return typeof exp === 'number' ? { userId, cap, exp } : { userId, cap };
}

function capabilities(value: unknown): Capabilities {
  if (value === undefined) return NO_CAPABILITIES;
  const problem = capabilitiesProblem(value);
  if (problem !== undefined) throw new UnauthenticatedError(problem);
  const { publish = [], join = [], presence = [] } = value as Partial<Capabilities>;
  return { publish, join, presence };
}
