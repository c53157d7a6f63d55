import { orderMembers } from './members.ts';
import { type PointChange, patchTable } from './patch-table.ts';
import { bitsFit, layOut, type PointTable } from './point-table.ts';
import { pointCount, writePoints } from './points.ts';
import { type Ring, type RingMember, type RingParts, TableRing } from './ring.ts';
import { versionOf } from './version.ts';

export interface BuildRingOptions<M extends RingMember> {
  /** The membership's index that the members were read at: kept in `version.index`, without any other effect. Default '0'. */
  readonly index?: string | undefined;
  /** The ring before this one. Only makes the build faster: points of unchanged members are taken over from it. */
  readonly previous?: Ring<M> | undefined;
}

/** A change of more than this part of the points is faster built anew than patched. */
const PATCH_LIMIT = 1 / 8;

/**
 * Builds the ring of a set of members: in any order, with or without `previous`, the same members give the same ring.
 * @throws {InvalidMemberIdError | DuplicateMemberError | InvalidWeightError | RingTooLargeError} on bad members
 * @throws {ForeignRingError} when `previous` was not built here
 */
export function buildRing<M extends RingMember>(
  members: Iterable<M>,
  options: BuildRingOptions<M> = {},
): Ring<M> {
  const { index = '0', previous } = options;
  const ordered = orderMembers(members);
  const parts = (previous && patch(ordered, previous)) ?? lay(ordered);
  return new TableRing(ordered, versionOf(ordered, index), parts);
}

function lay<M extends RingMember>(members: readonly M[]): RingParts<M> {
  const ends: number[] = [];
  let size = 0;
  for (const { weight } of members) {
    size += pointCount(weight);
    ends.push(size);
  }
  const points = new Uint32Array(size);
  members.forEach(({ id }, slot) => {
    const start = ends[slot - 1] ?? 0;
    writePoints(id, 0, ends[slot]! - start, points, start);
  });
  return { table: layOut(points, ends), slots: members };
}

/** The parts of `previous` with the changed points put in and taken out, or undefined where that does not pay. */
function patch<M extends RingMember>(members: readonly M[], previous: Ring<M>): RingParts<M> | undefined {
  const old = TableRing.parts(previous);
  const { slots, removed, added } = compare(members, old.slots);
  const gone = countPoints(removed);
  const come = countPoints(added);
  const size = old.table.size - gone + come;
  if (gone + come > old.table.size * PATCH_LIMIT || !bitsFit(old.table.bits, size, slots.length))
    return undefined;
  return { table: patched(old.table, removed, added, (slot) => old.slots[slot]!.id), slots };
}

/** Virtual nodes `from` to `to` (excluded) of a member. */
interface NodeRange {
  readonly id: string;
  readonly slot: number;
  readonly from: number;
  readonly to: number;
}

/** Gives every member its slot, the old one if it had one, and says which virtual nodes go and come. */
function compare<M extends RingMember>(members: readonly M[], old: readonly (M | undefined)[]) {
  const removed: NodeRange[] = [];
  const added: NodeRange[] = [];
  const slots: (M | undefined)[] = new Array(old.length).fill(undefined);
  const oldSlots = new Map(old.map((member, slot) => [member?.id, slot]));
  const arriving: M[] = [];
  for (const member of members) {
    const slot = oldSlots.get(member.id);
    if (slot === undefined) {
      arriving.push(member);
      continue;
    }
    slots[slot] = member;
    const before = pointCount(old[slot]!.weight);
    const after = pointCount(member.weight);
    if (after < before) removed.push({ id: member.id, slot, from: after, to: before });
    if (after > before) added.push({ id: member.id, slot, from: before, to: after });
  }
  old.forEach((member, slot) => {
    if (member && !slots[slot]) removed.push({ id: member.id, slot, from: 0, to: pointCount(member.weight) });
  });
  let free = 0;
  for (const member of arriving) {
    while (free < slots.length && slots[free]) free++;
    slots[free] = member;
    added.push({ id: member.id, slot: free, from: 0, to: pointCount(member.weight) });
  }
  return { slots, removed, added };
}

function patched(
  table: PointTable,
  removed: readonly NodeRange[],
  added: readonly NodeRange[],
  idOf: (slot: number) => string,
): PointTable {
  if (removed.length === 0 && added.length === 0) return table;
  return patchTable(table, removed.map(pointsOf), added.map(pointsOf), idOf);
}

function pointsOf({ id, slot, from, to }: NodeRange): PointChange {
  const points = new Uint32Array(to - from);
  writePoints(id, from, to, points, 0);
  return { id, slot, points };
}

function countPoints(ranges: readonly NodeRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}
