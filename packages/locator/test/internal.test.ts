import { buildRing } from '@ringway/ring';
import { mintClusterToken, verifyClusterToken } from '@ringway/service';
import { describe, expect, test } from 'vitest';
import { bearer, clusterKeys, member, startLocator, ticketKeys } from './support.ts';

const members = ['node-1', 'node-2', 'node-3'].map((id) => member(id));

function token(
  scope: 'peer' | 'push' | 'admin' = 'push',
  more: { aud?: string; iss?: string; now?: number } = {},
): string {
  return mintClusterToken(clusterKeys(), { iss: 'ringway', sub: 'billing', aud: 'locator', scope, ...more });
}

describe('GET /ring', () => {
  test('shows the members and a version that anyone can work out from them', async () => {
    await using running = await startLocator(members);
    await running.membership.register(member('node-4', { ringFormat: 99 }));
    const gone = await running.membership.register(member('node-5'));
    await gone.leave();
    const ask = async () =>
      (await (await fetch(`${running.locator.internalUrl}/ring`, bearer(token()))).json()) as {
        index: string;
        checksum: string;
        format: number;
        members: { id: string; state: string; weight: number }[];
      };
    await expect.poll(async () => (await ask()).members.length).toBe(4);
    const document = await ask();
    const up = document.members.filter(({ state }) => state === 'up');
    expect(up.map(({ id }) => id)).toEqual(['node-1', 'node-2', 'node-3']);
    expect(document.members.find(({ id }) => id === 'node-5')?.state).toBe('leaving');
    expect(buildRing(up).version.checksum).toBe(document.checksum);
    expect(document.format).toBe(1);
    expect(document.index).toBe(running.registry.snapshot.index);
    expect(up[0]).toEqual({
      id: 'node-1',
      incarnation: 'node-1-1',
      publicUrl: 'wss://node-1.example.com',
      internalUrl: 'http://node-1.internal:8081',
      weight: 1,
      state: 'up',
    });
  });

  test('waits for a change when it is asked to', async () => {
    await using running = await startLocator(members);
    const url = `${running.locator.internalUrl}/ring`;
    const { index } = (await (await fetch(url, bearer(token()))).json()) as { index: string };
    let answered = false;
    const waiting = fetch(`${url}?index=${index}&wait=30s`, bearer(token())).then((response) => {
      answered = true;
      return response.json() as Promise<{ index: string; members: unknown[] }>;
    });
    // another answer on the way shows that the first one is being held
    await fetch(url, bearer(token()));
    expect(answered).toBe(false);
    await running.membership.register(member('node-4'));
    const next = await waiting;
    expect(next.index).not.toBe(index);
    expect(next.members).toHaveLength(4);
    // who has another ring is answered at once
    const old = await fetch(`${url}?index=${index}&wait=30s`, bearer(token()));
    expect(old.status).toBe(200);
    const other = await fetch(`${url}?index=${next.index}&checksum=other&wait=30s`, bearer(token()));
    expect(other.status).toBe(200);
  });

  test('answers as it is when the time is over', async () => {
    await using running = await startLocator(members);
    const url = `${running.locator.internalUrl}/ring`;
    const { index } = (await (await fetch(url, bearer(token()))).json()) as { index: string };
    const response = await fetch(`${url}?index=${index}&wait=20ms`, bearer(token()));
    expect(((await response.json()) as { index: string }).index).toBe(index);
  });

  test('a locator that stops lets the waiting go', async () => {
    await using running = await startLocator(members);
    const url = `${running.locator.internalUrl}/ring`;
    const { index } = (await (await fetch(url, bearer(token()))).json()) as { index: string };
    const waiting = fetch(`${url}?index=${index}&wait=60s`, bearer(token()));
    await fetch(url, bearer(token()));
    await running.locator.stop();
    expect((await waiting).status).toBe(200);
  });

  test.each(['wait=10s', 'index=1&wait=soon', 'index=1&wait=-1s', 'index=1&index=2'])(
    'refuses %s',
    async (query) => {
      await using running = await startLocator(members);
      const response = await fetch(`${running.locator.internalUrl}/ring?${query}`, bearer(token()));
      expect(await response.json()).toMatchObject({ status: 400, code: 'bad_request' });
    },
  );
});

describe('/owner', () => {
  test('gives a backend the home of a user, and a token for that node alone', async () => {
    const now = 1_790_000_000_500;
    await using running = await startLocator(members, { now: () => now });
    const caller = bearer(token('push', { now }));
    const answer = (await (
      await fetch(`${running.locator.internalUrl}/owner?userId=alice`, caller)
    ).json()) as Record<string, string>;
    const home = buildRing(members).owner('user:alice');
    expect(answer).toMatchObject({
      userId: 'alice',
      nodeId: home?.id,
      internalUrl: home?.internalUrl,
      expiresAt: 1_790_000_060_000,
    });
    const want = { now, issuer: 'ringway', audience: home?.id ?? '' };
    expect(verifyClusterToken(clusterKeys(), answer['token'] ?? '', want)).toMatchObject({
      ok: true,
      claims: { sub: 'billing', scope: 'push' },
    });
  });

  test('answers for many in the order of the question', async () => {
    await using running = await startLocator(members);
    const userIds = Array.from({ length: 100 }, (_, i) => `user-${i}`);
    const response = await fetch(`${running.locator.internalUrl}/owner`, {
      method: 'POST',
      headers: { ...bearer(token()).headers, 'content-type': 'application/json' },
      body: JSON.stringify({ userIds }),
    });
    const { owners } = (await response.json()) as { owners: { userId: string; nodeId: string }[] };
    const ring = buildRing(members);
    expect(owners.map(({ userId }) => userId)).toEqual(userIds);
    expect(owners.map(({ nodeId }) => nodeId)).toEqual(userIds.map((id) => ring.owner(`user:${id}`)?.id));
  });

  test.each([
    [{ userIds: [] }, 'bad_request'],
    [{ userIds: new Array(1001).fill('u') }, 'bad_request'],
    [{}, 'bad_request'],
    ['not JSON', 'bad_request'],
    [{ userIds: ['alice', ''] }, 'invalid_user_id'],
  ])('refuses a bad body %#', async (body, code) => {
    await using running = await startLocator(members);
    const response = await fetch(`${running.locator.internalUrl}/owner`, {
      method: 'POST',
      headers: { ...bearer(token()).headers, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    expect(await response.json()).toMatchObject({ status: 400, code });
  });

  test('says when there are no nodes', async () => {
    await using running = await startLocator([]);
    const response = await fetch(`${running.locator.internalUrl}/owner?userId=alice`, bearer(token()));
    expect(await response.json()).toMatchObject({ status: 503, code: 'no_nodes' });
  });
});

describe('cluster tokens', () => {
  const foreign = mintClusterToken(ticketKeys(), { iss: 'ringway', sub: 'x', aud: 'locator', scope: 'push' });
  test.each([
    ['none', undefined, 401],
    ['of scope push', token('push'), 200],
    ['of scope admin', token('admin'), 200],
    ['of scope peer', token('peer'), 403],
    ['for a node', token('push', { aud: 'node-1' }), 401],
    ['of another cluster', token('push', { iss: 'staging' }), 401],
    ['expired', token('push', { now: Date.now() - 66_000 }), 401],
    ['by another family’s key', foreign, 401],
  ])('%s', async (_what, value, status) => {
    await using running = await startLocator(members);
    const init = value === undefined ? {} : bearer(value);
    for (const path of ['/ring', '/owner?userId=alice']) {
      const response = await fetch(`${running.locator.internalUrl}${path}`, init);
      expect(response.status).toBe(status);
    }
  });

  test('are not asked for where the listener is open', async () => {
    await using running = await startLocator(members, { internalOpen: true });
    expect((await fetch(`${running.locator.internalUrl}/owner?userId=alice`)).status).toBe(200);
  });
});

test('several locators in one process have metrics of their own', async () => {
  await using first = await startLocator(members);
  await using second = await startLocator([member('node-1')]);
  const metrics = async (url: string) => (await fetch(`${url}/metrics`)).text();
  expect(await metrics(first.locator.internalUrl)).toContain('ringway_ring_members 3');
  expect(await metrics(second.locator.internalUrl)).toContain('ringway_ring_members 1');
});

test('counts members that are kept out, by reason', async () => {
  await using running = await startLocator([member('node-1', { ringFormat: 99 })]);
  const text = await (await fetch(`${running.locator.internalUrl}/metrics`)).text();
  for (const name of [
    'ringway_members_rejected_total{reason="ring_format"} 1',
    'ringway_route_duration_seconds_bucket',
    'ringway_ring_age_seconds 0',
    'ringway_eventloop_lag_seconds',
  ]) {
    expect(text).toContain(name);
  }
});

test('a body that is not said to be JSON is refused, and the header named', async () => {
  await using running = await startLocator(members);
  const answer = await fetch(`${running.locator.internalUrl}/owner`, {
    method: 'POST',
    headers: { ...bearer(token()).headers, 'content-type': 'text/plain' },
    body: '{"userIds":["alice"]}',
  });
  expect(answer.status).toBe(415);
  expect(await answer.json()).toEqual({
    type: 'urn:ringway:error:bad_request',
    title: 'a parameter or the body is not as described',
    status: 415,
    detail: 'Content-Type: expected application/json',
    code: 'bad_request',
  });
});

test('/docs is a page, and its document has every path of both listeners', async () => {
  await using running = await startLocator(members, { sdk: { 'ringway.js': () => Buffer.from('') } });
  const page = await fetch(`${running.locator.internalUrl}/docs`);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('swagger');
  const document = (await (await fetch(`${running.locator.internalUrl}/docs/json`)).json()) as {
    openapi: string;
    paths: Record<string, Record<string, { responses: Record<string, unknown>; security?: unknown }>>;
  };
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths).sort()).toEqual([
    '/healthz',
    '/metrics',
    '/owner',
    '/readyz',
    '/ring',
    '/route',
    '/sdk/ringway.js',
  ]);
  expect(Object.keys(document.paths['/route']?.['get']?.responses ?? {})).toEqual([
    '200',
    '400',
    '401',
    '403',
    '429',
    '503',
  ]);
  expect(document.paths['/ring']?.['get']?.security).toEqual([{ cluster: [] }]);
  expect(document.paths['/owner']?.['post']).toBeDefined();
});
