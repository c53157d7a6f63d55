import type { Position } from '@ringway/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome, Publication, Router } from '../src/router/port.ts';
import { quote } from '../src/text.ts';
import { waitFor } from './support/cluster.ts';

import type { RouterCluster, RouterNode } from './support/recorded-channels.ts';
/** What not every router can do. */
export interface RouterAbilities {
  /** Messages have positions and can be read again. */
  readonly resume: boolean;
  /** It knows who has subscribers: `reached` counts the sessions of all nodes. */
  readonly counts: boolean;
  /** Messages that a channel keeps at least, where it keeps any. */
  readonly kept: number;
}

function publishing(router: Router, publication: Omit<Publication, 'done'>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let answered = 0;
    router.publish({
      ...publication,
      done: (outcome) => {
        if (++answered > 1) reject(new Error('answered twice'));
        resolve(outcome);
      },
    });
  });
}

let made = 0;

function publication(channel: string, data: string, more: Partial<Publication> = {}): Publication {
  return { channel, from: '"user:alice"', id: quote(`m${made++}`), data, ephemeral: false, ...more };
}

function isPublished(outcome: Outcome | undefined): Extract<Outcome, { kind: 'published' }> {
  expect(outcome?.kind).toBe('published');
  return outcome as Extract<Outcome, { kind: 'published' }>;
}

/** What every router promises, whatever carries its messages. */
export function routerConformance(
  name: string,
  count: number,
  abilities: RouterAbilities,
  start: (count: number) => Promise<RouterCluster>,
): void {
  describe(`the router port over ${name} with ${count} node${count === 1 ? '' : 's'}`, () => {
    let cluster: RouterCluster;
    beforeAll(async () => {
      cluster = await start(count);
    });
    afterAll(() => cluster[Symbol.asyncDispose]());

    const node = (i: number): RouterNode => cluster.nodes[i % count] as RouterNode;
    /** Enough channels that each node of a ring is home of some. */
    const some = (prefix: string): string[] => Array.from({ length: 8 }, (_, i) => `group:${prefix}-${i}`);
    const arrived = (at: RouterNode, channel: string, messages: number): Promise<void> =>
      waitFor(
        () => at.local.got(channel).length >= messages,
        `${messages} on ${channel}, got ${at.local.data(channel)}`,
      );

    it('brings a message from each node to each that subscribed, once, and answers', async () => {
      for (const channel of some('each')) {
        for (const { local, router } of cluster.nodes) await local.join(router, channel, 2);
        for (const [i, { router }] of cluster.nodes.entries()) {
          const outcome = isPublished(await publishing(router, publication(channel, String(i))));
          expect(outcome.reached).toBe(abilities.counts ? 2 * count : 2);
          expect(outcome.duplicate).toBe(false);
          if (abilities.resume) expect(outcome.position?.seq).toBeGreaterThan(0);
        }
        const expected = [...cluster.nodes.keys()].map(String);
        for (const at of cluster.nodes) {
          await arrived(at, channel, count);
          expect(at.local.data(channel)).toEqual(expected);
        }
      }
    });

    it('keeps the order of one node’s publications to a channel', async () => {
      const [channel] = some('order') as [string];
      for (const { local, router } of cluster.nodes) await local.join(router, channel);
      const answers = [...Array(200).keys()].map((i) =>
        publishing(node(i % 2).router, publication(channel, `${i % 2}-${i}`)),
      );
      for (const answer of await Promise.all(answers)) isPublished(answer);
      for (const at of cluster.nodes) {
        await arrived(at, channel, 200);
        const got = at.local.data(channel);
        for (const sender of count === 1 ? [] : ['0', '1']) {
          const own = got
            .filter((data) => data.startsWith(`${sender}-`))
            .map((data) => Number(data.slice(2)));
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
        expect(got).toEqual(cluster.nodes[0]?.local.data(channel));
      }
    });

    it('carries names, ids and data of any script and length as they are', async () => {
      const channel = 'user:ŋ "漢字" 😀';
      const at = node(1);
      await at.local.join(at.router, channel);
      const data = Buffer.from(`{"é": 9007199254740993.10, "t":"${'ü'.repeat(40_000)}"}`).toString('latin1');
      const sent = { ...publication(channel, data), from: quote('user:zoë'), id: quote('ïd "1"') };
      isPublished(await publishing(node(0).router, sent));
      await arrived(at, channel, 1);
      expect(at.local.got(channel)[0]).toMatchObject({ from: sent.from, id: sent.id, data });
    });

    it('tells where the stream begins, and brings everything behind it', async () => {
      for (const channel of some('begin')) {
        isPublished(await publishing(node(0).router, publication(channel, '1')));
        const at = node(2);
        const start = await at.local.join(at.router, channel);
        const outcome = isPublished(await publishing(node(1).router, publication(channel, '2')));
        await arrived(at, channel, 1);
        expect(at.local.data(channel)).toEqual(['2']);
        if (abilities.resume) {
          expect(at.local.got(channel)[0]?.previous).toEqual(start);
          expect(at.local.got(channel)[0]?.position).toEqual(outcome.position);
        }
      }
    });

    it('takes a message whose sender wants no answer', async () => {
      for (const channel of some('mute')) {
        const at = node(1);
        await at.local.join(at.router, channel);
        for (let i = 0; i < 5; i++) node(2).router.publish(publication(channel, String(i)));
        await arrived(at, channel, 5);
        expect(at.local.data(channel)).toEqual(['0', '1', '2', '3', '4']);
      }
    });

    it('brings one id once, and where it is stored refuses it with other data', async () => {
      for (const channel of some('once')) {
        const at = node(1);
        await at.local.join(at.router, channel);
        const sent = publication(channel, '1');
        const first = isPublished(await publishing(node(0).router, sent));
        const again = isPublished(await publishing(node(2).router, sent));
        if (abilities.resume) {
          expect(again.duplicate).toBe(true);
          expect(again.position).toEqual(first.position);
          expect(await publishing(node(1).router, { ...sent, data: '2' })).toEqual({
            kind: 'failed',
            code: 'id_conflict',
          });
        }
        isPublished(await publishing(node(0).router, publication(channel, '3')));
        await arrived(at, channel, 2);
        expect(at.local.data(channel)).toEqual(['1', '3']);
      }
    });

    it('sends what is ephemeral on, and keeps nothing of it', async () => {
      for (const channel of some('ephemeral')) {
        const at = node(1);
        const start = await at.local.join(at.router, channel);
        const outcome = await publishing(node(0).router, publication(channel, '1', { ephemeral: true }));
        const here = node(0) === at ? 1 : 0;
        expect(isPublished(outcome)).toMatchObject({
          reached: abilities.counts ? 1 : here,
          duplicate: false,
        });
        expect(isPublished(outcome).position).toBeUndefined();
        await arrived(at, channel, 1);
        expect(at.local.got(channel)[0]?.position).toBeUndefined();
        if (abilities.resume) {
          expect(await node(2).router.history(channel, start, 10)).toMatchObject({ start, messages: [] });
        }
      }
    });

    it('brings a list to each of its channels, with an outcome for each in order', async () => {
      const channels = some('list').map((channel) => channel.replace('group:', 'user:'));
      for (const [i, channel] of channels.entries()) {
        if (i % 2 === 0) await node(i).local.join(node(i).router, channel, i + 1);
      }
      const message = publication('', '"all"');
      const many = (data = message.data) =>
        new Promise<readonly Outcome[]>((resolve) => {
          node(0).router.publishMany({ ...message, data }, channels, resolve);
        });
      const outcomes = await many();
      const counted = (i: number): boolean => i % 2 === 0 && (abilities.counts || node(i) === node(0));
      expect(outcomes.map((outcome) => isPublished(outcome).reached)).toEqual(
        channels.map((_, i) => (counted(i) ? i + 1 : 0)),
      );
      for (const [i, channel] of channels.entries()) {
        if (i % 2 === 0) await arrived(node(i), channel, 1);
      }
      const again = await many();
      if (abilities.resume) {
        expect(again.every((outcome) => isPublished(outcome).duplicate)).toBe(true);
        expect(await many('"else"')).toEqual(channels.map(() => ({ kind: 'failed', code: 'id_conflict' })));
      }
      expect(
        await new Promise((resolve) => {
          node(0).router.publishMany(message, [], resolve);
        }),
      ).toEqual([]);
      node(1).router.publishMany({ ...publication('', '"mute"') }, channels);
      for (const [i, channel] of channels.entries()) {
        if (i % 2 === 0) await arrived(node(i), channel, 2);
      }
    });

    it('counts the sessions as they are now, and brings nothing to who has left', async () => {
      for (const channel of some('count')) {
        const [one, two] = [node(0), node(1)];
        const everywhere = abilities.counts && two !== one;
        await one.local.join(one.router, channel, 1);
        if (two !== one) await two.local.join(two.router, channel, 2);
        const reached = async (): Promise<number> =>
          isPublished(await publishing(one.router, publication(channel, '1'))).reached;
        expect(await reached()).toBe(everywhere ? 3 : 1);
        one.local.recount(one.router, channel, 5);
        await waitFor(async () => (await reached()) === (everywhere ? 7 : 5), 'the new number');
        if (two !== one) two.local.leave(two.router, channel);
        await waitFor(async () => (await reached()) === 5, 'one node to have left');
        one.local.leave(one.router, channel);
        await waitFor(async () => (await reached()) === 0, 'both to have left');
        await one.local.join(one.router, channel, 1);
        expect(await reached()).toBe(1);
        await arrived(one, channel, 1);
      }
    });

    it('keeps a channel that is held without sessions, such as all, and counts nobody there', async () => {
      for (const channel of ['all', ...some('kept')]) {
        let said = 0;
        const say = async (): Promise<number> => {
          const { router } = node(said);
          return isPublished(await publishing(router, publication(channel, String(said++)))).reached;
        };
        for (const { local, router } of cluster.nodes) await local.join(router, channel, 0);
        for (const _ of cluster.nodes) expect(await say()).toBe(0);
        for (const { local, router } of cluster.nodes) local.recount(router, channel, 2);
        await waitFor(async () => (await say()) === (abilities.counts ? 2 * count : 2), 'all to be counted');
        for (const { local, router } of cluster.nodes) local.recount(router, channel, 0);
        await waitFor(async () => (await say()) === 0, 'nobody to be counted');
        await say();
        for (const at of cluster.nodes) {
          await arrived(at, channel, said);
          expect(at.local.data(channel)).toEqual(Array.from({ length: said }, (_, i) => String(i)));
          at.local.leave(at.router, channel);
        }
      }
    });

    it('ends a user’s sessions wherever they are', async () => {
      for (const channel of some('kick').map((one) => one.replace('group:', 'user:'))) {
        for (const { local, router } of cluster.nodes) await local.join(router, channel);
        node(1).router.kick(channel, 30);
        for (const { local } of cluster.nodes) {
          await waitFor(() => local.kicks.includes(`${channel} 30`), 'the kick');
        }
      }
    });

    if (abilities.resume) {
      it('reads from any node what came after a position, and what came last', async () => {
        for (const channel of some('read')) {
          const places: Position[] = [];
          for (let i = 0; i < 6; i++) {
            const outcome = isPublished(await publishing(node(i).router, publication(channel, String(i))));
            places.push(outcome.position as Position);
          }
          for (const { router } of cluster.nodes) {
            for (const [i, since] of places.entries()) {
              const { start, messages } = await router.history(channel, since, 3);
              expect(start).toEqual(since);
              expect(messages.map(({ data }) => data)).toEqual(
                ['0', '1', '2', '3', '4', '5'].slice(i + 1, i + 4),
              );
              expect(messages.map(({ position }) => position)).toEqual(places.slice(i + 1, i + 4));
            }
            const last = await router.recent(channel, 2);
            expect(last.messages.map(({ data }) => data)).toEqual(['4', '5']);
            expect(last.start).toEqual(places[3]);
          }
        }
      });

      it('tells a gap where a log has dropped what is asked for', async () => {
        for (const channel of some('gap')) {
          const first = isPublished(await publishing(node(0).router, publication(channel, '0')));
          const most = 40 * abilities.kept;
          const answers = [...Array(most).keys()].map((i) =>
            publishing(node(0).router, publication(channel, String(i + 1))),
          );
          const head = isPublished((await Promise.all(answers)).at(-1)).position;
          for (const { router } of cluster.nodes) {
            const { start, messages } = await router.history(channel, first.position as Position, most);
            expect(start).not.toEqual(first.position);
            expect(messages.length).toBeGreaterThanOrEqual(abilities.kept);
            expect(messages[0]?.previous).toEqual(start);
            expect(messages.at(-1)?.position).toEqual(head);
          }
        }
      });
    }

    it('brings every message behind a subscription once and in order, whoever says what, and when', async () => {
      const step = fc.oneof(
        {
          arbitrary: fc.record({ do: fc.constant('join' as const), node: fc.nat(2), to: fc.nat(3) }),
          weight: 2,
        },
        {
          arbitrary: fc.record({ do: fc.constant('leave' as const), node: fc.nat(2), to: fc.nat(3) }),
          weight: 1,
        },
        {
          arbitrary: fc.record({ do: fc.constant('publish' as const), node: fc.nat(2), to: fc.nat(3) }),
          weight: 6,
        },
        {
          arbitrary: fc.record({ do: fc.constant('list' as const), node: fc.nat(2), to: fc.nat(3) }),
          weight: 1,
        },
        {
          arbitrary: fc.record({ do: fc.constant('rest' as const), node: fc.nat(2), to: fc.nat(3) }),
          weight: 1,
        },
      );
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          run++;
          const channels = [0, 1, 2, 3].map((i) => `group:any-${run}-${i}`);
          /** By channel: what was published since each node joined it. */
          const since = channels.map(() => new Map<RouterNode, number>());
          const said = channels.map(() => 0);
          const open: Promise<unknown>[] = [];
          let all: Promise<unknown> = Promise.resolve();
          for (const one of steps) {
            const at = node(one.node);
            const channel = channels[one.to] as string;
            if (one.do === 'rest') await all;
            if (one.do === 'join' && !since[one.to]?.has(at)) {
              await all;
              await at.local.join(at.router, channel);
              since[one.to]?.set(at, said[one.to] ?? 0);
            }
            if (one.do === 'leave' && since[one.to]?.delete(at)) at.local.leave(at.router, channel);
            if (one.do === 'publish') {
              said[one.to] = (said[one.to] ?? 0) + 1;
              open.push(publishing(at.router, publication(channel, String(one.node))));
            }
            if (one.do === 'list') {
              for (const i of channels.keys()) said[i] = (said[i] ?? 0) + 1;
              open.push(
                new Promise((resolve) => {
                  at.router.publishMany(publication('', String(one.node)), channels, resolve);
                }),
              );
            }
            all = Promise.all(open);
          }
          await all;
          for (const [i, channel] of channels.entries()) {
            const ids: string[][] = [];
            for (const [at, from] of since[i] ?? []) {
              const expected = (said[i] ?? 0) - from;
              await arrived(at, channel, expected);
              const got = at.local.got(channel).map(({ id }) => id);
              expect(got).toHaveLength(expected);
              expect(new Set(got).size).toBe(expected);
              ids.push(got);
            }
            // all see one order
            const longest = ids.reduce((a, b) => (b.length > a.length ? b : a), []);
            for (const got of ids) expect(longest.slice(longest.length - got.length)).toEqual(got);
          }
          for (const [i, channel] of channels.entries()) {
            for (const at of since[i]?.keys() ?? []) at.local.leave(at.router, channel);
          }
        }),
        { numRuns: 30 },
      );
    });
  });
}
