import {
  ClosedError,
  FrameTooBigError,
  JoinRefusedError,
  PublishRefusedError,
  type RingwayClient,
} from '@ringway/client';
import { expect, test } from 'vitest';
import { cluster, texts, watch } from './support/clients.ts';
import { until } from './support/until.ts';

test('connects to the node that /route names, and tells what it was told', async () => {
  const ringway = await cluster(2);
  ringway.choose = () => ringway.node(1);
  const { client, states } = watch(ringway, { getToken: () => 'secret' });
  const welcome = await client.connect();
  expect(welcome).toMatchObject({ nodeId: 'node-2', userId: 'alice', channel: 'user:alice' });
  expect(client.state).toBe('connected');
  expect(client.session).toBe(welcome);
  expect(client.position('user:alice')).toEqual({ epoch: 'e1', seq: 0 });
  expect(ringway.asked).toEqual([{ userId: 'alice', avoid: [], authorization: 'Bearer secret' }]);
  expect(states).toEqual([
    { old: 'disconnected', new: 'connecting', code: 0, reason: '' },
    { old: 'connecting', new: 'connected', code: 0, reason: '' },
  ]);
  expect(ringway.node(1).session.socket.protocol).toBe('ringway.v1');
  // Node's own WebSocket would ask for compression
  expect(ringway.node(1).session.socket.extensions).toBe('');
});

test('connect() is one, however often it is called', async () => {
  const ringway = await cluster();
  const { client } = watch(ringway);
  const both = [client.connect(), client.connect()];
  expect(both[0]).toBe(both[1]);
  expect(await client.connect()).toBe(await both[0]);
  expect(ringway.node(0).opened).toBe(1);
});

test('publishes to a user, to a list and without an answer; the other side gets each', async () => {
  const ringway = await cluster(2);
  ringway.choose = ({ userId }) => ringway.node(userId === 'alice' ? 0 : 1);
  const alice = watch(ringway);
  const bob = watch(ringway, { userId: 'bob' });
  await Promise.all([alice.client.connect(), bob.client.connect()]);
  const published = await alice.client.publish('user:bob', { text: 'hällo' });
  expect(published).toEqual({
    id: expect.stringMatching(/^[\w-]{20}$/),
    reached: 1,
    position: { epoch: 'e1', seq: 1 },
    duplicate: false,
  });
  const list = await alice.client.publish({ users: ['bob', 'carol'] }, 'to both', { id: 'mine' });
  expect(list).toMatchObject({
    id: 'mine',
    reached: 1,
    results: [{ to: 'bob' }, { to: 'carol', reached: 0 }],
  });
  expect(await alice.client.publish('user:bob', 'typing', { ephemeral: true })).toMatchObject({ reached: 1 });
  expect(alice.client.send('user:bob', 'fire and forget')).toBe(true);
  await until(() => expect(texts(bob)).toHaveLength(4));
  expect(bob.messages[0]).toEqual({
    channel: 'user:bob',
    id: published.id,
    from: 'user:alice',
    data: { text: 'hällo' },
    position: { epoch: 'e1', seq: 1 },
  });
  expect(texts(bob)).toEqual([{ text: 'hällo' }, 'to both', 'typing', 'fire and forget']);
  expect(bob.client.position('user:bob')).toEqual({ epoch: 'e1', seq: 2 });
});

test('a lost connection: nothing is missed, nothing doubled, and publishes made meanwhile arrive in order', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  await alice.client.connect();
  ringway.publish('user:alice', 'user:bob', 'm1', 1);
  await until(() => expect(texts(alice)).toEqual([1]));
  const node = ringway.node(0);
  // stored, but the answer is lost with the connection
  node.intercept = (frame, session) => {
    if (frame.type !== 'publish') return false;
    ringway.publish('user:bob', 'user:alice', frame.id ?? '', frame.data);
    session.socket.terminate();
    node.intercept = () => false;
    return true;
  };
  const lost = new Promise((resolve) => alice.client.on('state', resolve));
  const first = alice.client.publish('user:bob', 'a');
  await lost;
  expect(alice.client.state).toBe('connecting');
  const second = alice.client.publish('user:bob', 'b');
  expect(alice.client.send('user:bob', 'lost')).toBe(false);
  ringway.publish('user:alice', 'user:bob', 'm2', 2);
  ringway.publish('user:alice', 'user:bob', 'm3', 3);
  expect(await first).toMatchObject({ duplicate: true, position: { seq: 1 } });
  expect(await second).toMatchObject({ duplicate: false, position: { seq: 2 } });
  ringway.publish('user:alice', 'user:bob', 'm4', 4);
  await until(() => expect(texts(alice)).toEqual([1, 2, 3, 4]));
  expect(alice.gaps).toEqual([]);
  expect(ringway.log('user:bob').messages.map(({ data }) => data)).toEqual(['a', 'b']);
});

test('a reconnect without anything missed asks for nothing; one before the first message does', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  await alice.client.connect();
  for (const missed of [false, true]) {
    const before = ringway.node(0).opened;
    ringway.node(0).session.socket.terminate();
    if (missed) ringway.publish('user:alice', 'user:bob', 'm1', 1);
    await until(() => expect(ringway.node(0).opened).toBe(before + 1));
    await until(() => expect(alice.client.state).toBe('connected'));
    expect(await alice.client.publish('user:bob', 'a barrier')).toBeDefined();
    expect(ringway.node(0).session.sent('resume')).toEqual(
      missed ? [{ type: 'resume', positions: { 'user:alice': { epoch: 'e1', seq: 0 } } }] : [],
    );
  }
  await until(() => expect(texts(alice)).toEqual([1]));
});

test('a gap is told with its bounds, and what comes after it is taken', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  await alice.client.connect();
  ringway.node(0).session.socket.terminate();
  for (let i = 1; i <= 5; i++) ringway.publish('user:alice', 'user:bob', `m${i}`, i);
  ringway.log('user:alice').trim(4);
  await until(() => expect(texts(alice)).toEqual([4, 5]));
  expect(alice.gaps).toEqual([
    { channel: 'user:alice', after: { epoch: 'e1', seq: 0 }, upTo: { epoch: 'e1', seq: 3 } },
  ]);
});

test('joins a group, and again after a reconnect, with what was missed', async () => {
  const ringway = await cluster();
  ringway.publish('group:class-7', 'user:bob', 'm0', 'before');
  const alice = watch(ringway);
  await alice.client.connect();
  expect(await alice.client.join('group:class-7')).toEqual({ epoch: 'e1', seq: 1 });
  ringway.publish('group:class-7', 'user:bob', 'm1', 1);
  await until(() => expect(texts(alice)).toEqual([1]));
  ringway.node(0).session.socket.terminate();
  ringway.publish('group:class-7', 'user:bob', 'm2', 2);
  await until(() => expect(texts(alice)).toEqual([1, 2]));
  alice.client.leave('group:class-7');
  ringway.publish('group:class-7', 'user:bob', 'm3', 3);
  await alice.client.publish('user:bob', 'a barrier');
  expect(texts(alice)).toEqual([1, 2]);
  // and in again, from where it stands now
  expect(await alice.client.join('group:class-7')).toEqual({ epoch: 'e1', seq: 4 });
});

test('groups are told once, and go on after close() and connect(), with what was missed', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  const { client } = alice;
  const told: string[] = [];
  client.on('joined', ({ channel, position }) => told.push(`joined ${channel} at ${position.seq}`));
  client.on('left', ({ channel }) => told.push(`left ${channel}`));
  await client.connect();
  await client.join('group:own');
  const { session } = ringway.node(0);
  session.send({ type: 'joined', channel: 'group:given', position: ringway.log('group:given').head });
  await until(() => expect(told).toEqual(['joined group:own at 0', 'joined group:given at 0']));
  await client.close();
  ringway.publish('group:own', 'user:bob', 'm1', 1);
  ringway.publish('group:given', 'user:bob', 'm2', 2);
  await client.connect();
  ringway.node(0).session.send({ type: 'joined', channel: 'group:given', position: { epoch: 'e1', seq: 1 } });
  await until(() => expect(texts(alice).sort()).toEqual([1, 2]));
  client.leave('group:own');
  ringway.node(0).session.send({ type: 'left', channel: 'group:given' });
  await until(() => expect(told.slice(2)).toEqual(['left group:own', 'left group:given']));
});

test('a join may be asked for before the connection, and be refused', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  const early = alice.client.join('group:early');
  ringway.node(0).intercept = (frame, session) => {
    if (frame.type !== 'join' || frame.channel === 'group:early') return false;
    if (frame.channel === 'group:secret')
      session.send({
        type: 'error',
        channel: frame.channel,
        code: 'forbidden',
        message: 'cap',
        retryable: false,
      });
    return true;
  };
  await alice.client.connect();
  expect(await early).toEqual({ epoch: 'e1', seq: 0 });
  const refused = alice.client.join('group:secret');
  await expect(refused).rejects.toBeInstanceOf(JoinRefusedError);
  await expect(refused).rejects.toMatchObject({ code: 'forbidden', channel: 'group:secret' });
  await expect(alice.client.join('group:silence', { timeoutMs: 0 })).rejects.toMatchObject({
    code: 'timeout',
  });
});

test('refusals reach the caller as typed errors; a complaint about nothing of ours is an error event', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  ringway.node(0).intercept = (frame, session) => {
    if (frame.type !== 'publish' || frame.id === undefined) return false;
    session.send({ type: 'error', id: frame.id, code: 'forbidden', message: 'cap', retryable: false });
    session.send({ type: 'error', code: 'bad_frame', message: 'what was that', retryable: false });
    return true;
  };
  await alice.client.connect();
  const refused = alice.client.publish('user:bob', 1);
  await expect(refused).rejects.toBeInstanceOf(PublishRefusedError);
  await expect(refused).rejects.toMatchObject({ code: 'forbidden', retryable: false });
  await until(() => expect(alice.errors).toMatchObject([{ name: 'NodeError', code: 'bad_frame' }]));
  const big = alice.client.publish('user:bob', 'x'.repeat(5_000));
  await expect(big).rejects.toBeInstanceOf(FrameTooBigError);
  await expect(big).rejects.toMatchObject({ limit: 4_096 });
});

test('close() ends everything, and connect() begins anew from the position kept', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  await alice.client.connect();
  ringway.node(0).intercept = ({ type }) => type === 'publish';
  const waiting = alice.client.publish('user:bob', 1);
  const closing = alice.client.close();
  await expect(waiting).rejects.toBeInstanceOf(ClosedError);
  await closing;
  expect(alice.states.at(-1)).toEqual({
    old: 'connected',
    new: 'disconnected',
    code: 1000,
    reason: 'closed',
  });
  await until(() => expect(ringway.sessions).toEqual([]));
  await expect(alice.client.publish('user:bob', 1)).rejects.toBeInstanceOf(ClosedError);
  ringway.publish('user:alice', 'user:bob', 'm1', 'while away');
  ringway.node(0).intercept = () => false;
  await alice.client.connect();
  await until(() => expect(texts(alice)).toEqual(['while away']));
  const connecting = watch(ringway.locator, { userId: 'bob' });
  const never = connecting.client.connect();
  // nobody need wait for a promise that is broken
  await connecting.client.close();
  await expect(never).rejects.toMatchObject({ code: 'closed' });
});

test('what is not JSON, and what is newer than this client, does no harm', async () => {
  const ringway = await cluster();
  const alice = watch(ringway);
  await alice.client.connect();
  ringway.node(0).session.socket.send('{"type":"from the future","welcome":1}');
  ringway.node(0).session.socket.send('not JSON');
  await until(() => expect(ringway.node(0).opened).toBe(2));
  await until(() => expect(alice.client.state).toBe('connected'));
});

test('a listener that throws disturbs nobody', async () => {
  const ringway = await cluster();
  const uncaught = new Promise((resolve) => process.once('uncaughtException', resolve));
  const alice = watch(ringway);
  const client: RingwayClient = alice.client;
  const stop = client.on('message', () => {
    throw new Error('mine');
  });
  client.on('message', ({ data }) => later.push(data));
  const later: unknown[] = [];
  await client.connect();
  ringway.publish('user:alice', 'user:bob', 'm1', 1);
  await until(() => expect(later).toEqual([1]));
  expect(await uncaught).toMatchObject({ message: 'mine' });
  stop();
  ringway.publish('user:alice', 'user:bob', 'm2', 2);
  await until(() => expect(later).toEqual([1, 2]));
});
