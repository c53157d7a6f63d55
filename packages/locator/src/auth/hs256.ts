import { type KeyFamily, openCompact } from '@ringway/service';
import { bearerToken, type ClaimRules, callerOf, checkClaims } from './claims.ts';
import { UnauthenticatedError } from './errors.ts';
import type { Authenticate } from './port.ts';

const REASONS = {
  malformed: 'the token is malformed',
  algorithm: 'the token is not signed with HS256',
  type: 'the token is of another type',
  signature: 'the token’s signature is not valid',
} as const;

/** Callers by JWTs that are signed with HS256 and a secret of the family. Synchronous: a signature takes microseconds. */
export function hs256Authenticate(
  family: KeyFamily,
  rules: ClaimRules,
  now: () => number = Date.now,
): Authenticate {
  return ({ headers }) => {
    const opened = openCompact(family, undefined, bearerToken(headers));
    if (!opened.ok) throw new UnauthenticatedError(REASONS[opened.reason]);
    checkClaims(opened.claims, rules, now());
    return callerOf(opened.claims, rules);
  };
}
