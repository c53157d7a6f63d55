export type { ClaimRules } from './auth/claims.ts';
export { AuthUnavailableError, InvalidUserIdError, UnauthenticatedError } from './auth/errors.ts';
export { authFromSettings, type ChosenAuth } from './auth/from-settings.ts';
export { hs256Authenticate } from './auth/hs256.ts';
export { ALL_CAPABILITIES, insecureAuthenticate } from './auth/insecure.ts';
export { type JwksOptions, jwksAuthenticate } from './auth/jwks.ts';
export type { Authenticate, AuthRequest, Caller } from './auth/port.ts';
export { MAX_AVOID } from './choose.ts';
export { type ConfiguredLocator, configureLocator, type LocatorParts } from './configure.ts';
export { LOCATOR_AUDIENCE } from './internal-app.ts';
export {
  createLocator,
  LOCATOR_DEFAULTS,
  type Locator,
  type LocatorOptions,
  type LocatorReload,
  type MembershipHooks,
} from './locator.ts';
export type { RateLimit } from './rate-limit.ts';
export { MAX_OWNERS, routeSchema } from './schemas.ts';
export type { SdkFiles, SdkSource } from './sdk.ts';
export { type LocatorSettings, locatorSettings } from './settings.ts';
