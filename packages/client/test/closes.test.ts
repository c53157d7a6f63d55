import { CLOSE, type CloseRule, closeRule } from '@ringway/protocol';
import { expect, test } from 'vitest';
import { AvoidList } from '../src/avoid.ts';
import { cluster, watch } from './support/clients.ts';
import { FakeClock } from './support/clock.ts';
import { until } from './support/until.ts';

const rules = Object.values(CLOSE).map(({ code }): [string, CloseRule] => [
  closeRule(code).name,
  closeRule(code),
]);
const terminal = rules.filter(([, { action }]) => action === 'terminal');
const route = rules.filter(([, { action }]) => action === 'route');
const again = rules.filter(([, { action }]) => action === 'again');

test.each(terminal)('%s ends the client, with an error that names it', async (name, { code }) => {
  const ringway = await cluster();
  const { client, states, errors } = watch(ringway);
  await client.connect();
  ringway.node(0).session.socket.close(code, 'because');
  await until(() => expect(client.state).toBe('disconnected'));
  expect(states.at(-1)).toEqual({ old: 'connected', new: 'disconnected', code, reason: 'because' });
  expect(errors).toMatchObject([
    { name: 'SessionEndedError', code: name, closeCode: code, reason: 'because' },
  ]);
  await expect(client.publish('user:bob', 1)).rejects.toMatchObject({
    code: 'closed',
    cause: { code: name },
  });
  expect(ringway.asked).toHaveLength(1);
});

test.each(terminal)('%s instead of a welcome rejects connect()', async (name, { code }) => {
  const ringway = await cluster();
  ringway.node(0).closeNext = code;
  const { client } = watch(ringway);
  await expect(client.connect()).rejects.toMatchObject({ code: 'closed', cause: { code: name } });
  expect(client.state).toBe('disconnected');
});

test.each(route)('%s asks /route again after a wait; avoid and token as the table says', async (_, rule) => {
  const ringway = await cluster(2);
  const waits: number[] = [];
  const backoff = (attempt: number) => {
    waits.push(attempt);
    return 1;
  };
  let tokens = 0;
  const { client, states } = watch(ringway, { getToken: () => `token-${++tokens}`, backoff });
  await client.connect();
  ringway.node(0).session.socket.close(rule.code, 'because');
  await until(() => expect(ringway.asked).toHaveLength(2));
  await until(() => expect(client.state).toBe('connected'));
  expect(states).toContainEqual({ old: 'connected', new: 'connecting', code: rule.code, reason: 'because' });
  expect(waits).toEqual([0]);
  expect(ringway.asked[1]?.avoid).toEqual(rule.avoid ? ['node-1'] : []);
  expect(client.session?.nodeId).toBe(rule.avoid ? 'node-2' : 'node-1');
  expect(ringway.asked[1]?.authorization).toBe(`Bearer token-${rule.newToken ? 2 : 1}`);
});

test.each(again)('%s comes again at once', async (_, { code }) => {
  const ringway = await cluster(2);
  const never = () => 1e9;
  const { client } = watch(ringway, { backoff: never });
  await client.connect();
  ringway.choose = () => ringway.node(1);
  ringway.node(0).session.socket.close(code);
  await until(() => expect(client.session?.nodeId).toBe('node-2'));
  expect(ringway.asked[1]?.avoid).toEqual([]);
});

test.each([
  [4499, 'disconnected'],
  [4599, 'connected'],
  [4699, 'connected'],
  [1001, 'connected'],
  [1011, 'connected'],
])('%i, which no table names, does what its range says', async (code, state) => {
  const ringway = await cluster();
  const { client, states } = watch(ringway);
  await client.connect();
  ringway.node(0).session.socket.close(code);
  await until(() => expect(states).toContainEqual(expect.objectContaining({ old: 'connected', code })));
  await until(() => expect(client.state).toBe(state));
  if (state === 'connected') await until(() => expect(ringway.asked).toHaveLength(2));
  expect(ringway.asked.every(({ avoid }) => avoid.length === 0)).toBe(true);
});

test('a node that dies under a session is asked for again, then avoided once it could not be reached', async () => {
  const ringway = await cluster(2);
  const { client } = watch(ringway);
  await client.connect();
  await ringway.node(0).kill();
  await until(() => expect(client.session?.nodeId).toBe('node-2'));
  expect(ringway.asked.map(({ avoid }) => avoid)).toEqual([[], [], ['node-1']]);
});

test('a node that accepts and does not welcome is avoided as well', async () => {
  const ringway = await cluster(2);
  ringway.node(0).silent = true;
  const clock = new FakeClock();
  const { client } = watch(ringway, { clock });
  const connecting = client.connect();
  await until(() => expect(ringway.node(0).opened).toBe(1));
  clock.advance(10_000);
  clock.advance(5);
  expect(await connecting).toMatchObject({ nodeId: 'node-2' });
  expect(ringway.asked.map(({ avoid }) => avoid)).toEqual([[], ['node-1']]);
});

test('several nodes that could not be reached are avoided together', async () => {
  const ringway = await cluster(4);
  const { client } = watch(ringway);
  for (const node of ringway.nodes.slice(0, 3)) await node.kill();
  expect(await client.connect()).toMatchObject({ nodeId: 'node-4' });
  expect(ringway.asked.map(({ avoid }) => avoid.length)).toEqual([0, 1, 2, 3]);
});

test('what is avoided is forgotten after its time, and at most four are kept', () => {
  const clock = new FakeClock();
  const avoid = new AvoidList({ clock, avoidMs: 30_000 });
  for (let i = 1; i <= 6; i++) {
    avoid.add(`node-${i}`);
    clock.advance(1_000);
  }
  expect(avoid.current()).toEqual(['node-3', 'node-4', 'node-5', 'node-6']);
  avoid.add('node-3');
  avoid.delete('node-5');
  expect(avoid.current()).toEqual(['node-4', 'node-6', 'node-3']);
  clock.advance(29_000);
  expect(avoid.current()).toEqual(['node-3']);
  clock.advance(1_000);
  expect(avoid.current()).toEqual([]);
});

test('after two failures in a row the way through the locator is taken', async () => {
  const ringway = await cluster(1);
  const way = ringway.node(0);
  ringway.choose = () => {
    const ticket = ringway.issue('node-1', 'alice');
    ringway.answer = {
      url: `ws://127.0.0.1:1/?ticket=${ticket}`,
      ticket,
      fallbackUrl: `${way.url}?ticket=${ticket}`,
    };
    return way;
  };
  const { client } = watch(ringway);
  await client.connect();
  expect(ringway.asked).toHaveLength(3);
});

test('each ticket is opened once', async () => {
  const ringway = await cluster();
  const { client } = watch(ringway);
  await client.connect();
  for (let i = 2; i <= 4; i++) {
    ringway.node(0).session.socket.terminate();
    await until(() => expect(ringway.node(0).opened).toBe(i));
    await until(() => expect(client.state).toBe('connected'));
  }
  expect(ringway.asked).toHaveLength(4);
});
