import { expect, test } from 'vitest';
import { cluster, watch } from './support/clients.ts';
import { until } from './support/until.ts';

test('a right that ends is renewed with a new token and a ticket for the same node', async () => {
  const ringway = await cluster();
  let tokens = 0;
  const { client } = watch(ringway, { getToken: () => `token-${++tokens}` });
  await client.connect();
  const { session } = ringway.node(0);
  ringway.refusals.push({ status: 503 });
  session.send({ type: 'expiring', expiresAt: Date.now() + 60_000, expiresIn: 60_000 });
  await until(() => expect(session.sent('refresh')).toHaveLength(1));
  expect(ringway.asked.map(({ authorization }) => authorization)).toEqual(
    [1, 2, 3].map((n) => `Bearer token-${n}`),
  );
  expect(ringway.redeem(session.sent('refresh')[0]?.ticket ?? '', 'node-1')).toBe('alice');
  expect(ringway.node(0).opened).toBe(1);
});

test('where /route names another node by then, the session moves there, unseen', async () => {
  const ringway = await cluster(2);
  const { client, states } = watch(ringway);
  await client.connect();
  ringway.choose = () => ringway.node(1);
  ringway.node(0).session.send({ type: 'expiring', expiresAt: Date.now() + 60_000, expiresIn: 60_000 });
  await until(() => expect(client.session?.nodeId).toBe('node-2'));
  await until(() => expect(ringway.node(0).sessions).toEqual([]));
  expect(states.map(({ new: next }) => next)).toEqual(['connecting', 'connected']);
});

test('a refusal for good leaves the session its time; the end then counts', async () => {
  const ringway = await cluster();
  const { client, errors } = watch(ringway, { getToken: () => 'token' });
  await client.connect();
  ringway.refusals.push({ status: 403 });
  ringway.node(0).session.send({ type: 'expiring', expiresAt: Date.now() + 60_000, expiresIn: 60_000 });
  await until(() => expect(errors).toMatchObject([{ name: 'RouteError', status: 403 }]));
  expect(client.state).toBe('connected');
  ringway.refusals.push({ status: 403 });
  ringway.node(0).session.socket.close(4506);
  await until(() => expect(client.state).toBe('disconnected'));
});

test('no time left to try again: it is left to the end of the session', async () => {
  const ringway = await cluster();
  const { client, errors } = watch(ringway, { backoff: () => 1_000 });
  await client.connect();
  ringway.refusals.push({ status: 503 });
  ringway.node(0).session.send({ type: 'expiring', expiresAt: Date.now() + 500, expiresIn: 500 });
  await until(() => expect(errors).toHaveLength(1));
  expect(await client.publish('user:bob', 1)).toBeDefined();
  expect(ringway.asked).toHaveLength(2);
});

test('a guest that cannot get to the node that /route names renews its right where it is', async () => {
  const ringway = await cluster(2);
  const [away, home] = [ringway.node(0), ringway.node(1)];
  const { client, states } = watch(ringway);
  ringway.choose = ({ avoid }) => (avoid.includes('node-2') || ringway.asked.length === 1 ? away : home);
  await client.connect();
  const { session } = away;
  home.closeNext = 4503;
  session.send({ type: 'expiring', expiresAt: Date.now() + 60_000, expiresIn: 60_000 });
  await until(() => expect(session.sent('refresh')).toHaveLength(1));
  expect(ringway.asked.map(({ avoid }) => avoid)).toEqual([[], [], ['node-2']]);
  expect(ringway.redeem(session.sent('refresh')[0]?.ticket ?? '', 'node-1')).toBe('alice');
  expect(session.sent('moveFailed')).toEqual([]);
  expect(states.map(({ new: next }) => next)).toEqual(['connecting', 'connected']);
});

test('and does not try for ever where /route knows no other', async () => {
  const ringway = await cluster(2);
  const { client } = watch(ringway);
  await client.connect();
  ringway.choose = () => ringway.node(1);
  ringway.node(1).intercept = () => true;
  await ringway.node(1).kill();
  ringway.node(0).session.send({ type: 'expiring', expiresAt: Date.now() + 60_000, expiresIn: 60_000 });
  await until(() => expect(ringway.asked).toHaveLength(3));
  expect(await client.publish('user:bob', 1)).toBeDefined();
  expect(await client.publish('user:bob', 2)).toBeDefined();
  expect(ringway.asked.map(({ avoid }) => avoid)).toEqual([[], [], ['node-2']]);
});

test.each([
  ['before', ['move', 'expiring']],
  ['behind', ['expiring', 'move']],
] as const)('a move that comes %s, and fails, does not keep it from that', async (_, order) => {
  const ringway = await cluster(2);
  const [away, home] = [ringway.node(0), ringway.node(1)];
  const { client, states } = watch(ringway, { connectTimeoutMs: 1_000 });
  ringway.choose = ({ avoid }) => (avoid.includes('node-2') || ringway.asked.length === 1 ? away : home);
  await client.connect();
  const { session } = away;
  home.silent = true;
  for (const type of order) {
    const opened = home.opened;
    if (type === 'expiring')
      session.send({ type: 'expiring', expiresAt: Date.now() + 60_000, expiresIn: 60_000 });
    else {
      const ticket = ringway.issue('node-2', 'alice');
      session.send({ type, url: `${home.url}?ticket=${ticket}`, ticket, deadline: 2e12 });
    }
    await until(() => expect([home.opened > opened, ringway.asked.length > 1]).toContain(true));
  }
  await until(() => expect(session.sent('moveFailed')).toHaveLength(1));
  await until(() => expect(session.sent('refresh')).toHaveLength(1));
  expect(states.map(({ new: next }) => next)).toEqual(['connecting', 'connected']);
});
