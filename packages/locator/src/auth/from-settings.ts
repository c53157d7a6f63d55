import { type Capabilities, NO_CAPABILITIES } from '@ringway/protocol';
import { KeyFamily, SettingsError } from '@ringway/service';
import type { LocatorSettings } from '../settings.ts';
import { hs256Authenticate } from './hs256.ts';
import { insecureAuthenticate } from './insecure.ts';
import { jwksAuthenticate } from './jwks.ts';
import type { Authenticate } from './port.ts';

/** The adapter that the settings choose, and its keys where it has some. */
export interface ChosenAuth {
  readonly authenticate: Authenticate;
  readonly keys?: KeyFamily;
}

/** @throws SettingsError unless exactly one way to authenticate is set. */
export function authFromSettings(
  settings: LocatorSettings,
  options: { readonly insecureCap?: Capabilities; readonly now?: () => number } = {},
): ChosenAuth {
  const { insecure, authKeys, authJwksUrl } = settings;
  const ways = [insecure, authKeys !== undefined, authJwksUrl !== undefined].filter(Boolean).length;
  if (ways !== 1) {
    const expected = 'exactly one of RINGWAY_AUTH_KEYS, RINGWAY_AUTH_JWKS_URL and RINGWAY_INSECURE';
    throw new SettingsError([{ name: 'RINGWAY_AUTH_KEYS', expected }]);
  }
  const rules = {
    issuer: settings.authIssuer,
    audience: settings.authAudience,
    userClaim: settings.authUserClaim,
    capClaim: settings.authCapClaim,
  };
  if (authKeys !== undefined) {
    const keys = new KeyFamily(authKeys);
    return { authenticate: hs256Authenticate(keys, rules, options.now), keys };
  }
  if (authJwksUrl !== undefined) {
    const { authAlgorithms: algorithms } = settings;
    const now = options.now === undefined ? {} : { now: options.now };
    return { authenticate: jwksAuthenticate({ ...rules, url: authJwksUrl, algorithms, ...now }) };
  }
  return { authenticate: insecureAuthenticate(options.insecureCap ?? NO_CAPABILITIES) };
}
