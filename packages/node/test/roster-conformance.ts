import { describe, expect, it } from 'vitest';
import { RosterFullError } from '../src/groups/port.ts';
import { waitFor } from './support/cluster.ts';
import type { RosterNode } from './support/rosters.ts';

/** Nodes of one cluster, each with its roster; two at least. A user may be in three groups. */
export interface RosterCluster extends AsyncDisposable {
  readonly rosters: readonly [RosterNode, RosterNode, ...RosterNode[]];
}

let names = 0;

/** What every roster does, whatever it is kept in. */
export function rosterConformance(name: string, open: () => Promise<RosterCluster>): void {
  describe(`the roster in ${name}`, () => {
    const inCluster = async (run: (...nodes: RosterCluster['rosters']) => Promise<void>): Promise<void> => {
      await using cluster = await open();
      await run(...cluster.rosters);
    };
    const fresh = (): [user: string, group: string] => [`user-${++names}`, `group-${names}`];
    const everyone = async (
      nodes: readonly RosterNode[],
      user: string,
      groups: readonly string[],
    ): Promise<void> => {
      for (const { roster } of nodes) {
        let seen: readonly string[] = [];
        const look = async (): Promise<boolean> => {
          seen = await roster.groupsOf(user);
          return seen.join() === groups.join();
        };
        await waitFor(look, `${user} to be in ${groups.join() || 'nothing'}, not ${seen.join()}`);
      }
    };

    it('puts a user into a group, for all nodes, and tells each of them once', () =>
      inCluster(async (...nodes) => {
        const [user, group] = fresh();
        const [first, second] = nodes;
        await first.roster.put(user, group);
        expect(await first.roster.groupsOf(user)).toEqual([group]);
        await everyone(nodes, user, [group]);
        await second.roster.put(user, group);
        await second.roster.put(user, `${group}-b`);
        await everyone(nodes, user, [group, `${group}-b`]);
        for (const { user: told } of nodes) {
          await waitFor(() => told.changes.length === 2, 'both changes');
          expect(told.changes).toEqual([
            [user, group, true],
            [user, `${group}-b`, true],
          ]);
        }
      }));

    it('takes a user out again, from any node, and tells it also where it was not in', () =>
      inCluster(async (...nodes) => {
        const [user, group] = fresh();
        const [first, second] = nodes;
        await first.roster.put(user, group);
        await second.roster.remove(user, group);
        await everyone(nodes, user, []);
        await second.roster.remove(user, group);
        for (const { user: told } of nodes) {
          await waitFor(() => told.changes.length === 3, 'three changes');
          expect(told.changes.map(([, , present]) => present)).toEqual([true, false, false]);
        }
        await first.roster.put(user, group);
        await everyone(nodes, user, [group]);
      }));

    it('does what was asked last, whichever nodes are asked', () =>
      inCluster(async (...nodes) => {
        const [user, group] = fresh();
        for (let i = 0; i < 30; i++) {
          const { roster } = nodes[i % nodes.length] as RosterNode;
          await (i % 3 === 2 ? roster.remove(user, group) : roster.put(user, group));
        }
        await everyone(nodes, user, []);
        await nodes[1].roster.put(user, group);
        await everyone(nodes, user, [group]);
      }));

    it('lists members and groups by their bytes, page by page', () =>
      inCluster(async ({ roster }) => {
        const [, group] = fresh();
        const users = ['a', 'B', 'ä', 'z', '\u{1f600}', '～', ' ', '%', 'a b', '}'].map(
          (text) => `${group} ${text}`,
        );
        const byBytes = [...users].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        for (const user of users) await roster.put(user, group);
        expect(await roster.membersOf(group, '', 100)).toEqual({ members: byBytes, more: false });
        expect(await roster.membersOf(group, '', 10)).toEqual({ members: byBytes, more: false });
        const paged: string[] = [];
        for (let more = true; more; ) {
          const page = await roster.membersOf(group, paged.at(-1) ?? '', 3);
          expect(page.members.length).toBeLessThanOrEqual(3);
          paged.push(...page.members);
          more = page.more;
        }
        expect(paged).toEqual(byBytes);
        expect(await roster.membersOf(group, byBytes.at(-1) ?? '', 3)).toEqual({ members: [], more: false });
        await roster.remove(byBytes[0] ?? '', group);
        expect((await roster.membersOf(group, '', 100)).members).toEqual(byBytes.slice(1));
        expect(await roster.membersOf('nobody', '', 3)).toEqual({ members: [], more: false });
        const [user] = fresh();
        for (const name of ['～', '\u{1f600}', 'b']) await roster.put(user, name);
        expect(await roster.groupsOf(user)).toEqual(['b', '～', '\u{1f600}']);
      }));

    it('puts a user into so many groups and no more', () =>
      inCluster(async ({ roster }) => {
        const [user, group] = fresh();
        for (const n of [1, 2, 3]) await roster.put(user, `${group}-${n}`);
        await expect(roster.put(user, `${group}-4`)).rejects.toThrow(RosterFullError);
        await expect(roster.put(user, `${group}-4`)).rejects.toThrow('in 3 groups already');
        await roster.put(user, `${group}-2`);
        await roster.remove(user, `${group}-1`);
        await roster.put(user, `${group}-4`);
        expect(await roster.groupsOf(user)).toEqual([2, 3, 4].map((n) => `${group}-${n}`));
        expect((await roster.membersOf(`${group}-1`, '', 3)).members).toEqual([]);
      }));

    it('reads many at once', () =>
      inCluster(async ({ roster }) => {
        const users = Array.from({ length: 300 }, () => fresh());
        await Promise.all(users.map(([user, group]) => roster.put(user, group)));
        const read = await Promise.all(users.map(([user]) => roster.groupsOf(user)));
        expect(read).toEqual(users.map(([, group]) => [group]));
      }));
  });
}
