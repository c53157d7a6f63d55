import { fromWire, toWire } from '../text.ts';
import type { MemberPage } from './port.ts';

/**
 * When a membership was last changed, and how: twice the milliseconds since the epoch, and one more where it ended. Of two
 * the higher counts, so merging is no more than taking the higher, in whatever order and however often: all who have
 * seen the same stamps have the same memberships. At one moment the end counts. 0: nothing is known.
 */
export type Stamp = number;

export function isPresent(stamp: Stamp): boolean {
  return stamp > 0 && stamp % 2 === 0;
}

/** A stamp for a change that is made now, after the one that is known. */
export function stampAfter(known: Stamp, nowMs: number, present: boolean): Stamp {
  return 2 * Math.max(Math.floor(nowMs), Math.floor(known / 2) + 1) + (present ? 0 : 1);
}

export interface MembershipEntry {
  readonly userId: string;
  readonly group: string;
  readonly stamp: Stamp;
}

/** Parts of the table that are compared, read and swept one at a time. The same at all nodes. */
export const BUCKETS = 1_024;

/**
 * The groups of a user and the stamp of each, side by side: most users have few. An array that was pushed to has room for
 * sixteen more, so that these are made anew, of their very length, where they grow.
 */
interface UserGroups {
  readonly userId: string;
  groups: readonly string[];
  stamps: number[];
}

interface Group {
  readonly name: string;
  readonly members: Set<string>;
}

/**
 * All memberships of a cluster, and for a while those that have ended. Pure state: no clock, no peers.
 *
 * Each bucket has a digest, kept with every change: two tables with equal digests have the same memberships. Those that have
 * ended do not count for it, since each node forgets them when it sweeps.
 */
export class MembershipTable {
  private readonly buckets = Array.from({ length: BUCKETS }, () => new Map<string, UserGroups>());
  private readonly groups = new Map<string, Group>();
  private readonly sums = new Int32Array(BUCKETS);
  /** Members of the group that was asked for last, in order. */
  private sorted: { readonly group: string; readonly wires: readonly string[] } | undefined;
  /** Memberships, and those that have ended and are still known. */
  readonly size = { present: 0, ended: 0 };

  stampOf(userId: string, group: string): Stamp {
    const user = this.bucketOf(userId).get(userId);
    return user?.stamps[user.groups.indexOf(group)] ?? 0;
  }

  groupsOf(userId: string): readonly string[] {
    const user = this.bucketOf(userId).get(userId);
    return user ? inOrder(user.groups.filter((_, i) => isPresent(user.stamps[i] as Stamp))) : [];
  }

  membersOf(group: string, after: string, limit: number): MemberPage {
    const members = this.groups.get(group)?.members ?? [];
    if (this.sorted?.group !== group) this.sorted = { group, wires: [...members].map(toWire).sort() };
    const { wires } = this.sorted;
    const from = after === '' ? 0 : firstAbove(wires, toWire(after));
    return {
      members: wires.slice(from, from + limit).map(fromWire),
      more: from + limit < wires.length,
    };
  }

  /** Takes what somebody knows of a membership; what it replaces is returned, or the very stamp where it is no news. */
  merge({ userId, group, stamp }: MembershipEntry): Stamp {
    const at = bucketIndex(userId);
    const bucket = this.buckets[at] as Map<string, UserGroups>;
    const user = bucket.get(userId) ?? { userId, groups: [], stamps: [] };
    const i = user.groups.indexOf(group);
    const before = user.stamps[i] ?? 0;
    if (stamp <= before) return stamp;
    if (user.groups.length === 0) bucket.set(userId, user);
    const { name, members } = this.group(group);
    if (isPresent(before)) this.count(at, user, group, before, -1);
    else if (before > 0) this.size.ended--;
    if (isPresent(stamp)) {
      this.count(at, user, group, stamp, 1);
      members.add(user.userId);
    } else {
      this.size.ended++;
      members.delete(userId);
      if (members.size === 0) this.groups.delete(name);
    }
    if (this.sorted?.group === group && isPresent(before) !== isPresent(stamp)) this.sorted = undefined;
    if (i >= 0) user.stamps[i] = stamp;
    else {
      user.groups = user.groups.concat(name);
      user.stamps = user.stamps.concat(stamp);
    }
    return before;
  }

  /** How many groups the user is in. */
  countOf(userId: string): number {
    return this.bucketOf(userId).get(userId)?.stamps.filter(isPresent).length ?? 0;
  }

  /** A number for each bucket. */
  get digests(): readonly number[] {
    return [...this.sums];
  }

  /** All that is known in a bucket, with what has ended. */
  *entries(bucket: number): Iterable<MembershipEntry> {
    for (const { userId, groups, stamps } of this.buckets[bucket]?.values() ?? [])
      for (const [i, group] of groups.entries()) yield { userId, group, stamp: stamps[i] as Stamp };
  }

  /** Forgets what ended before then, in one bucket. */
  forget(bucket: number, beforeMs: number): void {
    const users = this.buckets[bucket];
    for (const user of users?.values() ?? []) {
      const { groups, stamps } = user;
      const isKnown = (stamp: Stamp): boolean => isPresent(stamp) || stamp >= 2 * beforeMs;
      if (stamps.every(isKnown)) continue;
      user.groups = groups.filter((_, i) => isKnown(stamps[i] as Stamp));
      user.stamps = stamps.filter(isKnown);
      this.size.ended -= stamps.length - user.stamps.length;
      if (user.groups.length === 0) users?.delete(user.userId);
    }
  }

  private count(bucket: number, { userId }: UserGroups, group: string, stamp: Stamp, by: 1 | -1): void {
    this.size.present += by;
    // taken out as it was put in
    this.sums[bucket] = (this.sums[bucket] as number) ^ entryHash(userId, group, stamp);
  }

  private group(name: string): Group {
    let group = this.groups.get(name);
    if (!group) {
      group = { name, members: new Set() };
      this.groups.set(name, group);
    }
    return group;
  }

  private bucketOf(userId: string): Map<string, UserGroups> {
    return this.buckets[bucketIndex(userId)] as Map<string, UserGroups>;
  }
}

/** Wire text compares as its bytes do. */
export function inOrder(names: readonly string[]): string[] {
  return names.map(toWire).sort().map(fromWire);
}

function firstAbove(wires: readonly string[], wire: string): number {
  let low = 0;
  let high = wires.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((wires[middle] as string) <= wire) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bucketIndex(userId: string): number {
  return (textHash(userId, FNV_OFFSET) >>> 0) % BUCKETS;
}

const FNV_OFFSET = 0x811c9dc5 | 0;

/** FNV-1a over UTF-16 units, with what murmur3 mixes at its end: the same in every process. */
function textHash(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

function entryHash(userId: string, group: string, stamp: Stamp): number {
  const names = textHash(group, textHash(userId, FNV_OFFSET));
  return mixed(mixed(names ^ (stamp | 0)) ^ Math.floor(stamp / 0x1_0000_0000));
}

function mixed(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return twice ^ (twice >>> 16);
}
