import { describe, expect, test } from 'vitest';
import {
  MembershipClosedError,
  MemoryRegistry,
  memoryMembership,
  newerRing,
  type Registration,
  RingWatcher,
} from '../src/index.ts';
import { member } from './support/members.ts';

/** A registry with these members and a started watcher. */
async function watched(...ids: string[]) {
  const registry = new MemoryRegistry();
  const membership = memoryMembership(registry);
  const registrations: Record<string, Registration> = {};
  for (const id of ids) registrations[id] = await membership.register(member(id));
  const errors: string[] = [];
  const log = { info() {}, warn() {}, error: (_: object, message: string) => void errors.push(message) };
  const rejected: string[] = [];
  const watcher = new RingWatcher({
    membership,
    log,
    hooks: { rejected: (reason) => rejected.push(reason) },
  });
  await watcher.start();
  return { registry, membership, registrations, watcher, errors, rejected };
}

describe('the ring watcher', () => {
  test('has an empty ring, infinitely old, before it is started', async () => {
    const watcher = new RingWatcher({ membership: memoryMembership() });
    expect(watcher.current.size).toBe(0);
    expect(watcher.current.owner('user:alice')).toBeUndefined();
    expect(watcher.ageSeconds()).toBe(Infinity);
    expect(watcher.snapshot).toBeUndefined();
    await expect(watcher.reread()).rejects.toThrow(MembershipClosedError);
    await watcher.close();
    await expect(watcher.start()).rejects.toThrow(MembershipClosedError);
  });

  test('start may be called again and is one watch', async () => {
    const { watcher } = await watched('a');
    const changes: number[] = [];
    watcher.subscribe((_, after) => changes.push(after.size));
    await watcher.start();
    expect(watcher.current.size).toBe(1);
    expect(changes).toEqual([]);
  });

  test('gives listeners the old and the new ring, which are snapshots', async () => {
    const { watcher, registrations } = await watched('a', 'b');
    const held = watcher.current;
    const changes: string[] = [];
    const unsubscribe = watcher.subscribe((before, after) => {
      expect(before).toBe(held);
      expect(watcher.current).toBe(after);
      changes.push(`${before.size}>${after.size}`);
    });
    await registrations['a']?.leave();
    expect(changes).toEqual(['2>1']);
    expect(held.size).toBe(2);
    unsubscribe();
    await registrations['a']?.rejoin();
    expect(changes).toEqual(['2>1']);
  });

  test('a new start of a member is a change, though keys stay where they are', async () => {
    const { watcher, membership } = await watched('a', 'b');
    const checksum = watcher.current.version.checksum;
    const changes: (string | undefined)[] = [];
    watcher.subscribe((before, after) =>
      changes.push(before.member('a')?.incarnation, after.member('a')?.incarnation),
    );
    await membership.register(member('a', { incarnation: 'a-start-2' }));
    expect(changes).toEqual(['a-start-1', 'a-start-2']);
    expect(watcher.current.version.checksum).toBe(checksum);
  });

  test('what does not change the ring is no change: a member that is listed only', async () => {
    const { watcher, membership, rejected } = await watched('a');
    const changes: number[] = [];
    watcher.subscribe((_, after) => changes.push(after.size));
    const odd = await membership.register(member('odd', { ringFormat: 7 }));
    await odd.leave();
    await odd.rejoin();
    expect(watcher.snapshot?.members).toHaveLength(2);
    expect(watcher.current.size).toBe(1);
    expect(changes).toEqual([]);
    expect(rejected).toEqual(['ring_format']);
    await membership.register(member('odd', { ringFormat: 7, incarnation: 'odd-start-2' }));
    expect(rejected).toEqual(['ring_format', 'ring_format']);
  });

  test('a listener that throws does not keep the others from being told', async () => {
    const { watcher, registrations, errors } = await watched('a', 'b');
    const changes: number[] = [];
    watcher.subscribe(() => {
      throw new Error('a bad listener');
    });
    watcher.subscribe((_, after) => changes.push(after.size));
    await registrations['b']?.deregister();
    expect(changes).toEqual([1]);
    expect(errors).toEqual(['a ring listener failed']);
  });

  test('a word of leaving takes the member out, and reread gives the ring with its index', async () => {
    const { watcher } = await watched('a', 'b');
    watcher.saidLeaving('b', 'b-start-1');
    const ring = await watcher.reread();
    expect(ring.members.map(({ id }) => id)).toEqual(['a']);
    expect(ring.version.index).toBe(watcher.snapshot?.index);
    expect(watcher.current).toBe(ring);
  });

  test('tells nothing once closed', async () => {
    const { watcher, registrations } = await watched('a', 'b');
    const changes: number[] = [];
    watcher.subscribe((_, after) => changes.push(after.size));
    await watcher.close();
    await registrations['b']?.leave();
    expect(changes).toEqual([]);
    expect(watcher.current.size).toBe(2);
  });
});

describe('whose ring is newer', () => {
  test('the higher index, as numbers beyond 2^53 too; at equal index the smaller ring', () => {
    expect(newerRing({ index: '10', size: 3 }, { index: '9', size: 1 })).toBeGreaterThan(0);
    expect(
      newerRing({ index: '9007199254740993', size: 3 }, { index: '9007199254740992', size: 3 }),
    ).toBeGreaterThan(0);
    expect(newerRing({ index: '7', size: 4 }, { index: '7', size: 3 })).toBeLessThan(0);
    expect(newerRing({ index: '7', size: 3 }, { index: '7', size: 3 })).toBe(0);
  });
});
