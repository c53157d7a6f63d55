export type { BackoffBounds } from './backoff.ts';
export { type Clock, SYSTEM_CLOCK } from './clock.ts';
export type { ServiceDefinition } from './consul/consul-api.ts';
export {
  CONSUL_TIMINGS,
  type ConsulCheckOptions,
  type ConsulHooks,
  type ConsulMembershipOptions,
  type ConsulTimings,
  type ConsulTls,
} from './consul/consul-options.ts';
export { consulMembership } from './consul/membership.ts';
export { consulServiceId } from './consul/registration.ts';
export {
  InvalidMemberError,
  InvalidOptionError,
  MembershipClosedError,
  RegistryError,
  RegistryUnauthorisedError,
} from './errors.ts';
export { joinedMembership } from './joined.ts';
export type { MembershipLog } from './log.ts';
export { canonicalMember, type Member, type MemberEntry, type MemberState } from './member.ts';
export { MemoryRegistry, memoryMembership } from './memory.ts';
export { newerRing, type RingStand } from './newer-ring.ts';
export type {
  Membership,
  MembershipObserver,
  MembershipWatch,
  Registering,
  Registration,
  RegistrationObserver,
  Snapshot,
  StaleReason,
  Watching,
} from './port.ts';
export type { OfferResult } from './redis/redis-options.ts';
export { type RingListener, RingWatcher, type RingWatcherOptions } from './ring-watcher.ts';
export { serviceName } from './service-name.ts';
export type { RejectReason } from './signed-member.ts';
export type { MemberSigner } from './signer.ts';
