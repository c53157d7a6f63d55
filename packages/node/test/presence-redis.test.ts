import { HTTP, presenceChannel } from '@ringway/protocol';
import { startRedis } from '@ringway/testkit';
import { describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { TestCluster, waitFor } from './support/cluster.ts';
import { changes, sure, told, watch } from './support/presence.ts';

describe('presence with the log in Redis', () => {
  it('is told in order to watchers anywhere, and resumed from any node', async () => {
    await using redis = await startRedis();
    await using cluster = await sure(
      await TestCluster.start(2, {
        RINGWAY_PRESENCE_DEBOUNCE: '500',
        RINGWAY_LOG: 'redis',
        RINGWAY_REDIS_URL: redis.url,
      }),
    );
    const bob = cluster.userOn('node-1');
    const watcher = await cluster.connect('alice', cluster.node('node-2'));
    const position = await watch(watcher, bob);
    for (let i = 0; i < 2; i++) {
      const session = await cluster.connect(bob);
      await waitFor(() => changes(watcher, bob).at(-1) === true, 'bob to have come');
      session.socket.close(1000);
      await waitFor(() => changes(watcher, bob).at(-1) === false, 'bob to have gone');
    }
    expect(changes(watcher, bob)).toEqual([false, true, false, true, false]);
    const again = await cluster.connect('carol', cluster.node('node-1'));
    await watch(again, bob);
    again.send({ type: 'resume', positions: { [presenceChannel(bob)]: position } });
    await again.next('resumed');
    const logged = (client: typeof again): boolean[] =>
      told(client, bob)
        .filter((one) => one.logged)
        .map(({ online }) => online);
    expect(logged(again)).toEqual(logged(watcher));
  });

  it('that stands still for a while is told, as it turns out, when it goes on', async () => {
    await using redis = await startRedis();
    await using cluster = await sure(
      await TestCluster.start(2, {
        RINGWAY_PRESENCE_DEBOUNCE: '500',
        RINGWAY_LOG: 'redis',
        RINGWAY_LOG_TIMEOUT: '300',
        RINGWAY_REDIS_URL: redis.url,
      }),
    );
    const bob = cluster.userOn('node-1');
    const watcher = await cluster.connect('alice', cluster.node('node-2'));
    const session = await cluster.connect(bob);
    await watch(watcher, bob);
    await waitFor(
      () => told(watcher, bob).some((one) => one.logged),
      'the home to have said how things stand',
    );
    redis.freeze();
    session.socket.close(1000);
    await waitFor(async () => {
      const query = `?userId=${bob}&debounced=true`;
      const answer = await fetch(`${cluster.node('node-1').addresses.internalUrl}${HTTP.presence}${query}`, {
        headers: { authorization: `Bearer ${cluster.token(cluster.node('node-1'))}` },
      });
      const { users } = (await answer.json()) as { users: { online: boolean }[] };
      return users[0]?.online === false;
    }, 'the home to take bob for gone');
    expect(changes(watcher, bob)).toEqual([true]);
    redis.thaw();
    await waitFor(() => changes(watcher, bob).at(-1) === false, 'bob to have gone');
    expect(changes(watcher, bob)).toEqual([true, false]);
  });
});

describe('presence without a ring', () => {
  it.each(['directory', 'broadcast'])('is refused, and what it needs is said: %s', async (router) => {
    await using redis = await startRedis();
    await using cluster = new TestCluster();
    await cluster.watcher.start();
    const env = { RINGWAY_ROUTER: router, RINGWAY_REDIS_URL: redis.url };
    const node: Node = await cluster.add('node-1', env);
    for (const path of ['/presence?userId=a', '/presence?group=g', '/presence/events']) {
      const answer = await fetch(node.addresses.internalUrl + path, {
        headers: { authorization: `Bearer ${cluster.token(node)}` },
      });
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({
        code: 'not_found',
        detail: expect.stringContaining('RINGWAY_ROUTER=ring'),
      });
    }
    const alice = await cluster.connect('alice', node);
    alice.send({ type: 'join', channel: presenceChannel('bob') });
    expect(await alice.next('error')).toMatchObject({
      code: 'invalid_channel',
      channel: presenceChannel('bob'),
      message: expect.stringContaining('RINGWAY_ROUTER=ring'),
    });
  });
});
