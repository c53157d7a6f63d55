import { type RingMember, VIRTUAL_NODES } from '@ringway/ring';
import fc from 'fast-check';

/** Any id that a ring takes. */
export const memberId = fc.oneof(
  fc.nat(40).map((n) => `node-${n}`),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
);

/** A member of few points, so that a list of all of them can be searched from the front. */
export const smallMember: fc.Arbitrary<RingMember> = fc.record({
  id: memberId,
  weight: fc.integer({ min: 1, max: 20 }).map((points) => points / VIRTUAL_NODES),
});

export const smallMembers = (maxLength = 12) =>
  fc.uniqueArray(smallMember, { maxLength, selector: (member) => member.id });

/** Any key: whatever a user may be called, lone surrogates included. */
export const anyKey = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.string({ unit: 'binary', minLength: 1 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 1, maxLength: 12 })
    .map((units) => String.fromCharCode(...units)),
);

export const anyPoint = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1),
);
