import { buildRing, keyPoint, type MovedRange, movedRanges, type Ring, type RingMember } from '@ringway/ring';

/** How many stripes the ring is drawn with. */
export const STRIPES = 360;

const CIRCLE = 2 ** 32;
/** Arcs shown to each side of a point. */
const NEIGHBOURS = 7;

/** An arc of the ring: `start` to `end`, both included, and who owns it. */
export interface Arc {
  readonly start: number;
  readonly end: number;
  readonly member: string;
}

/** Where a channel is on the ring, and why it belongs to its owner. */
export interface Place {
  readonly channel: string;
  /** The channel's point, 0 to 2^32 - 1. */
  readonly point: number;
  readonly owner: string;
  readonly successor: string | undefined;
  /** The arc that the point lies in. */
  readonly arc: Arc;
  /** That arc with its neighbours, in order. */
  readonly around: readonly Arc[];
  readonly ring: { readonly index: string; readonly checksum: string };
}

/** The owner of each stripe, as an index into `ring.members`, or -1 on an empty ring. */
export function stripes(ring: Ring<RingMember>): readonly number[] {
  const slots = new Map(ring.members.map(({ id }, slot) => [id, slot]));
  return Array.from({ length: STRIPES }, (_, i) => {
    const owner = ring.ownerAt(Math.floor(((i + 0.5) / STRIPES) * CIRCLE));
    return (owner && slots.get(owner.id)) ?? -1;
  });
}

/** Finds the channel's place; undefined on an empty ring. @throws EmptyKeyError */
export function place(ring: Ring<RingMember>, channel: string): Place | undefined {
  const point = keyPoint(channel);
  const [owner, successor] = ring.ownersAt(point, 2);
  if (owner === undefined) return undefined;
  // whatever an empty ring takes over from this one is all of it: every arc, with its owner
  const ranges = [...movedRanges(ring, buildRing<RingMember>([]))];
  const at = ranges.findIndex(({ start, end }) => start <= point && point <= end);
  const arc = ranges[at];
  if (arc === undefined) return undefined;
  const around: Arc[] = [];
  const reach = Math.min(NEIGHBOURS, Math.floor((ranges.length - 1) / 2));
  for (let i = at - reach; i <= at + reach; i++) {
    const range = ranges[(i + ranges.length) % ranges.length];
    if (range) around.push(toArc(range));
  }
  return {
    channel,
    point,
    owner: owner.id,
    successor: successor?.id,
    arc: toArc(arc),
    around,
    ring: ring.version,
  };
}

function toArc({ start, end, from }: MovedRange<RingMember>): Arc {
  return { start, end, member: from?.id ?? '' };
}

/** The share of all keys that changed owner, 0 to 1, in a sentence's form: `24.8 %`. */
export function movedShare(before: Ring<RingMember>, after: Ring<RingMember>): string {
  return `${(movedRanges(before, after).share * 100).toFixed(1)} %`;
}
