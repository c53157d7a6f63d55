/** Buckets hold this many points on average, as long as the index is within its bits: hardly anything to search. */
const LOAD = 2;

/**
 * The index of a large ring stops growing here, at 256 KiB, so that it stays in a core's own cache. Measured at 1,000
 * members: a cold line of the index costs more than the longer way through a bucket.
 */
const INDEX_BITS = 16;

const MAX_BITS = 26;

/** Buckets of more points than this are left to the engine's sort. */
const SHORT_BUCKET = 64;

/**
 * The points of a ring in order, each with the slot of its member. Immutable.
 *
 * The circle is cut into 2^bits equal buckets, and `starts[b]` is the position of the first point of bucket b. The
 * bucket tells the top bits of a point, so a word needs only the remaining low bits of it, and its own low bits are free
 * for the slot: one 32-bit word a point, and a lookup touches one line of the index and one of the words.
 *
 * Words are in order of (point, member id). Slots are numbers given to members in any order.
 */
export interface PointTable {
  readonly bits: number;
  /** 32 - bits: a point shifted right by it is its bucket. */
  readonly shift: number;
  /** 2^bits - 1: picks the slot out of a word. */
  readonly slotMask: number;
  /** How many points there are. */
  readonly size: number;
  /** 2^bits + 1 positions; the last is `size`. */
  readonly starts: Uint32Array;
  /** `size` words, and the first once more at the end: the successor of the last point without a branch. */
  readonly words: Uint32Array;
}

/** Puts a table together from finished arrays. */
export function makeTable(bits: number, starts: Uint32Array, words: Uint32Array): PointTable {
  return { bits, shift: 32 - bits, slotMask: 2 ** bits - 1, size: words.length - 1, starts, words };
}

/** How many bits a table of so many points and slots is cut by: there must be room for the slot in them. */
export function bitsFor(size: number, slots: number): number {
  const byLoad = Math.ceil(Math.log2(Math.max(size, 1) / LOAD));
  const bySlots = Math.ceil(Math.log2(Math.max(slots, 2)));
  return Math.min(MAX_BITS, Math.max(Math.min(byLoad, INDEX_BITS), bySlots));
}

/** Whether a table of these bits is still a good one for so many points and slots. */
export function bitsFit(bits: number, size: number, slots: number): boolean {
  return slots <= 2 ** bits && Math.abs(bits - bitsFor(size, slots)) <= 1;
}

/**
 * Lays out points that are given member by member: those of slot s are `points[ends[s-1]]` to `points[ends[s]-1]`.
 * The slots must be numbered in order of the ids, so that equal points come out in that order.
 */
export function layOut(points: Uint32Array, ends: readonly number[]): PointTable {
  const bits = bitsFor(points.length, ends.length);
  const shift = 32 - bits;
  const buckets = 2 ** bits;
  const size = points.length;
  const starts = new Uint32Array(buckets + 1);
  const words = new Uint32Array(size + 1);
  // Count, sum up, then fill each bucket from its end: afterwards each cursor stands at its bucket's start.
  for (let i = 0; i < size; i++) {
    const bucket = points[i]! >>> shift;
    starts[bucket] = starts[bucket]! + 1;
  }
  for (let bucket = 0, sum = 0; bucket <= buckets; bucket++) {
    sum += starts[bucket]!;
    starts[bucket] = sum;
  }
  for (let slot = 0, i = 0; slot < ends.length; slot++) {
    const end = ends[slot]!;
    for (; i < end; i++) {
      const point = points[i]!;
      const bucket = point >>> shift;
      const position = starts[bucket]! - 1;
      starts[bucket] = position;
      words[position] = ((point << bits) | slot) >>> 0;
    }
  }
  for (let bucket = 0; bucket < buckets; bucket++) sortBucket(words, starts[bucket]!, starts[bucket + 1]!);
  words[size] = words[0]!;
  return makeTable(bits, starts, words);
}

function sortBucket(words: Uint32Array, from: number, to: number): void {
  if (to - from > SHORT_BUCKET) {
    words.subarray(from, to).sort();
    return;
  }
  for (let i = from + 1; i < to; i++) {
    const word = words[i]!;
    let hole = i;
    for (; hole > from && words[hole - 1]! > word; hole--) words[hole] = words[hole - 1]!;
    words[hole] = word;
  }
}

/**
 * The position of the first point at or after `point`, which is `size` when there is none up to 2^32-1. Points are
 * spread evenly, so the search starts where the point would be by proportion, and is nearly there.
 */
export function locate(table: PointTable, point: number): number {
  const { starts, words } = table;
  const bucket = point >>> table.shift;
  const wanted = (point << table.bits) >>> 0;
  const start = starts[bucket]!;
  const end = starts[bucket + 1]!;
  let position = start + (Math.imul(end - start, wanted >>> 16) >>> 16);
  while (position > start && words[position - 1]! >= wanted) position--;
  while (position < end && words[position]! < wanted) position++;
  return position;
}

/** The slot at a position of 0..size (where `size` wraps to the first). */
export function slotAt(table: PointTable, position: number): number {
  return table.words[position]! & table.slotMask;
}

/** The largest point below `point`, or -1 when there is none down to 0. */
export function pointBefore(table: PointTable, point: number): number {
  const position = locate(table, point) - 1;
  if (position < 0) return -1;
  let bucket = point >>> table.shift;
  while (table.starts[bucket]! > position) bucket--;
  return pointAt(table, bucket, position);
}

/** The point at a position, given its bucket. */
export function pointAt(table: PointTable, bucket: number, position: number): number {
  return ((bucket << table.shift) | (table.words[position]! >>> table.bits)) >>> 0;
}
