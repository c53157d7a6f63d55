import { HTTP, presenceChannel, type UserPresence, userChannel } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import type { TestClient } from './support/client.ts';
import { ALL, labelled, metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { ProxiedCluster } from './support/proxied-cluster.ts';

const DEBOUNCE = 400;
const ENV = { RINGWAY_PRESENCE_DEBOUNCE: String(DEBOUNCE), RINGWAY_HOME_TIMEOUT: '2000' };

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(cluster: TestCluster, node: Node, query: string, users?: unknown): Promise<Answer> {
  const answer = await fetch(`${node.addresses.internalUrl}${HTTP.presence}${query}`, {
    method: users === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
    ...(users === undefined ? {} : { body: JSON.stringify(users) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

async function ask(cluster: TestCluster, node: Node, users: readonly string[]): Promise<UserPresence[]> {
  const { status, body } = await call(cluster, node, '', { users });
  expect(status).toBe(200);
  return body['users'] as UserPresence[];
}

const nodesOf = (cluster: TestCluster): Node[] => [...cluster.nodes.values()];

/** What a session was told of a user: the state of now that is its own alone, and what the channel said. */
function told(client: TestClient, userId: string): { online: boolean; since?: number; logged: boolean }[] {
  return client
    .all('message')
    .filter(({ channel }) => channel === presenceChannel(userId))
    .map(({ data, position, from }) => {
      expect(from).toBe('service:ringway');
      const { userId: of, ...state } = data as { userId: string; online: boolean; since?: number };
      expect(of).toBe(userId);
      return { ...state, logged: position !== undefined };
    });
}

/** The states that were told, repeats left out. */
function changes(client: TestClient, userId: string): boolean[] {
  const states = told(client, userId).map(({ online }) => online);
  return states.filter((online, i) => online !== states[i - 1]);
}

async function watch(client: TestClient, userId: string): Promise<void> {
  client.send({ type: 'join', channel: presenceChannel(userId) });
  expect(await client.next('joined')).toMatchObject({ channel: presenceChannel(userId) });
  await waitFor(() => told(client, userId).length > 0, 'the state of now');
}

describe('presence, asked of any node', () => {
  it('tells who is there, where, since when and with how many sessions, guests too, in the order asked', async () => {
    await using cluster = await TestCluster.start(3, ENV);
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
    await using cluster = await TestCluster.start(2, ENV);
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
    await using cluster = await TestCluster.start(3, ENV);
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
    await using cluster = await ProxiedCluster.startProxied(3, { ...ENV, RINGWAY_LINK_TIMEOUT: '60000' });
    const [near, far] = [cluster.userOn('node-1'), cluster.userOn('node-2')];
    await cluster.connect(near);
    await cluster.connect(far);
    cluster.way('node-1', 'node-2').stall();
    const [a, b] = await ask(cluster, cluster.node('node-1'), [near, far]);
    expect(a).toMatchObject({ online: true });
    expect(b).toEqual({
      userId: far,
      error: { code: 'unavailable', message: expect.stringContaining('did not answer') },
    });
    const text = await metrics(cluster.node('node-1'));
    expect(metric(text, 'ringway_presence_unanswered_total')).toBe(1);
    cluster.way('node-1', 'node-2').heal();
  });

  it('keeps since over a move', async () => {
    const env = { ...ENV, RINGWAY_MOVE: 'overlap', RINGWAY_MOVE_SPREAD: '0' };
    await using cluster = await TestCluster.start(1, env);
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

describe('the members of a group', () => {
  it('are told by all its holders, each user once', async () => {
    await using cluster = await TestCluster.start(3, ENV);
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
    await using cluster = await ProxiedCluster.startProxied(3, { ...ENV, RINGWAY_LINK_TIMEOUT: '60000' });
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

describe('a client that watches a user', () => {
  it('is told how things stand when it joins, who comes at once, and who went after the debounce', async () => {
    await using cluster = await TestCluster.start(3, ENV);
    const bob = cluster.userOn('node-2');
    // on bob's home, and away from it
    const watchers = await Promise.all(nodesOf(cluster).map((node) => cluster.connect('alice', node)));
    for (const watcher of watchers) {
      await watch(watcher, bob);
      expect(told(watcher, bob)[0]).toEqual({ online: false, logged: false });
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

  it('hears nothing of a reconnect', async () => {
    await using cluster = await TestCluster.start(2, { ...ENV, RINGWAY_PRESENCE_DEBOUNCE: '3000' });
    const bob = cluster.userOn('node-1');
    const watcher = await cluster.connect('alice', cluster.node('node-2'));
    let session = await cluster.connect(bob);
    await watch(watcher, bob);
    await waitFor(() => told(watcher, bob).some(({ logged }) => logged), 'the state to be published');
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
    await using cluster = await TestCluster.start(1, ENV);
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
    await using cluster = await TestCluster.start(1, { ...ENV, RINGWAY_MAX_GROUPS: '2' });
    const alice = await cluster.connect('alice');
    await watch(alice, 'bob');
    await watch(alice, 'carol');
    alice.send({ type: 'join', channel: presenceChannel('dave') });
    expect(await alice.next('error')).toMatchObject({ code: 'forbidden' });
  });

  it('resumes what it missed while it was away, as in any channel', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const bob = cluster.userOn('node-2');
    const first = await cluster.connect('alice', cluster.node('node-1'));
    // somebody who goes on watching: what nobody watches is not said
    const other = await cluster.connect('carol', cluster.node('node-1'));
    await watch(other, bob);
    await watch(first, bob);
    await waitFor(() => told(first, bob).some(({ logged }) => logged), 'a position');
    const position = first.all('message').findLast((message) => message.position)?.position;
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
    await using cluster = await TestCluster.start(3, ENV);
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
    await using cluster = await TestCluster.start(3, ENV);
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
