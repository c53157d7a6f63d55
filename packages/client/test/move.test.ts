import { expect, test } from 'vitest';
import { cluster, texts, watch } from './support/clients.ts';
import { until } from './support/until.ts';

const deadline = 2_000_000_000_000;

test('a move: the new socket first, then the old one goes; no gap, no repeat, no disconnect', async () => {
  const ringway = await cluster(2);
  const alice = watch(ringway);
  await alice.client.connect();
  await alice.client.join('group:g');
  const [from, to] = [ringway.node(0), ringway.node(1)];
  const old = from.session;
  let sent = 0;
  const flood = setInterval(() => {
    sent++;
    ringway.publish(sent % 2 ? 'user:alice' : 'group:g', 'user:bob', `m${sent}`, sent);
  }, 1);
  const publishes: Promise<unknown>[] = [];
  for (let i = 0; i < 20; i++) publishes.push(alice.client.publish('user:bob', i));
  const ticket = ringway.issue('node-2', 'alice');
  old.send({ type: 'move', url: `${to.url}?ticket=${ticket}`, ticket, deadline });
  for (let i = 20; i < 40; i++) publishes.push(alice.client.publish('user:bob', i));
  await until(() => expect(alice.client.session?.nodeId).toBe('node-2'));
  await until(() => expect(from.sessions).toEqual([]));
  for (let i = 40; i < 60; i++) publishes.push(alice.client.publish('user:bob', i));
  await Promise.all(publishes);
  clearInterval(flood);
  await until(() => expect(alice.messages).toHaveLength(sent));
  const own = alice.messages
    .filter(({ channel }) => channel === 'user:alice')
    .map(({ data }) => data as number);
  const group = alice.messages
    .filter(({ channel }) => channel === 'group:g')
    .map(({ data }) => data as number);
  for (const each of [own, group]) expect(each).toEqual([...each].sort((a, b) => a - b));
  expect(new Set([...own, ...group]).size).toBe(sent);
  expect(ringway.log('user:bob').messages.map(({ data }) => data)).toEqual(
    Array.from({ length: 60 }, (_, i) => i),
  );
  expect(alice.gaps).toEqual([]);
  expect(alice.errors).toEqual([]);
  expect(alice.states.map(({ new: next }) => next)).toEqual(['connecting', 'connected']);
  expect(ringway.asked).toHaveLength(1);
});

test('a move that fails is told, and the session stays', async () => {
  const ringway = await cluster(2);
  const alice = watch(ringway, { connectTimeoutMs: 1_000 });
  await alice.client.connect();
  const { session } = ringway.node(0);
  const fail = async (url: string, times: number) => {
    session.send({ type: 'move', url, ticket: 't', deadline });
    await until(() => expect(session.sent('moveFailed')).toHaveLength(times));
  };
  await fail('ws://127.0.0.1:1/', 1);
  await fail(`${ringway.node(1).url}?ticket=forged`, 2);
  ringway.node(1).silent = true;
  await fail(`${ringway.node(1).url}?ticket=${ringway.issue('node-2', 'alice')}`, 3);
  await fail('not an address', 4);
  expect(session.sent('moveFailed').map(({ reason }) => reason)).toEqual([
    'closed 1006 ',
    'closed 4501 as told',
    'timeout',
    expect.stringContaining('SyntaxError'),
  ]);
  expect(alice.client.session?.nodeId).toBe('node-1');
  expect(await alice.client.publish('user:bob', 1)).toBeDefined();
});

test('the old connection may end while the new one opens', async () => {
  const ringway = await cluster(2);
  const alice = watch(ringway, { backoff: () => 1e9 });
  await alice.client.connect();
  const ticket = ringway.issue('node-2', 'alice');
  const old = ringway.node(0).session;
  old.send({ type: 'move', url: `${ringway.node(1).url}?ticket=${ticket}`, ticket, deadline });
  await until(() => expect(ringway.node(1).opened).toBe(1));
  old.socket.close(4600, 'too slow');
  ringway.publish('user:alice', 'user:bob', 'm1', 1);
  await until(() => expect(texts(alice)).toEqual([1]));
  expect(alice.client.state).toBe('connected');
});
