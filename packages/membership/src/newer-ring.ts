/** What must be known of a ring to compare it: the index at which it was read, and how many members are in it. */
export interface RingStand {
  /** Decimal, as in `Snapshot.index`. */
  readonly index: string;
  readonly size: number;
}

/**
 * Which of two rings is newer: above 0 when `a` is, below 0 when `b` is, 0 when neither can be told. It is only true of
 * rings that were both read again, not stale, since they were found to differ (`RingWatcher.reread`), for a registry's
 * index can fall. At equal index the ring with fewer members is newer: only departures are ever held back.
 */
export function newerRing(a: RingStand, b: RingStand): number {
  const [one, other] = [BigInt(a.index), BigInt(b.index)];
  if (one !== other) return one > other ? 1 : -1;
  return b.size - a.size;
}
