export type { Member, MemberEntry, MemberState } from './member.ts';
export type {
  Membership,
  MembershipObserver,
  MembershipWatch,
  Registration,
  RegistrationObserver,
  Snapshot,
  StaleReason,
} from './port.ts';
export type { MemberSigner } from './signer.ts';
