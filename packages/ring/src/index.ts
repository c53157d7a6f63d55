export { type BuildRingOptions, buildRing } from './build-ring.ts';
export {
  DuplicateMemberError,
  EmptyKeyError,
  ForeignRingError,
  InvalidCountError,
  InvalidMemberIdError,
  InvalidPointError,
  InvalidWeightError,
  RingError,
  RingTooLargeError,
} from './errors.ts';
export { keyPoint } from './hash.ts';
export { type MovedRange, type MovedRanges, movedRanges } from './moved-ranges.ts';
export { MAX_WEIGHT, pointCount, RING_FORMAT, VIRTUAL_NODES } from './points.ts';
export type { Ring, RingMember, RingVersion } from './ring.ts';
