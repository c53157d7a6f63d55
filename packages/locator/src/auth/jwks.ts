import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { bearerToken, CLOCK_LEEWAY_SECONDS, type ClaimRules, callerOf } from './claims.ts';
import { AuthUnavailableError, UnauthenticatedError } from './errors.ts';
import type { Authenticate } from './port.ts';

/** Where the keys are, and which algorithms are taken. */
export interface JwksOptions extends ClaimRules {
  readonly url: string;
  /** Never a symmetric one. */
  readonly algorithms: readonly string[];
  readonly now?: () => number;
}

/**
 * Callers by JWTs that are signed by a key of a remote key set. The set is read when first needed and when a token names
 * a key that it does not hold, at most every 30 s; while it cannot be read, what is known of it goes on being used.
 */
export function jwksAuthenticate(options: JwksOptions): Authenticate {
  const { url, issuer, audience, now = Date.now } = options;
  const algorithms = [...options.algorithms];
  const keys = createRemoteJWKSet(new URL(url), { timeoutDuration: 4000, cooldownDuration: 30_000 });
  // jose throws its own errors for a key that is not there, but passes on whatever fetch throws
  const keyFor: JWTVerifyGetKey = async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys)
        throw cause;
      throw new AuthUnavailableError('the key set cannot be read', { cause });
    }
  };
  return async ({ headers }) => {
    const token = bearerToken(headers);
    try {
      const { payload } = await jwtVerify(token, keyFor, {
        algorithms,
        clockTolerance: CLOCK_LEEWAY_SECONDS,
        currentDate: new Date(now()),
        ...(issuer === undefined ? {} : { issuer }),
        ...(audience === undefined ? {} : { audience }),
      });
      return callerOf(payload, options);
    } catch (error) {
      if (error instanceof errors.JOSEError) throw new UnauthenticatedError(reason(error), { cause: error });
      throw error;
    }
  };
}

function reason(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'the token’s algorithm is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey) return 'the token is signed by an unknown key';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the token’s signature is not valid';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `the token’s ${error.claim} is not as expected`;
  return 'the token is malformed';
}
