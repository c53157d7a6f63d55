import { locate, makeTable, type PointTable, pointAt, slotAt } from './point-table.ts';
import { compareUtf8 } from './utf8-order.ts';

/** Points of one member that a ring gains or loses. */
export interface PointChange {
  readonly id: string;
  readonly slot: number;
  readonly points: Uint32Array;
}

/** Below this many words a loop copies faster than a call. */
const SHORT_RUN = 48;

/**
 * A table with some points taken out and others put in: the runs between them are copied whole, which is what makes
 * adding a member to a ring of a thousand cheap. `idOf` tells the member of a slot of the old table.
 */
export function patchTable(
  table: PointTable,
  removed: readonly PointChange[],
  added: readonly PointChange[],
  idOf: (slot: number) => string,
): PointTable {
  const leaving = positionsOf(table, removed);
  const { points, positions, slots } = arrivals(table, added, idOf);
  const size = table.size - leaving.length + points.length;
  const words = new Uint32Array(size + 1);
  let source = 0;
  let target = 0;
  let gone = 0;
  for (let i = 0; i <= points.length; i++) {
    const stop = i < points.length ? positions[i]! : table.size;
    for (; gone < leaving.length && leaving[gone]! < stop; gone++) {
      const position = leaving[gone]!;
      copyRun(table.words, source, position, words, target);
      target += position - source;
      source = position + 1;
    }
    copyRun(table.words, source, stop, words, target);
    target += stop - source;
    source = stop;
    if (i < points.length) words[target++] = ((points[i]! << table.bits) | slots[i]!) >>> 0;
  }
  words[size] = words[0]!;
  return makeTable(table.bits, shiftStarts(table, leaving, points), words);
}

function copyRun(from: Uint32Array, start: number, end: number, to: Uint32Array, target: number): void {
  if (end - start > SHORT_RUN) to.set(from.subarray(start, end), target);
  else for (let i = start; i < end; i++) to[target + i - start] = from[i]!;
}

/** Every start moves by the points that were put in before its bucket, less those taken out before it. */
function shiftStarts(table: PointTable, leaving: Uint32Array, arriving: Uint32Array): Uint32Array {
  const shift = table.shift;
  const starts = new Uint32Array(table.starts.length);
  let gone = 0;
  let come = 0;
  for (let bucket = 0; bucket < starts.length; bucket++) {
    const start = table.starts[bucket]!;
    while (gone < leaving.length && leaving[gone]! < start) gone++;
    while (come < arriving.length && arriving[come]! >>> shift < bucket) come++;
    starts[bucket] = start + come - gone;
  }
  return starts;
}

/** Where the points that leave are, in ascending order. */
function positionsOf(table: PointTable, removed: readonly PointChange[]): Uint32Array {
  const positions = new Uint32Array(total(removed));
  let count = 0;
  for (const { slot, points } of removed) {
    for (const point of points) {
      const word = ((point << table.bits) | slot) >>> 0;
      let position = locate(table, point);
      while (table.words[position]! !== word) position++; // past equal points of other members
      positions[count++] = position;
    }
  }
  return positions.sort();
}

/** The points that come in, in order of (point, id), each with its slot and the old position that it goes before. */
function arrivals(table: PointTable, added: readonly PointChange[], idOf: (slot: number) => string) {
  const byId = added.toSorted((a, b) => compareUtf8(a.id, b.id));
  // One number for (point, place among the ids): a double holds both exactly, and sorts fast.
  const keys = new Float64Array(total(added));
  let count = 0;
  byId.forEach((change, place) => {
    for (const point of change.points) keys[count++] = point * byId.length + place;
  });
  keys.sort();
  const points = new Uint32Array(count);
  const positions = new Uint32Array(count);
  const slots = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const key = keys[i]!;
    const point = Math.floor(key / byId.length);
    const change = byId[key - point * byId.length]!;
    points[i] = point;
    slots[i] = change.slot;
    positions[i] = placeFor(table, point, change.id, idOf);
  }
  return { points, positions, slots };
}

/** The position before which a point goes: behind the equal ones of smaller ids. */
function placeFor(table: PointTable, point: number, id: string, idOf: (slot: number) => string): number {
  const bucket = point >>> table.shift;
  const end = table.starts[bucket + 1]!;
  let position = locate(table, point);
  while (
    position < end &&
    pointAt(table, bucket, position) === point &&
    compareUtf8(idOf(slotAt(table, position)), id) < 0
  ) {
    position++;
  }
  return position;
}

function total(changes: readonly PointChange[]): number {
  return changes.reduce((sum, change) => sum + change.points.length, 0);
}
