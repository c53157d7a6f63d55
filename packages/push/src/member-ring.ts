import type { Ring, RingMember } from '@ringway/ring';
import type { PushMember, PushRing } from './port.ts';

/** A ring of members that know their internal URL, as publishing sees it. */
export function memberRing(ring: Ring<RingMember & PushMember>): PushRing {
  return {
    index: ring.version.index,
    checksum: ring.version.checksum,
    size: ring.size,
    owners: (channel, count) => ring.owners(channel, count),
  };
}
