export type { GroupPresence, UserPresence } from '@ringway/protocol';
export { type ConsulSourceOptions, consulSource } from './consul-source.ts';
export {
  ClosedError,
  ForbiddenError,
  IdConflictError,
  InvalidRequestError,
  NoNodesError,
  OptionError,
  PushError,
  type PushErrorFields,
  RateLimitedError,
  ServerFaultError,
  TooBigError,
  UnauthenticatedError,
  UnavailableError,
  UnknownOutcomeError,
} from './errors.ts';
export { type LocatorSourceOptions, locatorSource } from './locator-source.ts';
export type { PushOptions } from './options.ts';
export type { NodeTokens, PushMember, PushRing, RingSource, SourceContext, TokenIssuer } from './port.ts';
export type { PresenceChange, PresenceWatch, PresenceWatchOptions } from './presence-watch.ts';
export type { PublishResult } from './publication.ts';
export { type PublishItem, type PublishOptions, RingwayPush } from './push.ts';
export { RawJson, rawJson } from './raw-json.ts';
export type { TlsOptions } from './transport.ts';
