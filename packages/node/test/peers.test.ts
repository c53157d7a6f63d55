import { type Member, memoryMembership } from '@ringway/membership';
import { hmacSigner, KeyFamily, mintClusterToken } from '@ringway/service';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { encodeControl, encodePublish, KIND } from '../src/peers/wire.ts';
import { clusterKeys, labelled, metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { batch, Dialler, NONCE, peerHeaders } from './support/dialler.ts';
import { hello, impostor } from './support/impostor.ts';
import { ProxiedCluster } from './support/proxied-cluster.ts';

const foreign = KeyFamily.parse('RINGWAY_CLUSTER_KEYS', 'another-key-another-key-another-key-01');

describe('a node that is dialled', () => {
  let cluster: TestCluster;
  let node: Node;
  const diallers: Dialler[] = [];
  beforeAll(async () => {
    cluster = await TestCluster.start(1, { RINGWAY_PEER_WAITING_BYTES: '1048576' });
    node = cluster.node('node-1');
  });
  afterEach(() => {
    for (const dialler of diallers.splice(0)) dialler.socket.terminate();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  function dial(headers: Record<string, string>): Dialler {
    const dialler = new Dialler(node, headers);
    diallers.push(dialler);
    return dialler;
  }

  const bearer = (
    more: Partial<Parameters<typeof mintClusterToken>[1]>,
    keys = clusterKeys,
  ): Record<string, string> => ({
    authorization: `Bearer ${mintClusterToken(keys, { iss: 'ringway', sub: 'node-9', aud: 'node-1', scope: 'peer', ...more })}`,
    'x-ringway-nonce': NONCE,
  });
  const refused: [string, () => Record<string, string>][] = [
    ['without a token', () => ({ 'x-ringway-nonce': NONCE })],
    ['with a token that is none', () => ({ authorization: 'Bearer x', 'x-ringway-nonce': NONCE })],
    ['with a token of another key', () => bearer({}, foreign)],
    ['with a token for another node', () => bearer({ aud: 'node-2' })],
    ['with a token of another cluster', () => bearer({ iss: 'staging' })],
    ['with a token that has expired', () => bearer({ now: Date.now() - 120_000 })],
    ['with a token of a backend', () => bearer({ scope: 'push' })],
    ['with a token of an operator', () => bearer({ scope: 'admin' })],
    ['without a nonce', () => ({ authorization: bearer({})['authorization'] ?? '' })],
    ['with a nonce that could be guessed', () => ({ ...bearer({}), 'x-ringway-nonce': 'short' })],
  ];
  it.each(refused)('%s refuses, and counts it', async (_what, headers) => {
    const count = async () => labelled(await metrics(node), 'ringway_refused_total', 'reason', 'peer');
    const before = await count();
    expect(await dial(headers()).answered).toBe(401);
    expect(await count()).toBe(before + 1);
  });

  it('proves its own key first, over the nonce, for this start of it', async () => {
    const peer = dial(peerHeaders(node, 'node-9'));
    expect(await peer.answered).toBe(101);
    await waitFor(() => peer.control('hello').length === 1, 'the greeting');
    const [hello] = peer.control('hello');
    expect(hello).toMatchObject({ nodeId: 'node-1', incarnation: node.incarnation });
    const text = `${NONCE}\nnode-1\n${node.incarnation}`;
    expect(hmacSigner(clusterKeys, 'ringway-peer').verify(text, hello?.proof ?? '')).toBe(true);
    expect(hmacSigner(foreign, 'ringway-peer').verify(text, hello?.proof ?? '')).toBe(false);
  });

  it('serves what it is asked, and answers what it does not know with nothing', async () => {
    const peer = dial(peerHeaders(node, 'node-9'));
    await peer.answered;
    peer.socket.send(
      batch(
        encodeControl({ t: 'heartbeat', unheard: [], echo: true }),
        encodePublish(
          'group:wire',
          { from: '"user:a"', id: '"1"', data: '{"n":1}', ephemeral: false },
          true,
          7,
          false,
        ),
        encodeControl({ t: 'read', correlation: 9, channel: 'group:wire', limit: 10 }),
      ),
    );
    await waitFor(() => peer.control('readEnd').length === 1, 'the answers');
    expect(peer.control('heartbeat')).toContainEqual({ t: 'heartbeat', unheard: [], echo: false });
    expect(peer.records).toContainEqual(
      expect.objectContaining({ kind: KIND.answer, correlation: 7, code: undefined, reached: 0 }),
    );
    expect(peer.records).toContainEqual(
      expect.objectContaining({ kind: KIND.deliver, correlation: 9, channel: 'group:wire', data: '{"n":1}' }),
    );
  });

  const garbage: [string, string | Buffer][] = [
    ['a text message', 'hello'],
    ['another format', Buffer.from([9, 0])],
    [
      'a batch that is cut off',
      batch(encodeControl({ t: 'sessions', channel: 'all', sessions: 1 })).subarray(0, 20),
    ],
    ['a control that is none', batch(`${String.fromCharCode(0, 0, 0, 5, KIND.control)}null`)],
    [
      'a control without its members',
      batch(
        ((json) => String.fromCharCode(0, 0, 0, 1 + json.length, KIND.control) + json)('{"t":"interest"}'),
      ),
    ],
    [
      'a publish to nowhere',
      batch(encodePublish('', { from: '""', id: '""', data: '1', ephemeral: false }, true, 1, false)),
    ],
  ];
  it.each(garbage)('ends a link that brings %s, and lives on', async (_what, data) => {
    const peer = dial(peerHeaders(node, 'node-9'));
    await peer.answered;
    await waitFor(() => peer.control('hello').length === 1, 'the greeting');
    peer.socket.send(data);
    await peer.closed;
    const client = await cluster.connect('alice');
    client.send({ type: 'publish', to: 'user:alice', id: `after-${_what}`, data: 1 });
    await client.next('published');
  });

  it('gives the link of a node up once that dials anew', async () => {
    const interest = encodeControl({ t: 'interest', correlation: 1, channel: 'group:twice', sessions: 1 });
    const first = dial(peerHeaders(node, 'node-9'));
    await first.answered;
    first.socket.send(batch(interest));
    await waitFor(() => first.control('interested').length === 1, 'the interest');
    // the node dials anew, because it has given the old link up: nothing is sent on that any more
    const second = dial(peerHeaders(node, 'node-9'));
    await second.answered;
    second.socket.send(batch(interest));
    await waitFor(() => second.control('interested').length === 1, 'the interest');
    await first.closed;
    const alice = await cluster.connect('alice');
    alice.send({ type: 'publish', to: 'group:twice', id: 'once', data: 1 });
    expect((await alice.next('published')).reached).toBe(1);
  });

  it('leaves the links of two starts of one node alone: they would end each other without end', async () => {
    const dialAs = (incarnation: string) =>
      dial({ ...peerHeaders(node, 'node-9'), 'x-ringway-incarnation': incarnation });
    const [first, second] = [dialAs('i1'), dialAs('i2')];
    await Promise.all([first.answered, second.answered]);
    const again = dialAs('i2');
    await again.answered;
    await second.closed;
    for (const link of [first, again]) {
      link.socket.send(batch(encodeControl({ t: 'read', correlation: 9, channel: 'all', limit: 1 })));
      await waitFor(() => link.control('readEnd').length === 1, 'the answer');
    }
  });

  it('makes itself heard by a peer that does not ask', async () => {
    const peer = dial(peerHeaders(node, 'node-9'));
    await peer.answered;
    await waitFor(() => peer.control('heartbeat').length >= 2, 'two beats');
    expect(peer.control('heartbeat')).toContainEqual({ t: 'heartbeat', unheard: [], echo: false });
  });

  it('gives a peer up that does not read, in bounded memory', async () => {
    const peer = dial(peerHeaders(node, 'node-9'));
    await peer.answered;
    peer.socket.send(
      batch(encodeControl({ t: 'interest', correlation: 1, channel: 'group:flood', sessions: 1 })),
    );
    await waitFor(() => peer.control('interested').length === 1, 'the interest');
    peer.socket.pause();
    const body = JSON.stringify(
      Array.from({ length: 20 }, () => ({ to: 'group:flood', data: 'x'.repeat(45_000) })),
    );
    await waitFor(async () => {
      const answer = await fetch(`${node.addresses.internalUrl}/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
        body,
      });
      const results = (await answer.json()) as { reached: number }[];
      return results.every(({ reached }) => reached === 0);
    }, 'the link to be given up');
    peer.socket.resume();
    await peer.closed;
  });
});

describe('a peer that vanished without a sign', () => {
  it('is let go, with all that it held', async () => {
    await using cluster = await TestCluster.start(1, { RINGWAY_LINK_TIMEOUT: '200' });
    const node = cluster.node('node-1');
    const peer = new Dialler(node, peerHeaders(node, 'node-9'));
    await peer.answered;
    peer.socket.send(
      batch(encodeControl({ t: 'interest', correlation: 1, channel: 'group:gone', sessions: 1 })),
    );
    await waitFor(() => peer.control('interested').length === 1, 'the interest');
    const alice = await cluster.connect('alice');
    await waitFor(async () => {
      alice.send({ type: 'publish', to: 'group:gone', id: `g${Math.random()}`, data: 1, ephemeral: true });
      return (await alice.next('published')).reached === 0;
    }, 'nobody to hold the channel');
    await peer.closed;
  });
});

describe('a node that dials', () => {
  const impostors: [string, (nonce: string, member: Member) => string[]][] = [
    ['has another key', (nonce, { id, incarnation }) => [hello(nonce, id, incarnation, foreign)]],
    [
      'has no key',
      (_nonce, { id, incarnation }) => [encodeControl({ t: 'hello', nodeId: id, incarnation, proof: 'x' })],
    ],
    ['shows an old proof', (_nonce, { id, incarnation }) => [hello('an-older-nonce-0001', id, incarnation)]],
    ['is another node', (nonce) => [hello(nonce, 'node-3', 'i2')]],
    ['is another start of the node', (nonce, { id }) => [hello(nonce, id, 'i1')]],
    ['does not greet', () => [encodeControl({ t: 'heartbeat', unheard: [], echo: false })]],
  ];
  it.each(impostors)('lets nobody in who %s', async (_what, greet) => {
    await using cluster = await TestCluster.start(1, { RINGWAY_LINK_TIMEOUT: '400' });
    const node = cluster.node('node-1');
    const fake = await impostor(greet);
    const membership = memoryMembership(cluster.registry);
    try {
      await membership.register(fake.member);
      await waitFor(() => fake.dials >= 3, 'three dials');
      const text = await metrics(node);
      expect(metric(text, 'ringway_peer_links_wanted')).toBe(1);
      expect(metric(text, 'ringway_peer_links')).toBe(0);
      expect(labelled(text, 'ringway_refused_total', 'reason', 'peer')).toBeGreaterThanOrEqual(2);
      // what would be the impostor's is this node's once that counts as silent
      const user = cluster.userOn('node-2', 'victim');
      const client = await cluster.connect(user, node);
      client.send({ type: 'publish', to: `user:${user}`, id: 'p', data: 1 });
      expect((await client.next('published')).reached).toBe(1);
    } finally {
      await membership.close();
      await fake.close();
    }
  });

  it('takes who has the key', async () => {
    await using cluster = await TestCluster.start(1);
    const fake = await impostor((nonce, { id, incarnation }) => [hello(nonce, id, incarnation)]);
    const membership = memoryMembership(cluster.registry);
    try {
      await membership.register(fake.member);
      const node = cluster.node('node-1');
      await waitFor(async () => metric(await metrics(node), 'ringway_peer_links') === 1, 'the link');
    } finally {
      await membership.close();
      await fake.close();
    }
  });
});

describe('links', () => {
  it('come back after every break', async () => {
    await using cluster = await ProxiedCluster.startProxied(2, { RINGWAY_LINK_TIMEOUT: '500' });
    const bob = cluster.userOn('node-2', 'bob');
    const receiver = await cluster.connect(bob);
    const alice = await cluster.connect(cluster.userOn('node-1', 'alice'));
    for (const how of ['cut', 'stall', 'cut'] as const) {
      for (const way of cluster.between('node-1', 'node-2')) way[how]();
      await waitFor(
        async () => metric(await metrics(cluster.node('node-1')), 'ringway_peer_links') === 0,
        'the break to be seen',
      );
      for (const way of cluster.between('node-1', 'node-2')) way.heal();
      await cluster.settled();
      const id = `after-${how}-${alice.all('published').length}`;
      await waitFor(async () => {
        alice.send({ type: 'publish', to: `user:${bob}`, id, data: 1, ephemeral: true });
        return (await alice.next('published')).reached === 1;
      }, 'a message to arrive');
      await waitFor(() => receiver.all('message').some((message) => message.id === id), 'the message');
    }
  });
});
