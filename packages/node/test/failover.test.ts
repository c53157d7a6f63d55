import { CHANNEL_ALL, CLOSE } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import type { TestClient } from './support/client.ts';
import { metric, metrics, waitFor } from './support/cluster.ts';
import { ProxiedCluster } from './support/proxied-cluster.ts';
import { expectTold, numbers, published, Talker } from './support/talk.ts';

const FAST = {
  RINGWAY_LINK_TIMEOUT: '500',
  RINGWAY_HOME_TIMEOUT: '3000',
  RINGWAY_PUBLISHES_PER_SECOND: '10000',
};

/** Who is who for a user: its home, the one that takes over, and the third. */
function roles(cluster: ProxiedCluster, userId: string): { home: string; successor: string; third: string } {
  const [home, successor, third] = cluster.watcher.current.owners(`user:${userId}`, 3).map(({ id }) => id);
  return { home: home ?? '', successor: successor ?? '', third: third ?? '' };
}

/** Told of the user's own channel. Whether a machine that stands still parts the home of `all` is not looked at here. */
function gapsOf(client: TestClient): unknown[] {
  return client.all('gap').filter(({ channel }) => channel !== CHANNEL_ALL);
}

async function ringMembers(cluster: ProxiedCluster): Promise<number[]> {
  const texts = await Promise.all([...cluster.nodes.values()].map(metrics));
  return texts.map((text) => metric(text, 'ringway_ring_members'));
}

describe('a node that vanishes without goodbye', () => {
  it.each(['cut', 'stall'] as const)(
    '(%s) is replaced by its successor at once, and takes its place again',
    async (how) => {
      await using cluster = await ProxiedCluster.startProxied(3, FAST);
      const bob = 'bob';
      const { home, successor, third } = roles(cluster, bob);
      const guests = [
        await cluster.connect(bob, cluster.node(successor)),
        await cluster.connect(bob, cluster.node(third)),
      ];
      const alice = await cluster.connect('alice', cluster.node(third));
      const talker = new Talker(alice, `user:${bob}`).start();
      await talker.more(40);
      for (const way of cluster.around(home)) way[how]();
      await talker.more(40);
      // the successor acts: what is said from now on is answered, and the registry was not asked
      await waitFor(
        () => [...talker.answers()].some(([n, a]) => n > 60 && a === 'published'),
        'answers again',
      );
      expect(await ringMembers(cluster)).toEqual([3, 3, 3]);
      await talker.more(40);
      const before = talker.sent;
      await waitFor(() => published(talker.answers()).some((n) => n >= before), 'all that was said before');
      for (const guest of guests)
        await waitFor(() => numbers(guest).some((n) => n >= before), 'what is said now');
      for (const way of cluster.around(home)) way.heal();
      await cluster.settled();
      await talker.more(60);
      const answers = await talker.stop();
      // each was answered, and only what went to the lost node at the last may be in doubt
      expect(published(answers).length + [...answers.values()].filter((a) => a === 'unknown').length).toBe(
        talker.sent,
      );
      const last = talker.sent - 1;
      for (const guest of guests) {
        await waitFor(() => numbers(guest).at(-1) === last, 'the last one');
        expectTold(guest, published(answers));
      }
      // nothing that was said when all was well again is missing
      for (const guest of guests)
        expect(numbers(guest).slice(-20)).toEqual([...Array(20)].map((_, i) => last - 19 + i));
    },
  );
});

describe('a home that takes over', () => {
  it('has its holders from its first message on, before any of them has come to it', async () => {
    await using cluster = await ProxiedCluster.startProxied(3, FAST);
    const bob = 'bob';
    const { home, successor, third } = roles(cluster, bob);
    const guest = await cluster.connect(bob, cluster.node(third));
    const alice = await cluster.connect('alice', cluster.node(successor));
    const talker = new Talker(alice, `user:${bob}`);
    talker.say();
    await waitFor(() => numbers(guest).length === 1, 'the first');
    await waitFor(
      async () => metric(await metrics(cluster.node(successor)), 'ringway_standby_channels') === 1,
      'the interest to stand by',
    );
    for (const way of cluster.around(home)) way.stall();
    // on its way to the home when that is given up: the first that the new one orders, in the turn in which it takes over
    talker.say();
    await waitFor(() => alice.all('published').length > 1, 'an answer by the successor');
    expect(alice.all('published').at(-1)).toMatchObject({ id: 't-1', reached: 1, position: { seq: 1 } });
    await waitFor(() => numbers(guest).at(-1) === 1, 'the second');
    await talker.stop();
    for (const way of cluster.around(home)) way.heal();
  });
});

describe('a ring that falls apart into two halves', () => {
  it('serves both, and tells everyone what they missed of the other once it is whole again', async () => {
    await using cluster = await ProxiedCluster.startProxied(2, FAST);
    const bob = cluster.userOn('node-1', 'bob');
    const here = await cluster.connect(bob, cluster.node('node-1'));
    const there = await cluster.connect(bob, cluster.node('node-2'));
    const near = await cluster.connect('near', cluster.node('node-1'));
    const far = await cluster.connect('far', cluster.node('node-2'));
    const said = new Talker(far, `user:${bob}`).start();
    await said.more(20);
    await waitFor(() => numbers(here).length >= 20 && numbers(there).length >= 20, 'the first');
    for (const way of cluster.between('node-1', 'node-2')) way.cut();
    await waitFor(
      async () => metric(await metrics(cluster.node('node-2')), 'ringway_peer_links') === 0,
      'the cut',
    );
    const cut = said.sent;
    await said.more(20);
    await waitFor(() => published(said.answers()).some((n) => n > cut), 'what the far half confirms');
    near.send({ type: 'publish', to: `user:${bob}`, id: 'near', data: 'near' });
    await near.next('published');
    for (const way of cluster.between('node-1', 'node-2')) way.heal();
    await cluster.settled();
    await said.more(20);
    const answers = await said.stop();
    const last = said.sent - 1;
    for (const client of [here, there]) {
      await waitFor(() => numbers(client).at(-1) === last, 'the last one');
      expectTold(client, published(answers));
    }
    // each missed something of the other half, and knows it
    expect(here.all('gap').length).toBeGreaterThan(0);
    expect(there.all('gap').length).toBeGreaterThan(0);
  });
});

describe('a link that breaks between two nodes alone', () => {
  it.each([
    ['both ways', (cluster: ProxiedCluster, a: string, b: string) => cluster.between(a, b)],
    ['one way', (cluster: ProxiedCluster, a: string, b: string) => [cluster.way(a, b)]],
  ])('%s: what is said goes through the third, and nobody is taken for dead', async (_how, ways) => {
    await using cluster = await ProxiedCluster.startProxied(3, FAST);
    const bob = 'bob';
    const { home, successor, third } = roles(cluster, bob);
    const receiver = await cluster.connect(bob, cluster.node(home));
    const guest = await cluster.connect(bob, cluster.node(third));
    const alice = await cluster.connect('alice', cluster.node(successor));
    const talker = new Talker(alice, `user:${bob}`).start();
    await talker.more(30);
    const epoch = receiver.all('message')[0]?.position?.epoch;
    for (const way of ways(cluster, successor, home)) way.cut();
    await talker.more(60);
    await waitFor(() => published(talker.answers()).some((n) => n > 60), 'answers by the third');
    for (const way of ways(cluster, successor, home)) way.heal();
    await cluster.settled();
    await talker.more(30);
    const answers = await talker.stop();
    expect(published(answers)).toHaveLength(talker.sent);
    const all = [...Array(talker.sent).keys()];
    for (const client of [receiver, guest]) {
      await waitFor(() => numbers(client).length >= talker.sent, 'all');
      expect(numbers(client)).toEqual(all);
      expect(gapsOf(client)).toEqual([]);
      expect(new Set(client.all('message').map(({ position }) => position?.epoch))).toEqual(new Set([epoch]));
    }
  });

  it('leaves a guest on its far side out of nothing: it is given all of it once the link is back', async () => {
    await using cluster = await ProxiedCluster.startProxied(3, FAST);
    const bob = 'bob';
    const { home, successor, third } = roles(cluster, bob);
    const guest = await cluster.connect(bob, cluster.node(third));
    const alice = await cluster.connect('alice', cluster.node(successor));
    const talker = new Talker(alice, `user:${bob}`);
    for (let i = 0; i < 10; i++) talker.say();
    await waitFor(() => numbers(guest).length === 10, 'the first ten');
    for (const way of cluster.between(third, home)) way.cut();
    await waitFor(
      async () => metric(await metrics(cluster.node(third)), 'ringway_peer_links') === 1,
      'the break to be seen',
    );
    for (let i = 0; i < 10; i++) talker.say();
    await talker.stop();
    for (const way of cluster.between(third, home)) way.heal();
    await waitFor(() => numbers(guest).length === 20, 'all twenty');
    expect(numbers(guest)).toEqual([...Array(20).keys()]);
    expect(gapsOf(guest)).toEqual([]);
  });
});

describe('a node that hears less than half of the ring', () => {
  it('refuses to act: publishes are unavailable, new sessions are sent elsewhere', async () => {
    await using cluster = await ProxiedCluster.startProxied(3, {
      ...FAST,
      RINGWAY_HOME_TIMEOUT: '400',
      RINGWAY_PING_INTERVAL: '200',
      RINGWAY_PING_TIMEOUT: '100',
    });
    const bob = cluster.userOn('node-1', 'bob');
    const alice = await cluster.connect(bob);
    for (const way of cluster.around('node-1')) way.cut();
    await waitFor(
      async () => metric(await metrics(cluster.node('node-1')), 'ringway_peer_links') === 0,
      'the break to be seen',
    );
    alice.send({ type: 'publish', to: `user:${bob}`, id: 'lost', data: 1 });
    expect(await alice.next('error')).toMatchObject({ id: 'lost', code: 'unavailable', retryable: true });
    const node = cluster.node('node-1');
    const late = cluster.open(node, cluster.ticket(cluster.userOn('node-1', 'late'), node));
    expect(await late.closed).toEqual({ code: CLOSE.unavailable.code, reason: 'unavailable' });
    // it was never welcomed, and so never spoken to
    expect(late.frames).toEqual([]);
    alice.send({ type: 'join', channel: 'group:g' });
    expect(await alice.next('error')).toMatchObject({ channel: 'group:g', code: 'unavailable' });
    for (const way of cluster.around('node-1')) way.heal();
    await cluster.settled();
    alice.send({ type: 'publish', to: `user:${bob}`, id: 'back', data: 1 });
    expect(await alice.next('published')).toMatchObject({ id: 'back', reached: 1 });
    await waitFor(() => alice.all('message').some(({ id }) => id === 'back'), 'its own message');
    expect(alice.all('message').map(({ id }) => id)).toEqual(['back']);
  });

  it('while all others hear it forgets none of those who hold its channels', async () => {
    await using cluster = await ProxiedCluster.startProxied(3, FAST);
    const bob = 'bob';
    const { home, successor, third } = roles(cluster, bob);
    const guest = await cluster.connect(bob, cluster.node(successor));
    const alice = await cluster.connect('alice', cluster.node(third));
    const talker = new Talker(alice, `user:${bob}`);
    for (let i = 0; i < 5; i++) talker.say();
    await waitFor(() => numbers(guest).length === 5, 'the first five');
    const own = [cluster.way(home, successor), cluster.way(home, third)];
    for (const way of own) way.cut();
    await waitFor(
      async () => metric(await metrics(cluster.node(home)), 'ringway_peer_links') === 0,
      'the break to be seen',
    );
    for (const way of own) way.heal();
    await cluster.settled();
    for (let i = 0; i < 5; i++) talker.say();
    const answers = await talker.stop();
    expect(published(answers)).toHaveLength(10);
    await waitFor(() => numbers(guest).at(-1) === 9, 'the last one');
    expectTold(guest, published(answers));
  });
});
