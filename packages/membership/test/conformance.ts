import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Member,
  type Membership,
  MembershipClosedError,
  RingWatcher,
  type Snapshot,
} from '../src/index.ts';
import { eventually } from './support/eventually.ts';
import { listed, member } from './support/members.ts';

/** What the suite needs of an adapter: a registry of its own, to which handles can be opened. */
export interface Bench extends AsyncDisposable {
  open(): Membership;
  /** Internal URL of an endpoint that is healthy, for members of this registry. */
  readonly internalUrl: string;
  /** Makes the registry forget a member, as if it had lost it. */
  lose(id: string): Promise<void>;
}

/** The contract of port.ts, for whatever stands behind it. */
export function membershipConformance(adapter: string, start: () => Promise<Bench>): void {
  describe(`membership: ${adapter}`, () => {
    let bench: Bench;
    let open: Membership[];

    function handle(): Membership {
      const membership = bench.open();
      open.push(membership);
      return membership;
    }

    function node(id: string, parts: Partial<Member> = {}): Member {
      return member(id, { internalUrl: bench.internalUrl, ...parts });
    }

    /** Watches by a handle of its own; gives what was shown. */
    async function watching(): Promise<{
      seen: Snapshot[];
      last(): string;
      watch: ReturnType<Membership['watch']>;
    }> {
      const seen: Snapshot[] = [];
      const watch = handle().watch({ snapshot: (snapshot) => seen.push(snapshot) });
      await watch.ready;
      return { seen, last: () => listed(seen.at(-1)).join(' '), watch };
    }

    beforeEach(async () => {
      bench = await start();
      open = [];
    });

    afterEach(async () => {
      await Promise.all(open.map((membership) => membership.close()));
      await bench[Symbol.asyncDispose]();
    });

    test('the first read is shown before ready, even when nobody is there', async () => {
      const { seen } = await watching();
      expect(seen.map(listed)).toEqual([[]]);
    });

    test('a member is shown as it registered, to those who watch and to those who come later', async () => {
      const early = await watching();
      const self = node('a', {
        weight: 1.5,
        publicUrl: 'wss://ws.example.com/n/a',
        protocol: { min: 1, max: 2 },
      });
      await handle().register(self);
      await eventually('a is seen', () => early.last() === 'a:up');
      const late = await watching();
      expect(late.seen.at(-1)?.members).toEqual([{ ...self, state: 'up' }]);
      expect(early.seen.at(-1)?.members).toEqual([{ ...self, state: 'up' }]);
    });

    test('leave, rejoin and deregister are seen in their order', async () => {
      const { seen, last } = await watching();
      await handle().register(node('b'));
      const registration = await handle().register(node('a'));
      await eventually('both are up', () => last() === 'a:up b:up');
      await registration.leave();
      await eventually('a is leaving', () => last() === 'a:leaving b:up');
      await registration.rejoin();
      await eventually('a is back', () => last() === 'a:up b:up');
      await registration.deregister();
      await eventually('a is gone', () => last() === 'b:up');
      const shown = seen
        .map((snapshot) => listed(snapshot).join(' '))
        .filter((text) => text.includes('b:up'));
      expect(shown.filter((text, i) => text !== shown[i - 1])).toEqual(shown);
      const indexes = seen.map(({ index }) => BigInt(index));
      expect(indexes).toEqual([...indexes].sort((a, b) => (a < b ? -1 : 1)));
    });

    test('after deregister the registration does nothing more', async () => {
      const { last } = await watching();
      const registration = await handle().register(node('a'));
      await handle().register(node('b'));
      await eventually('both are up', () => last() === 'a:up b:up');
      await registration.deregister();
      await registration.rejoin();
      await registration.deregister();
      await eventually('a is gone', () => last() === 'b:up');
    });

    test('members come ordered by id, each once', async () => {
      const { seen, last } = await watching();
      for (const id of ['c', 'a', 'B', 'a10', 'a2']) await handle().register(node(id));
      await eventually('all are seen', () => seen.at(-1)?.members.length === 5);
      expect(last()).toBe('B:up a:up a10:up a2:up c:up');
    });

    test('a later start takes the id over, and the earlier one can no longer take it away', async () => {
      const { seen, last } = await watching();
      const replaced: string[] = [];
      const first = await handle().register(node('a'), {
        replaced: (incarnation) => replaced.push(incarnation),
      });
      await eventually('a is up', () => last() === 'a:up');
      await handle().register(node('a', { incarnation: 'a-start-2' }));
      await eventually('the new start is seen', () => seen.at(-1)?.members[0]?.incarnation === 'a-start-2');
      await eventually('the first was told', () => replaced[0] === 'a-start-2');
      await first.leave();
      await first.deregister();
      const late = await watching();
      expect(late.seen.at(-1)?.members.map(({ incarnation, state }) => [incarnation, state])).toEqual([
        ['a-start-2', 'up'],
      ]);
    });

    test('a member that the registry loses is registered again, leaving when it was leaving', async () => {
      const { last } = await watching();
      const told: string[] = [];
      const observer = { lost: () => told.push('lost'), restored: () => told.push('restored') };
      await handle().register(node('a'));
      const registration = await handle().register(node('b'), observer);
      await eventually('both are up', () => last() === 'a:up b:up');
      await bench.lose('b');
      await eventually('b was restored', () => told.join() === 'lost,restored');
      await eventually('b is up again', () => last() === 'a:up b:up');
      await registration.leave();
      await eventually('b is leaving', () => last() === 'a:up b:leaving');
      await bench.lose('b');
      await eventually('b was restored again', () => told.join() === 'lost,restored,lost,restored');
      const late = await watching();
      expect(late.last()).toBe('a:up b:leaving');
    });

    test("a node's own word counts at once, for that start alone, at the watch that was told", async () => {
      const { last, watch, seen } = await watching();
      await handle().register(node('a'));
      await handle().register(node('b'));
      await eventually('both are up', () => last() === 'a:up b:up');
      const other = await watching();
      watch.saidLeaving('b', 'another-start');
      watch.saidLeaving('unknown', 'x');
      watch.saidLeaving('b', 'b-start-1');
      await eventually('b is leaving', () => last() === 'a:up b:leaving');
      await handle().register(node('b', { incarnation: 'b-start-2' }));
      await eventually('the new start is up', () => last() === 'a:up b:up');
      expect(seen.at(-1)?.members[1]?.incarnation).toBe('b-start-2');
      expect(other.seen.map((snapshot) => listed(snapshot).join(' '))).not.toContain('a:up b:leaving');
    });

    test('reread gives what is there now, with an index no lower than before', async () => {
      const { seen, watch } = await watching();
      await handle().register(node('a'));
      const snapshot = await watch.reread();
      expect(listed(snapshot)).toEqual(['a:up']);
      expect(BigInt(snapshot.index)).toBeGreaterThanOrEqual(BigInt(seen[0]?.index ?? 0));
      const both = await Promise.all([watch.reread(), watch.reread()]);
      expect(both.map(listed)).toEqual([['a:up'], ['a:up']]);
      expect(watch.sinceConfirmed()).toBeLessThan(10_000);
    });

    test('a closed watch shows nothing more, and a closed handle gives nothing more', async () => {
      const { seen, watch } = await watching();
      await watch.close();
      await watch.close();
      await handle().register(node('a'));
      await (await watching()).watch.close();
      expect(seen).toHaveLength(1);
      await expect(watch.reread()).rejects.toThrow(MembershipClosedError);
      const closed = handle();
      await closed.close();
      await expect(closed.register(node('b'))).rejects.toThrow(MembershipClosedError);
      expect(() => closed.watch({ snapshot() {} })).toThrow(MembershipClosedError);
    });

    test('closing a handle leaves its registrations listed', async () => {
      const { last } = await watching();
      const membership = handle();
      await membership.register(node('a'));
      await membership.close();
      await eventually('a is seen', () => last() === 'a:up');
      expect((await watching()).last()).toBe('a:up');
    });

    test('what cannot be a member is refused by name', async () => {
      await expect(handle().register(node('a b'))).rejects.toMatchObject({
        code: 'invalid_member',
        problem: /^id: /,
      });
      await expect(handle().register(node('a', { weight: 0 }))).rejects.toMatchObject({
        problem: /^weight: /,
      });
      await expect(handle().register(node('a', { publicUrl: 'https://x' }))).rejects.toMatchObject({
        problem: /^publicUrl: /,
      });
      await expect(handle().register(node('a', { protocol: { min: 2, max: 1 } }))).rejects.toMatchObject({
        problem: /^protocol: /,
      });
    });

    test('a ring watcher over it has the ring when it has started, and swaps it with each change', async () => {
      const first = await handle().register(node('a'));
      await handle().register(node('b', { weight: 3 }));
      const watcher = new RingWatcher({ membership: handle() });
      await watcher.start();
      expect(watcher.current.members.map(({ id }) => id)).toEqual(['a', 'b']);
      const changes: string[] = [];
      watcher.subscribe((before, after) => changes.push(`${before.size}>${after.size}`));
      await first.leave();
      await eventually('a left the ring', () => watcher.current.size === 1);
      expect(watcher.current.owner('user:alice')?.id).toBe('b');
      expect(watcher.snapshot?.members).toHaveLength(2);
      await first.rejoin();
      await eventually('a is back in the ring', () => watcher.current.size === 2);
      expect(changes).toEqual(['2>1', '1>2']);
      expect(watcher.ageSeconds()).toBeLessThan(20);
      await watcher.close();
    });
  });
}
