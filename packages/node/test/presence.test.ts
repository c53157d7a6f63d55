import { presenceChannel, type UserPresence } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import type { TestClient } from './support/client.ts';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { ask, call, changes, nodesOf, sure, told, watch } from './support/presence.ts';
import { ProxiedCluster } from './support/proxied-cluster.ts';

const ENV = { RINGWAY_PRESENCE_DEBOUNCE: '500', RINGWAY_HOME_TIMEOUT: '2000' };

describe('presence, asked of any node', () => {
  it('tells who is there, where, since when and with how many sessions, guests too, in the order asked', async () => {
    await using cluster = await sure(await TestCluster.start(3, ENV));
    const [alice, bob, carol] = [
      cluster.userOn('node-1'),
      cluster.userOn('node-2'),
      cluster.userOn('node-3'),
    ];
    const before = Date.now();
    await cluster.connect(alice);
    // bob on his home, and as a guest of two others
    await cluster.connect(bob, cluster.node('node-3'));
    const between = Date.now();
    await cluster.connect(bob, cluster.node('node-1'));
    await cluster.connect(bob, cluster.node('node-1'));
    await cluster.connect(bob);
    const asked = [carol, bob, alice, bob];
    for (const node of nodesOf(cluster)) {
      const [c, b, a, again] = await ask(cluster, node, asked);
      expect(c).toEqual({ userId: carol, online: false, sessions: 0, nodes: [] });
      expect(a).toMatchObject({
        userId: alice,
        online: true,
        sessions: 1,
        nodes: [{ nodeId: 'node-1', sessions: 1 }],
      });
      expect(b).toMatchObject({ userId: bob, online: true, sessions: 4 });
      const { nodes, since = 0 } = b as Exclude<UserPresence, { error: object }>;
      expect(nodes).toHaveLength(3);
      expect(nodes).toContainEqual({ nodeId: 'node-1', sessions: 2 });
      // the earliest of all
      expect(since).toBeGreaterThanOrEqual(before);
      expect(since).toBeLessThanOrEqual(between);
      expect(again).toEqual(b);
      const { body } = await call(cluster, node, `?userId=${carol}&userId=${alice}`);
      expect(body['users']).toEqual([c, a]);
    }
  });

  it('tells the since of what is left, and nothing of who has gone', async () => {
    await using cluster = await sure(await TestCluster.start(2, ENV));
    const bob = cluster.userOn('node-1');
    const first = await cluster.connect(bob, cluster.node('node-2'));
    const between = Date.now() + 1;
    await waitFor(() => Date.now() > between, 'a later time');
    const second = await cluster.connect(bob, cluster.node('node-2'));
    first.socket.close(1000);
    const sessions = async (): Promise<number> => {
      const [one] = await ask(cluster, cluster.node('node-1'), [bob]);
      return one?.error ? -1 : (one?.sessions ?? -1);
    };
    await waitFor(async () => (await sessions()) === 1, 'one session');
    const [left] = await ask(cluster, cluster.node('node-1'), [bob]);
    expect((left as { since: number }).since).toBeGreaterThan(between);
    second.socket.close(1000);
    await waitFor(async () => (await sessions()) === 0, 'nobody');
    expect(await ask(cluster, cluster.node('node-2'), [bob])).toEqual([
      { userId: bob, online: false, sessions: 0, nodes: [] },
    ]);
  });

  it('of thousands is answered at once, each in its place', async () => {
    await using cluster = await sure(await TestCluster.start(3, ENV));
    const users = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
    const online = new Set(users.filter((_, i) => i % 500 === 0));
    await Promise.all([...online].map((userId) => cluster.connect(userId)));
    const answers = await ask(cluster, cluster.node('node-2'), users);
    expect(answers.map(({ userId }) => userId)).toEqual(users);
    expect(answers.filter((one) => !one.error && one.online).map(({ userId }) => userId)).toEqual([
      ...online,
    ]);
  });

  it('names the users whose home does not answer, and never calls them offline', async () => {
    await using cluster = await sure(
      await ProxiedCluster.startProxied(3, { ...ENV, RINGWAY_LINK_TIMEOUT: '60000' }),
    );
    const [near, far] = [cluster.userOn('node-1'), cluster.userOn('node-2')];
    await cluster.connect(near);
    await cluster.connect(far);
    const unanswered = async (): Promise<number> =>
      metric(await metrics(cluster.node('node-1')), 'ringway_presence_unanswered_total');
    const before = await unanswered();
    cluster.way('node-1', 'node-2').stall();
    const [a, b] = await ask(cluster, cluster.node('node-1'), [near, far]);
    expect(a).toMatchObject({ online: true });
    expect(b).toEqual({
      userId: far,
      error: { code: 'unavailable', message: expect.stringContaining('did not answer') },
    });
    expect(await unanswered()).toBe(before + 1);
    cluster.way('node-1', 'node-2').heal();
  });

  it('keeps since over a move', async () => {
    const env = { ...ENV, RINGWAY_MOVE: 'overlap', RINGWAY_MOVE_SPREAD: '0' };
    await using cluster = await sure(await TestCluster.start(1, env));
    const users = Array.from({ length: 40 }, (_, i) => `user-${i}`);
    const clients = new Map(
      await Promise.all(users.map(async (userId) => [userId, await cluster.connect(userId)] as const)),
    );
    const before = await ask(cluster, cluster.node('node-1'), users);
    await cluster.add('node-2', env);
    await cluster.settled();
    const moving = users.filter((userId) => cluster.ownerOf(userId).id === 'node-2');
    expect(moving.length).toBeGreaterThan(5);
    for (const userId of moving) {
      const client = clients.get(userId) as TestClient;
      const { url } = await client.next('move');
      await cluster.openUrl(url).next('welcome');
      client.socket.close(1000);
    }
    await waitFor(async () => {
      const after = await ask(cluster, cluster.node('node-1'), moving);
      return after.every((one) => !one.error && one.nodes.length === 1 && one.nodes[0]?.nodeId === 'node-2');
    }, 'all to be on node-2 alone');
    const after = await ask(cluster, cluster.node('node-1'), users);
    const since = (answers: UserPresence[]): unknown[] => answers.map((one) => !one.error && one.since);
    expect(since(after)).toEqual(since(before));
  });
});

describe('a home that is new', () => {
  it('calls nobody offline before those who are there had time to say so', async () => {
    // for as long as the test takes
    const env = { ...ENV, RINGWAY_PRESENCE_DEBOUNCE: '600000' };
    await using cluster = await TestCluster.start(2, env);
    const [here, away] = [cluster.userOn('node-1', 'here'), cluster.userOn('node-1', 'away')];
    await cluster.connect(here);
    for (const node of nodesOf(cluster)) {
      const [a, b] = await ask(cluster, node, [here, away]);
      expect(a).toMatchObject({ online: true });
      expect(b).toEqual({
        userId: away,
        error: { code: 'unavailable', message: expect.stringContaining('just now') },
      });
    }
    // nor does it tell a client that: the channel will say what turns out
    const watcher = await cluster.connect('alice', cluster.node('node-2'));
    watcher.send({ type: 'join', channel: presenceChannel(away) });
    await watcher.next('joined');
    await watch(watcher, here);
    expect(told(watcher, away)).toEqual([]);
    await cluster.connect(away);
    await waitFor(() => told(watcher, away).length > 0, 'it to have come');
    expect(changes(watcher, away)).toEqual([true]);
  });
});

describe('the members of a group', () => {
  it('are told by all its holders, each user once', async () => {
    await using cluster = await sure(await TestCluster.start(3, ENV));
    const join = async (userId: string, node: Node): Promise<TestClient> => {
      const client = await cluster.connect(userId, node);
      client.send({ type: 'join', channel: 'group:class' });
      await client.next('joined');
      return client;
    };
    await join('alice', cluster.node('node-1'));
    await join('alice', cluster.node('node-2'));
    await join('bob', cluster.node('node-2'));
    await join('bob', cluster.node('node-2'));
    const carol = await join('carol', cluster.node('node-3'));
    for (const node of nodesOf(cluster)) {
      const { status, body } = await call(cluster, node, '?group=class');
      expect(status).toBe(200);
      expect(body).toMatchObject({ group: 'class', sessions: 5, more: false, missing: [] });
      expect([...(body['users'] as string[])].sort()).toEqual(['alice', 'bob', 'carol']);
    }
    carol.socket.close(1000);
    await waitFor(async () => {
      const { body } = await call(cluster, cluster.node('node-1'), '?group=class');
      return body['sessions'] === 4 && (body['users'] as string[]).length === 2;
    }, 'carol to be gone');
    expect((await call(cluster, cluster.node('node-1'), '?group=none')).body).toEqual({
      group: 'none',
      sessions: 0,
      users: [],
      more: false,
      missing: [],
    });
  });

  it('on a holder that does not answer are counted, and the holder is named', async () => {
    await using cluster = await sure(
      await ProxiedCluster.startProxied(3, { ...ENV, RINGWAY_LINK_TIMEOUT: '60000' }),
    );
    const home = cluster.node(cluster.watcher.current.owner('group:class')?.id ?? '');
    const [mute, other] = nodesOf(cluster).filter((node) => node !== home) as [Node, Node];
    for (const [userId, node] of [
      ['alice', mute],
      ['bob', other],
    ] as const) {
      const client = await cluster.connect(userId, node);
      client.send({ type: 'join', channel: 'group:class' });
      await client.next('joined');
    }
    // the link on which it is holder, and hears the home
    cluster.way(mute.id, home.id).stall();
    const { body } = await call(cluster, home, '?group=class');
    expect(body).toEqual({ group: 'class', sessions: 2, users: ['bob'], more: false, missing: [mute.id] });
    cluster.way(mute.id, home.id).heal();
  });
});
