import {
  DuplicateMemberError,
  InvalidMemberIdError,
  InvalidWeightError,
  RingTooLargeError,
} from './errors.ts';
import { MAX_WEIGHT, pointCount } from './points.ts';
import type { RingMember } from './ring.ts';
import { compareUtf8 } from './utf8-order.ts';

/** 256 MiB of points; a thousand members of weight 20. */
const MAX_POINTS = 2 ** 26;

/**
 * The members in the order of their ids' UTF-8, checked and frozen.
 * @throws {InvalidMemberIdError | DuplicateMemberError | InvalidWeightError | RingTooLargeError}
 */
export function orderMembers<M extends RingMember>(members: Iterable<M>): readonly M[] {
  const ordered = [...members];
  let points = 0;
  for (const { id, weight } of ordered) {
    if (typeof id !== 'string' || id === '' || !id.isWellFormed()) throw new InvalidMemberIdError(id);
    if (!(typeof weight === 'number' && weight > 0 && weight <= MAX_WEIGHT)) {
      throw new InvalidWeightError(id, weight, MAX_WEIGHT);
    }
    points += pointCount(weight);
  }
  if (points > MAX_POINTS) throw new RingTooLargeError(points, MAX_POINTS);
  ordered.sort((a, b) => compareUtf8(a.id, b.id));
  ordered.forEach((member, i) => {
    if (member.id === ordered[i - 1]?.id) throw new DuplicateMemberError(member.id);
  });
  return Object.freeze(ordered);
}
