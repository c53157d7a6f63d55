import { RouteError } from '@ringway/client';
import { expect, test } from 'vitest';
import { cluster, watch } from './support/clients.ts';
import { FakeClock } from './support/clock.ts';
import { until } from './support/until.ts';

function problem(status: number, code: string, more: object = {}) {
  return {
    status,
    body: { type: `urn:ringway:error:${code}`, title: code, status, detail: `it is ${code}`, code, ...more },
  };
}

test.each([
  [400, 'invalid_user_id'],
  [403, 'forbidden'],
])('%i is the end', async (status, code) => {
  const ringway = await cluster();
  ringway.refusals.push(problem(status, code));
  const { client, errors, states } = watch(ringway);
  const connecting = client.connect();
  await expect(connecting).rejects.toMatchObject({
    code: 'closed',
    cause: { name: 'RouteError', code, status },
  });
  expect(errors).toMatchObject([{ name: 'RouteError', code, terminal: true }]);
  expect(states.at(-1)).toMatchObject({ new: 'disconnected', reason: `/route: ${status} it is ${code}` });
  expect(ringway.asked).toHaveLength(1);
});

test('401 gets a new token, once', async () => {
  const ringway = await cluster();
  const tokens = ['stale', 'fresh', 'stale again', 'bad'];
  const { client } = watch(ringway, { getToken: async () => tokens.shift() ?? 'none' });
  ringway.refusals.push(problem(401, 'unauthenticated'));
  await client.connect();
  expect(ringway.asked.map(({ authorization }) => authorization)).toEqual(['Bearer stale', 'Bearer fresh']);
  await client.close();
  ringway.refusals.push(problem(401, 'unauthenticated'), problem(401, 'unauthenticated'));
  await expect(client.connect()).rejects.toMatchObject({ cause: { code: 'unauthenticated', status: 401 } });
  expect(tokens).toEqual(['bad']);
});

test.each([
  ['retryAfterMs', problem(429, 'rate_limited', { retryAfterMs: 7_000 })],
  ['Retry-After', { status: 503, headers: { 'retry-after': '7' } }],
])('%s is kept, with the backoff on top', async (_, refusal) => {
  const ringway = await cluster();
  ringway.refusals.push(refusal);
  const clock = new FakeClock();
  const { client, errors } = watch(ringway, { clock, backoff: () => 250 });
  const connecting = client.connect();
  await until(() => expect(errors).toMatchObject([{ retryAfterMs: 7_000, terminal: false }]));
  clock.advance(7_249);
  expect(ringway.asked).toHaveLength(1);
  clock.advance(1);
  await connecting;
  expect(ringway.asked).toHaveLength(2);
});

test('no answer, no nodes, no JSON, no url: each is tried again', async () => {
  const ringway = await cluster();
  ringway.refusals.push(problem(503, 'no_nodes'), { status: 502 }, { status: 200, body: { hello: 1 } });
  const { client, errors } = watch(ringway);
  await client.connect();
  expect(errors.map((error) => (error as RouteError).code)).toEqual(['no_nodes', 'unavailable', 'internal']);
  expect(errors[0]).toBeInstanceOf(RouteError);
});

test('of several locators each is tried in turn, and the one that answered is asked first from then on', async () => {
  const dead = await cluster();
  const { locator: gone } = dead;
  const busy = await cluster();
  const ringway = await cluster();
  await dead.stop();
  dead.stop = async () => {};
  busy.refusals.push(problem(503, 'not_ready'), problem(503, 'not_ready'));
  const { client, errors } = watch([gone, busy.locator, `${ringway.locator}/`]);
  await client.connect();
  expect(errors).toEqual([]);
  expect(busy.asked).toHaveLength(1);
  ringway.node(0).session.socket.terminate();
  await until(() => expect(ringway.asked).toHaveLength(2));
  expect(busy.asked).toHaveLength(1);
});

test('a locator that does not answer in time is left for the next', async () => {
  const ringway = await cluster();
  let asked = 0;
  const slow: typeof fetch = (input, init) => {
    if (++asked > 1) return fetch(input, init);
    return new Promise((_, reject) =>
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)),
    );
  };
  const { client } = watch([ringway.locator, ringway.locator], { fetch: slow, connectTimeoutMs: 1_000 });
  await client.connect();
  expect(asked).toBe(2);
});

test('a getToken that fails is asked again after a wait', async () => {
  const ringway = await cluster();
  let calls = 0;
  const getToken = async () => {
    if (++calls === 1) throw new Error('the backend is away');
    return 'token';
  };
  const { client, errors } = watch(ringway, { getToken });
  await client.connect();
  expect(errors).toMatchObject([
    { name: 'TokenError', code: 'token', cause: { message: 'the backend is away' } },
  ]);
});

test('without a userId, the token says who', async () => {
  const ringway = await cluster();
  const { client } = watch(ringway.locator);
  const anonymous = watch(ringway.locator, {});
  await client.connect();
  expect(ringway.asked[0]?.userId).toBe('alice');
  await anonymous.client.close();
});
