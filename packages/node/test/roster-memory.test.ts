import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isPresent,
  type MembershipEntry,
  MembershipTable,
  stampAfter,
} from '../src/groups/membership-table.ts';
import { RosterFullError, RosterRefusedError, RosterUnknownError } from '../src/groups/port.ts';
import { rosterConformance } from './roster-conformance.ts';
import { waitFor } from './support/cluster.ts';
import { RosterNetwork, type RosterNode } from './support/rosters.ts';

for (const count of [2, 3]) {
  rosterConformance(`the memory of ${count} nodes`, async () => {
    const network = await RosterNetwork.start(count, { maxUserGroups: 3 });
    const rosters: RosterNode[] = [...network.nodes.values()];
    return {
      rosters: rosters as [RosterNode, RosterNode],
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
  });
}

const entry: fc.Arbitrary<MembershipEntry> = fc.record({
  userId: fc.constantFrom('alice', 'bob', 'carol', 'dörte'),
  group: fc.constantFrom('a', 'b', 'c'),
  stamp: fc.integer({ min: 1, max: 20 }),
});

function contents(table: MembershipTable): MembershipEntry[] {
  const all = Array.from({ length: 1_024 }, (_, bucket) => [...table.entries(bucket)]).flat();
  return all.sort((a, b) => (`${a.userId} ${a.group}` < `${b.userId} ${b.group}` ? -1 : 1));
}

describe('the table of memberships', () => {
  it('is the same for all who have seen the same, in whatever order and however often', () => {
    const seen = fc
      .array(entry)
      .chain((entries) =>
        fc.tuple(
          fc.constant(entries),
          fc.shuffledSubarray(entries),
          fc.shuffledSubarray(entries, { minLength: entries.length }),
        ),
      );
    fc.assert(
      fc.property(seen, ([entries, some, all]) => {
        const [one, other] = [new MembershipTable(), new MembershipTable()];
        for (const each of entries) one.merge(each);
        for (const each of [...some, ...all, ...some]) other.merge(each);
        expect(contents(other)).toEqual(contents(one));
        expect(other.digests).toEqual(one.digests);
        expect(other.size).toEqual(one.size);
        for (const userId of ['alice', 'bob', 'carol', 'dörte']) {
          const groups = ['a', 'b', 'c'].filter((group) => isPresent(one.stampOf(userId, group)));
          expect(other.groupsOf(userId)).toEqual(groups);
          for (const group of ['a', 'b', 'c'])
            expect(other.membersOf(group, '', 9).members.includes(userId)).toBe(groups.includes(group));
        }
        expect(one.size.present).toBe(contents(one).filter(({ stamp }) => isPresent(stamp)).length);
      }),
    );
  });

  it('has other digests where it has other memberships, and the same where only the past differs', () => {
    const two = fc.tuple(fc.array(entry), fc.array(entry));
    fc.assert(
      fc.property(two, ([some, others]) => {
        const [one, other] = [new MembershipTable(), new MembershipTable()];
        for (const each of some) one.merge(each);
        for (const each of others) other.merge(each);
        const present = (table: MembershipTable) => contents(table).filter(({ stamp }) => isPresent(stamp));
        const same = JSON.stringify(present(one)) === JSON.stringify(present(other));
        expect(JSON.stringify(one.digests) === JSON.stringify(other.digests)).toBe(same);
      }),
    );
  });

  it('stamps a change later than what it knows, by whatever clock', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.boolean(), (known, now, present) => {
        const stamp = stampAfter(known, now, present);
        expect(stamp).toBeGreaterThan(known);
        expect(isPresent(stamp)).toBe(present);
        expect(Math.floor(stamp / 2)).toBeGreaterThanOrEqual(now);
      }),
    );
  });

  it('forgets what has ended, and nothing else', () => {
    const table = new MembershipTable();
    table.merge({ userId: 'alice', group: 'a', stamp: stampAfter(0, 1_000, true) });
    table.merge({ userId: 'alice', group: 'b', stamp: stampAfter(0, 1_000, false) });
    table.merge({ userId: 'alice', group: 'c', stamp: stampAfter(0, 2_000, false) });
    table.merge({ userId: 'bob', group: 'a', stamp: stampAfter(0, 1_000, false) });
    for (let bucket = 0; bucket < 1_024; bucket++) table.forget(bucket, 2_000);
    expect(contents(table).map(({ userId, group }) => `${userId} ${group}`)).toEqual(['alice a', 'alice c']);
    expect(table.size).toEqual({ present: 1, ended: 1 });
  });
});

type Step =
  | {
      readonly kind: 'change';
      readonly node: number;
      readonly user: string;
      readonly group: string;
      readonly put: boolean;
    }
  | { readonly kind: 'cut' | 'heal'; readonly a: number; readonly b: number }
  | { readonly kind: 'wait'; readonly turns: number }
  | { readonly kind: 'add' };

const nodes = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      node: nodes,
      user: fc.constantFrom('alice', 'bob'),
      group: fc.constantFrom('a', 'b'),
      put: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'heal' as const), a: nodes, b: nodes }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), turns: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('add' as const) }) },
);

describe('rosters in the memory of nodes', () => {
  it('come to the same, whatever was cut when, and tell their nodes what they have come to', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await using network = await RosterNetwork.start(3, { timeoutMs: 200 });
        network.skews.set('node-2', -5);
        network.skews.set('node-3', 5);
        const idOf = (n: number): string => [...network.nodes.keys()][n % network.nodes.size] as string;
        const changes: Promise<unknown>[] = [];
        for (const one of steps) {
          if (one.kind === 'change') {
            const { roster } = network.node(idOf(one.node));
            const change = one.put ? roster.put(one.user, one.group) : roster.remove(one.user, one.group);
            changes.push(change.catch(() => {}));
          } else if (one.kind === 'cut') network.cut(idOf(one.a), idOf(one.b));
          else if (one.kind === 'heal') network.heal(idOf(one.a), idOf(one.b));
          else if (one.kind === 'wait')
            for (let i = 0; i < one.turns; i++) await new Promise((resolve) => setImmediate(resolve));
          else if (network.nodes.size < 5) await network.add(`node-${network.nodes.size + 1}`);
        }
        network.healAll();
        await Promise.all(changes);
        const view = ({ roster }: RosterNode): string =>
          ['alice', 'bob'].map((user) => (roster.groupsOf(user) as string[]).join()).join('|');
        const views = (): string[] => [...new Set([...network.nodes.values()].map(view))];
        await waitFor(() => views().length === 1, 'one view');
        for (const { roster, user } of network.nodes.values()) {
          const told = new Map<string, boolean>();
          for (const [userId, group, present] of user.changes) told.set(`${userId} ${group}`, present);
          for (const userId of ['alice', 'bob']) {
            const groups = ['a', 'b'].filter((group) => told.get(`${userId} ${group}`));
            expect(roster.groupsOf(userId)).toEqual(groups);
          }
        }
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('keep what was confirmed when the node that was asked dies at once', async () => {
    await using network = await RosterNetwork.start(3);
    for (let i = 0; i < 20; i++) {
      const id = `dying-${i}`;
      const { roster } = await network.add(id);
      await roster.put('alice', `group-${i}`);
      network.kill(id);
      // two are left, and one of them has it at least
      const holders = [...network.nodes.values()].filter(({ roster: other }) =>
        other.groupsOf('alice').includes(`group-${i}`),
      );
      expect(holders.length).toBeGreaterThanOrEqual(1);
      await roster.stop();
    }
  });

  it('give a node all there is before it has started, of any size', async () => {
    await using network = await RosterNetwork.start(2);
    const { roster } = network.node('node-1');
    const users = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
    await Promise.all(users.map((user) => roster.put(user, 'all of them')));
    const added = await network.add('node-3');
    expect(added.roster.membersOf('all of them', '', 10_000).members).toHaveLength(5_000);
    expect(added.roster.fetched).toBe(5_000);
    // nothing is fetched that is there
    await network.quiet();
    expect(network.node('node-2').roster.fetched).toBe(0);
  });

  it('wait at the start for as long as a peer tells what it knows, and not for one that is silent', async () => {
    await using network = await RosterNetwork.start(1, { startMs: 1_000 });
    const { roster } = network.node('node-1');
    const users = Array.from({ length: 50 }, (_, i) => `user-${i}`);
    for (const user of users) await roster.put(user, 'slowly');
    // there and back for nearly each of them: much longer than a peer may be silent
    network.delayMs = 20;
    const { roster: added } = await network.add('node-2');
    expect(added.membersOf('slowly', '', 100).members).toHaveLength(50);
    network.delayMs = 0;
    network.forgetKinds('node-1');
    network.forgetKinds('node-2');
    const { roster: alone } = await network.add('node-3');
    expect(alone.size.present).toBe(0);
  });

  it('take no peer’s word for all there is that is only starting itself', async () => {
    await using network = await RosterNetwork.start(1);
    await network.node('node-1').roster.put('alice', 'a');
    // two that start at once, and hear each other before they hear who knows
    const known = ['node-2', 'node-3'].map(async (id) => {
      const added = network.add(id);
      network.cut('node-1', id);
      return (await added).roster.groupsOf('alice');
    });
    await network.quiet();
    network.healAll();
    expect(await Promise.all(known)).toEqual([['a'], ['a']]);
  });

  it('do not take sessions out for what ended before: they may have joined by themselves since', async () => {
    await using network = await RosterNetwork.start(2);
    await network.node('node-1').roster.put('alice', 'a');
    await network.node('node-1').roster.remove('alice', 'a');
    await network.node('node-1').roster.remove('bob', 'a');
    const added = await network.add('node-3');
    expect(added.user.changes).toEqual([]);
  });

  it('take what is said later for the later, though the clock of that node is behind', async () => {
    await using network = await RosterNetwork.start(3);
    network.skews.set('node-2', -60_000);
    network.cut('node-1', 'node-2');
    await network.node('node-1').roster.put('alice', 'a');
    // node-2 has not heard of it
    await network.node('node-2').roster.remove('alice', 'a');
    network.healAll();
    await network.quiet();
    for (const { roster } of network.nodes.values()) expect(roster.groupsOf('alice')).toEqual([]);
  });

  it('keep the order of changes that were answered one after the other, whichever nodes were asked', async () => {
    const ids = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'];
    const change = fc.record({
      order: fc.shuffledSubarray(ids, { minLength: 3, maxLength: 3 }),
      put: fc.boolean(),
      heal: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 2, maxLength: 6 }), async (changes) => {
        await using network = await RosterNetwork.start(5);
        for (const [i, id] of ids.entries()) network.skews.set(id, 60_000 * (i - 2));
        let expected = false;
        for (const { order, put, heal } of changes) {
          // the one that is asked hears two others, and with them is more than half
          const [asked = '', ...heard] = order;
          if (heal) network.healAll();
          for (const id of ids) {
            if (heard.includes(id)) network.heal(asked, id);
            else if (id !== asked) network.cut(asked, id);
          }
          const { roster } = network.node(asked);
          await (put ? roster.put('alice', 'a') : roster.remove('alice', 'a'));
          expected = put;
        }
        network.healAll();
        const views = (): string[] =>
          [...network.nodes.values()].map(({ roster }) => (roster.groupsOf('alice') as string[]).join());
        await waitFor(() => new Set(views()).size === 1, 'one view');
        await network.quiet();
        expect(views()).toEqual(ids.map(() => (expected ? 'a' : '')));
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  it('refuse what could be lost: where fewer than half of the nodes are heard; and do not know of what nobody has answered', async () => {
    await using network = await RosterNetwork.start(3, { timeoutMs: 100 });
    const { roster } = network.node('node-1');
    network.cut('node-1', 'node-2');
    await roster.put('alice', 'a');
    network.cut('node-1', 'node-3');
    await expect(roster.put('alice', 'b')).rejects.toThrow(RosterRefusedError);
    await expect(roster.remove('alice', 'a')).rejects.toThrow(RosterRefusedError);
    expect(roster.groupsOf('alice')).toEqual(['a']);
    network.heal('node-1', 'node-3');
    const cut = roster.put('alice', 'c');
    network.cut('node-1', 'node-3');
    await expect(cut).rejects.toThrow(RosterUnknownError);
    network.healAll();
    await roster.put('alice', 'c');
    expect(network.node('node-3').roster.groupsOf('alice')).toEqual(['a', 'c']);
  });

  it('refuse what had waited for a node that stood still: it was asked of another one, and may be undone', async () => {
    await using network = await RosterNetwork.start(3);
    await network.node('node-2').roster.put('alice', 'a');
    await network.node('node-2').roster.remove('alice', 'a');
    await network.quiet();
    network.stoodStill.add('node-1');
    const { roster } = network.node('node-1');
    await expect(roster.put('alice', 'a')).rejects.toThrow(RosterRefusedError);
    expect(roster.groupsOf('alice')).toEqual([]);
    network.stoodStill.delete('node-1');
    await roster.put('alice', 'a');
  });

  it('do not take silence for an answer, as of a node whose version knows nothing of this', async () => {
    await using network = await RosterNetwork.start(2, { timeoutMs: 100 });
    network.forgetKinds('node-2');
    const { roster } = network.node('node-1');
    await expect(roster.put('alice', 'a')).rejects.toThrow(RosterUnknownError);
    // one that does answer is enough
    await network.add('node-3');
    await roster.put('alice', 'a');
  });

  it('bound what they keep, and what they are given', async () => {
    await using network = await RosterNetwork.start(1, { maxMemberships: 3 });
    const { roster } = network.node('node-1');
    for (const user of ['a', 'b', 'c']) await roster.put(user, 'g');
    await expect(roster.put('d', 'g')).rejects.toThrow('3 memberships already');
    await roster.put('a', 'g');
    await roster.remove('a', 'g');
    await roster.put('d', 'g');
    for (const user of ['e', 'f']) await roster.remove(user, 'g');
    expect(roster.size).toEqual({ present: 3, ended: 3 });
    await expect(roster.remove('h', 'g')).rejects.toThrow(RosterFullError);
    await expect(roster.put('a', 'g')).rejects.toThrow(RosterFullError);
    const stamp = stampAfter(0, Date.now(), true);
    const [party] = network.parties('node-1');
    const answers: string[] = [];
    const from = { nodeId: 'x', send: (record: string) => answers.push(record) } as never;
    for (let i = 0; i < 5; i++)
      party?.onRequest(from, { t: 'member', correlation: i + 1, userId: `m${i}`, group: 'g', stamp });
    expect(roster.size).toEqual({ present: 3, ended: 3 });
    expect(roster.overflowed).toBe(5);
    expect(answers).toEqual([]);
  });
});
