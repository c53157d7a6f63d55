import { CLOSE, userChannel } from '@ringway/protocol';
import { openCompact, ticketAudience } from '@ringway/service';
import { describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import type { TestClient } from './support/client.ts';
import { labelled, metric, metrics, TestCluster, ticketKeys, waitFor } from './support/cluster.ts';
import { Person } from './support/people.ts';

const ENV = { RINGWAY_MOVE: 'overlap', RINGWAY_MOVE_SPREAD: '100', RINGWAY_PUBLISHES_PER_SECOND: '10000' };

async function moves(node: Node, result: string): Promise<number> {
  return labelled(await metrics(node), 'ringway_moves_total', 'result', result);
}

/** Sessions of this many users, each on its home. */
async function connectAll(cluster: TestCluster, count: number): Promise<Map<string, TestClient>> {
  const users = Array.from({ length: count }, (_, i) => `user-${i}`);
  return new Map(
    await Promise.all(users.map(async (userId) => [userId, await cluster.connect(userId)] as const)),
  );
}

describe('a node that is added', () => {
  it('gets its share of the sessions and no others, each told where and given a ticket of its own', async () => {
    await using cluster = await TestCluster.start(3, ENV);
    const clients = await connectAll(cluster, 120);
    const fourth = await cluster.add('node-4', ENV);
    await cluster.settled();
    const { current } = cluster.watcher;
    const moved = [...clients].filter(([userId]) => current.owner(userChannel(userId))?.id === 'node-4');
    expect(moved.length).toBeGreaterThan(10);
    await Promise.all(moved.map(([, client]) => client.next('move')));
    for (const [userId, client] of moved) {
      expect(client.all('move')).toHaveLength(1);
      const [{ url = '', ticket = '', deadline = 0 } = {}] = client.all('move');
      expect(url).toBe(`${fourth.addresses.publicUrl}/ws?ticket=${ticket}`);
      expect(deadline - Date.now()).toBeGreaterThan(0);
      expect(deadline - Date.now()).toBeLessThanOrEqual(10_000);
      const opened = openCompact(ticketKeys, 'ringway-ticket+jwt', ticket);
      expect(opened).toMatchObject({
        ok: true,
        claims: {
          sub: userId,
          aud: ticketAudience('node-4', fourth.incarnation),
          via: 'move',
          ring: { checksum: current.version.checksum },
        },
      });
    }
    // they go as they were told to, then the old connection says goodbye
    for (const [, client] of moved) {
      const there = cluster.openUrl(client.all('move')[0]?.url ?? '');
      expect(await there.next('welcome')).toMatchObject({ nodeId: 'node-4' });
      client.socket.close(1000);
    }
    await waitFor(async () => {
      const nodes = ['node-1', 'node-2', 'node-3'].map((id) => cluster.node(id));
      const followed = await Promise.all(nodes.map((node) => moves(node, 'followed')));
      return followed.reduce((a, b) => a + b, 0) === moved.length;
    }, 'all to have followed');
    for (const [userId, client] of clients) {
      if (moved.some(([one]) => one === userId)) continue;
      expect(client.all('move')).toEqual([]);
      expect(client.socket.readyState).toBe(1);
    }
    expect(fourth.sessions).toBe(moved.length);
  });

  it('is not waited for by clients that know nothing of it: they are closed, and come by themselves', async () => {
    const env = { ...ENV, RINGWAY_MOVE_DEADLINE: '300' };
    await using cluster = await TestCluster.start(1, env);
    const clients = await connectAll(cluster, 20);
    await cluster.add('node-2', env);
    const moved = [...clients].filter(([userId]) => cluster.ownerOf(userId).id === 'node-2');
    expect(moved.length).toBeGreaterThan(0);
    for (const [, client] of moved) expect(await client.closed).toEqual({ code: 4600, reason: 'moved' });
    expect(await moves(cluster.node('node-1'), 'expired')).toBe(moved.length);
    for (const [userId] of moved) await cluster.connect(userId);
    for (const [userId, client] of clients)
      if (cluster.ownerOf(userId).id === 'node-1') expect(client.socket.readyState).toBe(1);
  });

  it('the blunt way: those concerned are closed at once', async () => {
    const env = { ...ENV, RINGWAY_MOVE: 'close' };
    await using cluster = await TestCluster.start(1, env);
    const clients = await connectAll(cluster, 20);
    await cluster.add('node-2', env);
    const moved = [...clients].filter(([userId]) => cluster.ownerOf(userId).id === 'node-2');
    for (const [, client] of moved) {
      expect(await client.closed).toEqual({ code: CLOSE.moved.code, reason: 'moved' });
      expect(client.all('move')).toEqual([]);
    }
    expect(await moves(cluster.node('node-1'), 'closed')).toBe(moved.length);
  });
});

describe('a guest', () => {
  it('whose ticket avoided its home is left alone, and may renew its right', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const bob = cluster.userOn('node-1', 'bob');
    const away = cluster.node('node-2');
    const more = { via: 'avoid', avoid: ['node-1'], sexp: Math.floor(Date.now() / 1000) + 3 } as const;
    const guest = await cluster.connect(bob, away, more);
    await guest.next('expiring');
    guest.send({ type: 'refresh', ticket: cluster.ticket(bob, away, { via: 'avoid', avoid: ['node-1'] }) });
    await guest.next('refreshed');
    // a guest that nobody avoided goes, so that the look at all of them has come by
    const other = await cluster.connect(cluster.userOn('node-1', 'carol'), away);
    await other.next('move');
    await waitFor(
      async () => metric(await metrics(away), 'ringway_moves_pending') === 1,
      'the other to have been told',
    );
    expect(guest.all('move')).toEqual([]);
    expect(guest.socket.readyState).toBe(1);
  });

  it('that cannot get to its home says so and stays', async () => {
    await using cluster = await TestCluster.start(2, { ...ENV, RINGWAY_MOVE_DEADLINE: '500' });
    const bob = cluster.userOn('node-1', 'bob');
    const away = cluster.node('node-2');
    const guest = await cluster.connect(bob, away);
    await guest.next('move');
    guest.send({ type: 'moveFailed', reason: 'closed 1006' });
    guest.send({ type: 'publish', to: `user:${bob}`, id: 'still-here', data: 1 });
    await guest.next('published');
    await waitFor(async () => (await moves(away, 'failed')) === 1, 'it to be counted');
    expect(metric(await metrics(away), 'ringway_moves_pending')).toBe(0);
    expect(guest.socket.readyState).toBe(1);
  });
});

describe('SDK clients', () => {
  it('go to their new home and back while they talk: no disconnect, no repeat, in order, nothing missing untold', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const people = Array.from({ length: 20 }, (_, i) => new Person(cluster, `person-${i}`));
    await using _end = {
      [Symbol.asyncDispose]: async () => {
        await Promise.all(people.map(({ client }) => client.close()));
      },
    };
    await Promise.all(people.map(({ client }) => client.connect()));
    await Promise.all(people.map(({ client }) => client.join('group:all-of-us')));
    let said = 0;
    const answers: Promise<unknown>[] = [];
    const timer = setInterval(() => {
      const n = said++;
      people.forEach(({ client }, i) => {
        const to = people[(i + 1) % people.length] as Person;
        answers.push(client.publish(`user:${to.userId}`, n));
      });
      if (people[0]) answers.push(people[0].client.publish('group:all-of-us', n));
    }, 10);
    const talk = async (): Promise<void> => {
      const until = said + 20;
      await waitFor(() => said >= until, 'some more talk');
    };
    const atHome = (): boolean => people.every(({ userId, nodeId }) => nodeId === cluster.ownerOf(userId).id);
    await talk();
    await cluster.add('node-3', ENV);
    await waitFor(atHome, 'everyone to be at home', 20_000);
    expect(people.some(({ nodeId }) => nodeId === 'node-3')).toBe(true);
    await talk();
    await cluster.remove('node-3');
    await waitFor(atHome, 'everyone to be back', 20_000);
    await talk();
    clearInterval(timer);
    await Promise.all(answers);
    for (const person of people) {
      for (const channel of [`user:${person.userId}`, 'group:all-of-us']) {
        await waitFor(() => person.numbers(channel).at(-1) === said - 1, `the last one of ${channel}`);
        const numbers = person.numbers(channel);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        const gaps = person.gaps.filter((gap) => gap.channel === channel);
        if (gaps.length === 0) expect(numbers).toHaveLength(said);
      }
      expect(person.states.map(({ new: state }) => state)).toEqual(['connecting', 'connected']);
      expect(person.errors).toEqual([]);
    }
  });
});
