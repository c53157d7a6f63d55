import { locate, type PointTable, pointBefore, slotAt } from './point-table.ts';
import { pointCount, writePoints } from './points.ts';
import { type Ring, type RingMember, type RingParts, TableRing } from './ring.ts';

/** Points that changed owner: `start` to `end`, both included, and never past 2^32-1 to 0. */
export interface MovedRange<M extends RingMember> {
  readonly start: number;
  readonly end: number;
  /** The owner before, as the ring before had it; undefined if that ring was empty. */
  readonly from: M | undefined;
  /** The owner after, as the ring after has it; undefined if that ring is empty. */
  readonly to: M | undefined;
}

/** All ranges that changed owner, in ascending order, disjoint; those that touch differ in `from` or `to`. */
export interface MovedRanges<M extends RingMember> extends Iterable<MovedRange<M>> {
  /** How many ranges there are. */
  readonly size: number;
  /** The share of all points, 0 to 1, that changed owner. */
  readonly share: number;
  /** The range that a point is in, or undefined if the point stays where it was. By index and binary search: tens of ns. */
  find(point: number): MovedRange<M> | undefined;
}

const LAST = 2 ** 32 - 1;
const NOBODY = -1;

/** The index of the ranges has at most 2^16 parts. */
const INDEX_BITS = 16;

/**
 * Exactly the points whose owner (by id) differs between two rings, and from whom to whom. An arc that crosses zero
 * comes as two ranges. Takes time in the number of points of the members that differ, not of all.
 * @throws {ForeignRingError} when a ring was not built by this copy of the package
 */
export function movedRanges<M extends RingMember>(before: Ring<M>, after: Ring<M>): MovedRanges<M> {
  const old = TableRing.parts(before);
  const now = TableRing.parts(after);
  const sameOwner = ownerMatcher(old.slots, now.slots);
  const points = changedPoints(before, after);
  const starts = new Uint32Array(points.length);
  const ends = new Uint32Array(points.length);
  const from: (M | undefined)[] = [];
  const to: (M | undefined)[] = [];
  let last = -1;
  for (const end of points) {
    const fromSlot = ownerSlot(old.table, end);
    const toSlot = ownerSlot(now.table, end);
    if (sameOwner(fromSlot, toSlot)) continue;
    // Between two neighbouring points of both rings taken together, and up to the second, nothing changes hands.
    const start = Math.max(pointBefore(old.table, end), pointBefore(now.table, end)) + 1;
    const giver = old.slots[fromSlot];
    const taker = now.slots[toSlot];
    if (last >= 0 && ends[last]! === start - 1 && from[last] === giver && to[last] === taker) {
      ends[last] = end;
      continue;
    }
    last++;
    starts[last] = start;
    ends[last] = end;
    from.push(giver);
    to.push(taker);
  }
  return new RangeTable(starts.slice(0, last + 1), ends.slice(0, last + 1), from, to);
}

/**
 * The points that one ring has and the other has not, ascending, each once; and the end of the circle, where every arc
 * is cut. An arc changes its owner only if it ends at one of these.
 */
function changedPoints<M extends RingMember>(before: Ring<M>, after: Ring<M>): Uint32Array {
  const changes: { id: string; from: number; to: number }[] = [];
  const compare = (id: string, old: M | undefined, now: M | undefined) => {
    const a = old ? pointCount(old.weight) : 0;
    const b = now ? pointCount(now.weight) : 0;
    if (a !== b) changes.push({ id, from: Math.min(a, b), to: Math.max(a, b) });
  };
  for (const member of before.members) compare(member.id, member, after.member(member.id));
  for (const member of after.members) if (!before.has(member.id)) compare(member.id, undefined, member);
  const points = new Uint32Array(changes.reduce((sum, { from, to }) => sum + to - from, 0) + 1);
  let filled = 0;
  for (const { id, from, to } of changes) {
    writePoints(id, from, to, points, filled);
    filled += to - from;
  }
  points[filled] = LAST;
  points.sort();
  return points.filter((point, i) => i === 0 || point !== points[i - 1]);
}

/** Tells whether a slot of one ring and a slot of the other belong to one member, by id; NOBODY only to NOBODY. */
function ownerMatcher<M extends RingMember>(old: RingParts<M>['slots'], now: RingParts<M>['slots']) {
  const slotOf = new Map(now.map((member, slot) => [member?.id, slot]));
  const match = old.map((member) => slotOf.get(member?.id));
  return (oldSlot: number, newSlot: number) =>
    (oldSlot === newSlot && oldSlot === NOBODY) || match[oldSlot] === newSlot;
}

function ownerSlot(table: PointTable, point: number): number {
  return table.size === 0 ? NOBODY : slotAt(table, locate(table, point));
}

function countStarts(starts: Uint32Array, bits: number): Uint32Array {
  const index = new Uint32Array(2 ** bits + 1);
  for (let bucket = 0, count = 0; bucket < index.length; bucket++) {
    const edge = bucket * 2 ** (32 - bits);
    while (count < starts.length && starts[count]! < edge) count++;
    index[bucket] = count;
  }
  return index;
}

/** The ranges as columns, one entry a range: objects are made only for those who look. */
class RangeTable<M extends RingMember> implements MovedRanges<M> {
  readonly size: number;
  readonly share: number;
  readonly #starts: Uint32Array;
  /** How many ranges start before each of 2^(32-shift) equal parts of the circle, and before its end. */
  readonly #index: Uint32Array;
  readonly #shift: number;
  readonly #ends: Uint32Array;
  readonly #from: readonly (M | undefined)[];
  readonly #to: readonly (M | undefined)[];

  constructor(
    starts: Uint32Array,
    ends: Uint32Array,
    from: readonly (M | undefined)[],
    to: readonly (M | undefined)[],
  ) {
    this.size = starts.length;
    this.#starts = starts;
    const bits = Math.min(INDEX_BITS, Math.ceil(Math.log2(starts.length + 2)));
    this.#shift = 32 - bits;
    this.#index = countStarts(starts, bits);
    this.#ends = ends;
    this.#from = from;
    this.#to = to;
    this.share = starts.reduce((sum, start, i) => sum + ends[i]! - start + 1, 0) / (LAST + 1);
    Object.freeze(this);
  }

  find(point: number): MovedRange<M> | undefined {
    const starts = this.#starts;
    const bucket = point >>> this.#shift;
    let low = this.#index[bucket]!;
    let high = this.#index[bucket + 1]!; // the first range that starts behind the point is in low..high
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= point) low = middle + 1;
      else high = middle;
    }
    return low > 0 && point <= this.#ends[low - 1]! ? this.#range(low - 1) : undefined;
  }

  *[Symbol.iterator](): Generator<MovedRange<M>, undefined> {
    for (let i = 0; i < this.size; i++) yield this.#range(i);
  }

  #range(i: number): MovedRange<M> {
    return { start: this.#starts[i]!, end: this.#ends[i]!, from: this.#from[i], to: this.#to[i] };
  }
}
