import { HTTP, presenceChannel, userChannel } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import type { TestClient } from './support/client.ts';
import { ALL, labelled, metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { ask, call, changes, nodesOf, sure, told, watch } from './support/presence.ts';

const DEBOUNCE = 500;
const ENV = { RINGWAY_PRESENCE_DEBOUNCE: String(DEBOUNCE), RINGWAY_HOME_TIMEOUT: '2000' };

describe('a client that watches a user', () => {
  it('is told how things stand when it joins, who comes at once, and who went after the debounce', async () => {
    await using cluster = await sure(await TestCluster.start(3, ENV));
    const bob = cluster.userOn('node-2');
    // on bob's home, and away from it
    const watchers = await Promise.all(nodesOf(cluster).map((node) => cluster.connect('alice', node)));
    for (const watcher of watchers) {
      await watch(watcher, bob);
      expect(told(watcher, bob)[0]?.online).toBe(false);
    }
    const guest = await cluster.connect(bob, cluster.node('node-1'));
    for (const watcher of watchers)
      await waitFor(() => changes(watcher, bob).length === 2, 'bob to have come');
    const [first] = watchers as [TestClient];
    const online = told(first, bob).at(-1);
    expect(online).toMatchObject({ online: true, logged: true });
    expect(online?.since).toBeLessThanOrEqual(Date.now());
    // somebody who comes later is told at once, and nobody else again
    const before = told(first, bob).length;
    const late = await cluster.connect('carol', cluster.node('node-3'));
    await watch(late, bob);
    expect(told(late, bob)).toEqual([{ online: true, since: online?.since, logged: false }]);
    // a second session is no news
    const second = await cluster.connect(bob);
    guest.socket.close(1000);
    await waitFor(async () => {
      const [one] = await ask(cluster, cluster.node('node-2'), [bob]);
      return !one?.error && one?.sessions === 1;
    }, 'one session');
    expect(told(first, bob)).toHaveLength(before);
    const left = performance.now();
    second.socket.close(1000);
    for (const watcher of [...watchers, late])
      await waitFor(() => changes(watcher, bob).at(-1) === false, 'bob to have gone');
    expect(performance.now() - left).toBeGreaterThanOrEqual(DEBOUNCE - 50);
    for (const watcher of watchers) expect(changes(watcher, bob)).toEqual([false, true, false]);
    const home = await metrics(cluster.node('node-2'));
    expect(metric(home, 'ringway_presence_watched')).toBe(1);
    expect(labelled(home, 'ringway_presence_told_total', 'state', 'offline')).toBeGreaterThan(0);
    for (const watcher of [...watchers, late]) {
      watcher.send({ type: 'leave', channel: presenceChannel(bob) });
      await watcher.next('left');
    }
    await waitFor(
      async () => metric(await metrics(cluster.node('node-2')), 'ringway_presence_watched') === 0,
      'nobody to watch',
    );
  });

  it('away from the home has what is said first in its place, behind joined and without reading it', async () => {
    await using cluster = await sure(await TestCluster.start(2, ENV));
    const bob = cluster.userOn('node-1');
    await cluster.connect(bob);
    const watcher = await cluster.connect('alice', cluster.node('node-2'));
    const position = await watch(watcher, bob);
    await waitFor(() => told(watcher, bob).some(({ logged }) => logged), 'the home to have said it', 1_000);
    const [first] = watcher.all('message').filter((message) => message.position);
    expect(first?.previous).toEqual(position);
  });

  it('hears nothing of a reconnect', async () => {
    await using cluster = await sure(
      await TestCluster.start(2, { ...ENV, RINGWAY_PRESENCE_DEBOUNCE: '3000' }),
    );
    const bob = cluster.userOn('node-1');
    const watcher = await cluster.connect('alice', cluster.node('node-2'));
    let session = await cluster.connect(bob);
    await watch(watcher, bob);
    await waitFor(() => told(watcher, bob).length === 2, 'the state, and what is published first');
    expect(
      told(watcher, bob)
        .map(({ logged }) => logged)
        .sort(),
    ).toEqual([false, true]);
    const before = told(watcher, bob).length;
    for (let i = 0; i < 3; i++) {
      session.socket.terminate();
      await waitFor(async () => {
        const [one] = await ask(cluster, cluster.node('node-1'), [bob]);
        return !one?.error && one?.online === false;
      }, 'bob to be away');
      // as those who watch see him
      const { body } = await call(cluster, cluster.node('node-2'), `?userId=${bob}&debounced=true`);
      expect(body['users']).toMatchObject([{ online: true, sessions: 0, nodes: [] }]);
      const late = await cluster.connect('carol', cluster.node('node-2'));
      await watch(late, bob);
      expect(told(late, bob)[0]).toMatchObject({ online: true, logged: false });
      late.socket.close(1000);
      session = await cluster.connect(bob, cluster.node(i % 2 === 0 ? 'node-2' : 'node-1'));
    }
    // what is said next comes behind whatever there would be
    session.socket.terminate();
    await waitFor(() => changes(watcher, bob).at(-1) === false, 'bob to have gone');
    expect(told(watcher, bob)).toHaveLength(before + 1);
  });

  it('needs the right to', async () => {
    await using cluster = await sure(await TestCluster.start(1, ENV));
    const cap = { ...ALL, presence: ['user:bob', 'user:c*'] };
    const alice = await cluster.connect('alice', cluster.node('node-1'), { cap });
    const refusedOf = async (userId: string): Promise<string> => {
      alice.send({ type: 'join', channel: presenceChannel(userId) });
      return (await alice.next('error')).code;
    };
    expect(await refusedOf('dave')).toBe('forbidden');
    await watch(alice, 'bob');
    await watch(alice, 'carol');
    // a right that covers less ends it
    const fewer = { ...ALL, presence: ['user:bob'] };
    alice.send({ type: 'refresh', ticket: cluster.ticket('alice', cluster.node('node-1'), { cap: fewer }) });
    await alice.next('refreshed');
    expect(await alice.next('left')).toMatchObject({ channel: presenceChannel('carol') });
    const nobody = await cluster.connect('mallory', cluster.node('node-1'), {
      cap: { ...ALL, presence: [] },
    });
    nobody.send({ type: 'join', channel: presenceChannel('bob') });
    expect(await nobody.next('error')).toMatchObject({ code: 'forbidden', channel: presenceChannel('bob') });
    for (const channel of [
      'presence:group:g',
      'presence:all',
      'presence:user:',
      'presence:presence:user:a',
    ]) {
      alice.send({ type: 'join', channel });
      expect(await alice.next('error')).toMatchObject({ code: 'invalid_channel', channel });
    }
    // and nobody else may speak there, whatever the right says
    alice.send({ type: 'publish', to: presenceChannel('bob'), data: { online: true }, id: 'p1' });
    expect(await alice.next('error')).toMatchObject({ code: 'invalid_channel', id: 'p1' });
    const node = cluster.node('node-1');
    const answer = await fetch(`${node.addresses.internalUrl}${HTTP.publish}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ to: presenceChannel('bob'), data: 1 }),
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'invalid_channel' });
  });

  it('may watch as many as it may join groups', async () => {
    await using cluster = await sure(await TestCluster.start(1, { ...ENV, RINGWAY_MAX_GROUPS: '2' }));
    const alice = await cluster.connect('alice');
    await watch(alice, 'bob');
    await watch(alice, 'carol');
    alice.send({ type: 'join', channel: presenceChannel('dave') });
    expect(await alice.next('error')).toMatchObject({ code: 'forbidden' });
  });

  it('resumes what it missed while it was away, as in any channel', async () => {
    await using cluster = await sure(await TestCluster.start(2, ENV));
    const bob = cluster.userOn('node-2');
    const first = await cluster.connect('alice', cluster.node('node-1'));
    // somebody who goes on watching: what nobody watches is not said
    const other = await cluster.connect('carol', cluster.node('node-1'));
    await watch(other, bob);
    await waitFor(
      () => told(other, bob).some(({ logged }) => logged),
      'the home to have said how things stand',
    );
    const position = await watch(first, bob);
    first.socket.terminate();
    const session = await cluster.connect(bob);
    session.socket.close(1000);
    await waitFor(() => changes(other, bob).length === 3, 'bob to have come and gone');
    const again = await cluster.connect('alice', cluster.node('node-1'));
    await watch(again, bob);
    again.send({ type: 'resume', positions: { [presenceChannel(bob)]: position } });
    await again.next('resumed');
    expect(
      told(again, bob)
        .filter(({ logged }) => logged)
        .map(({ online }) => online),
    ).toEqual([true, false]);
  });

  it('is told the truth again when the home has changed, and nothing else', async () => {
    await using cluster = await sure(await TestCluster.start(3, ENV));
    const here = Array.from({ length: 12 }, (_, i) => `here-${i}`);
    const away = Array.from({ length: 12 }, (_, i) => `away-${i}`);
    const stay = cluster.node('node-1');
    // sessions and watchers on a node that stays: whoever is home is another matter
    for (const userId of here) await cluster.connect(userId, stay);
    const watcher = await cluster.connect('alice', stay);
    for (const userId of [...here, ...away]) await watch(watcher, userId);
    await cluster.add('node-4', ENV);
    await cluster.settled();
    await cluster.remove('node-2');
    await cluster.settled();
    const fresh = await cluster.connect('zoe', stay);
    for (const userId of away) {
      const session = await cluster.connect(userId, stay);
      await waitFor(() => changes(watcher, userId).at(-1) === true, `${userId} to have come`);
      session.socket.close(1000);
    }
    for (const userId of away)
      await waitFor(() => changes(watcher, userId).at(-1) === false, `${userId} to have gone`);
    for (const userId of here) expect(changes(watcher, userId)).toEqual([true]);
    for (const userId of away) expect(changes(watcher, userId)).toEqual([false, true, false]);
    await watch(fresh, here[0] as string);
    expect(watcher.all('gap')).toEqual([]);
  });
});

describe('the place of a presence channel', () => {
  it('is its user’s: the same home, so that what it says needs nobody else', async () => {
    await using cluster = await sure(await TestCluster.start(3, ENV));
    const watcher = await cluster.connect('alice');
    for (const id of ['node-1', 'node-2', 'node-3']) {
      const userId = cluster.userOn(id, 'there');
      await watch(watcher, userId);
      await waitFor(
        async () => metric(await metrics(cluster.node(id)), 'ringway_presence_watched') === 1,
        `${userId} to be watched by the home of ${userChannel(userId)}`,
      );
    }
  });
});
