import { buildRing } from '@ringway/ring';
import { KeyFamily, ticketAudience, verifyTicket } from '@ringway/service';
import { describe, expect, test } from 'vitest';
import { insecureAuthenticate } from '../src/index.ts';
import { bearer, callerToken, member, startLocator, TICKET_KEYS, ticketKeys } from './support.ts';

const members = ['node-1', 'node-2', 'node-3'].map((id) => member(id));
const alice = callerToken({ sub: 'alice' });

async function problem(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('cache-control')).toBe('no-store');
  const body = (await response.json()) as Record<string, unknown>;
  expect(body['status']).toBe(response.status);
  return body;
}

describe('GET /route', () => {
  test('answers the home of the caller’s channel, a URL that is ready, and a ticket for that start of that node', async () => {
    const now = 1_790_000_000_250;
    await using running = await startLocator(members, { now: () => now });
    const cap = { publish: ['user:*'], join: ['group:a'] };
    const token = callerToken({ sub: 'alice', exp: 1_790_000_900, cap });
    const response = await fetch(`${running.locator.publicUrl}/route`, bearer(token));
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answer = (await response.json()) as Record<string, unknown>;
    const ring = buildRing(members, { index: running.registry.snapshot.index });
    const home = ring.owner('user:alice')?.id ?? '';
    expect(answer).toEqual({
      userId: 'alice',
      nodeId: home,
      url: `wss://${home}.example.com/ws?ticket=${String(answer['ticket'])}`,
      ticket: expect.any(String),
      expiresAt: 1_790_000_030_000,
      expiresIn: 29_750,
      ring: ring.version,
    });
    const verified = verifyTicket(ticketKeys(), String(answer['ticket']), {
      now,
      issuer: 'ringway',
      audience: ticketAudience(home, `${home}-1`),
    });
    expect(verified).toEqual({
      ok: true,
      claims: {
        iss: 'ringway',
        sub: 'alice',
        aud: `${home}/${home}-1`,
        exp: 1_790_000_030,
        jti: expect.any(String),
        sexp: 1_790_000_900,
        ring: ring.version,
        cap: { ...cap, presence: [] },
      },
    });
  });

  test('gives every ticket another id', async () => {
    await using running = await startLocator(members);
    const ids = new Set<unknown>();
    for (let i = 0; i < 20; i++) {
      const answer = (await (await fetch(`${running.locator.publicUrl}/route`, bearer(alice))).json()) as {
        ticket: string;
      };
      ids.add(JSON.parse(Buffer.from(answer.ticket.split('.')[1] ?? '', 'base64url').toString()).jti);
    }
    expect(ids.size).toBe(20);
  });

  test('keeps a path prefix of the node’s public URL', async () => {
    await using running = await startLocator([
      member('node-1', { publicUrl: 'wss://ws.example.com/n/node-1' }),
    ]);
    const answer = (await (await fetch(`${running.locator.publicUrl}/route`, bearer(alice))).json()) as {
      url: string;
    };
    expect(answer.url).toMatch(/^wss:\/\/ws\.example\.com\/n\/node-1\/ws\?ticket=[\w.-]+$/);
  });

  test('avoids what it is asked to avoid, in the order of the ring, and says so in the ticket', async () => {
    await using running = await startLocator(members);
    const order = buildRing(members)
      .owners('user:alice', 3)
      .map(({ id }) => id);
    const ask = async (avoid: readonly string[]) => {
      const query = avoid.map((id) => `avoid=${id}`).join('&');
      const response = await fetch(`${running.locator.publicUrl}/route?userId=alice&${query}`, bearer(alice));
      const answer = (await response.json()) as { nodeId: string; ticket: string };
      const claims = JSON.parse(Buffer.from(answer.ticket.split('.')[1] ?? '', 'base64url').toString());
      return { node: answer.nodeId, via: claims.via, avoid: claims.avoid };
    };
    const [first = '', second = '', third = ''] = order;
    expect(await ask([first])).toEqual({ node: second, via: 'avoid', avoid: [first] });
    expect(await ask([first, second])).toEqual({ node: third, via: 'avoid', avoid: [first, second] });
    expect(await ask([second])).toEqual({ node: first, via: undefined, avoid: undefined });
    expect(await ask(['elsewhere', first])).toEqual({
      node: second,
      via: 'avoid',
      avoid: ['elsewhere', first],
    });
    // an avoid that covers everyone is ignored
    expect((await ask(order)).node).toBe(first);
  });

  test('takes four to avoid, not five', async () => {
    await using running = await startLocator(members);
    const query = (n: number) => Array.from({ length: n }, (_, i) => `avoid=n${i}`).join('&');
    expect((await fetch(`${running.locator.publicUrl}/route?${query(4)}`, bearer(alice))).status).toBe(200);
    const refused = await fetch(`${running.locator.publicUrl}/route?${query(5)}`, bearer(alice));
    expect(await problem(refused)).toMatchObject({ status: 400, code: 'bad_request' });
  });

  test('refuses another user than the caller', async () => {
    await using running = await startLocator(members);
    const response = await fetch(`${running.locator.publicUrl}/route?userId=bob`, bearer(alice));
    expect(await problem(response)).toMatchObject({ status: 403, code: 'forbidden' });
    expect((await fetch(`${running.locator.publicUrl}/route?userId=alice`, bearer(alice))).status).toBe(200);
  });

  test('refuses what is no user id', async () => {
    await using running = await startLocator(members);
    for (const bad of ['', '%00', 'x'.repeat(257), `${encodeURIComponent('ü'.repeat(129))}`]) {
      const response = await fetch(`${running.locator.publicUrl}/route?userId=${bad}`, bearer(alice));
      expect(await problem(response)).toMatchObject({ status: 400, code: 'invalid_user_id' });
    }
    for (const sub of ['', 7, null, undefined, 'x'.repeat(257), ['alice']]) {
      const response = await fetch(`${running.locator.publicUrl}/route`, bearer(callerToken({ sub })));
      expect(await problem(response)).toMatchObject({ status: 400, code: 'invalid_user_id' });
    }
    const ids = ['用户', 'a b&c', 'x'.repeat(256), '😀'];
    for (const sub of ids) {
      const url = `${running.locator.publicUrl}/route?userId=${encodeURIComponent(sub)}`;
      const response = await fetch(url, bearer(callerToken({ sub })));
      expect(((await response.json()) as { userId: string }).userId).toBe(sub);
    }
  });

  test('refuses who is not authenticated', async () => {
    await using running = await startLocator(members);
    for (const headers of [
      {},
      { authorization: 'Basic eDp5' },
      { authorization: 'Bearer' },
      { authorization: 'Bearer x' },
    ]) {
      const response = await fetch(`${running.locator.publicUrl}/route`, { headers });
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect(await problem(response)).toMatchObject({ status: 401, code: 'unauthenticated' });
    }
  });

  test('limits each caller by itself, and says when to come again', async () => {
    await using running = await startLocator(members, { routeLimit: { rate: 0.5, burst: 2 } });
    const ask = (token: string) => fetch(`${running.locator.publicUrl}/route`, bearer(token));
    expect((await ask(alice)).status).toBe(200);
    expect((await ask(alice)).status).toBe(200);
    const refused = await ask(alice);
    expect(refused.headers.get('retry-after')).toBe('2');
    const body = await problem(refused);
    expect(body).toMatchObject({ status: 429, code: 'rate_limited' });
    expect(body['retryAfterMs']).toBeGreaterThan(1000);
    expect(body['retryAfterMs']).toBeLessThanOrEqual(2000);
    expect((await ask(callerToken({ sub: 'bob' }))).status).toBe(200);
    const metrics = await (await fetch(`${running.locator.internalUrl}/metrics`)).text();
    expect(metrics).toContain('ringway_routes_total{code="rate_limited"} 1');
    expect(metrics).toContain('ringway_routes_total{code="ok"} 3');
    expect(metrics).toContain('ringway_route_duration_seconds_count 4');
  });

  test('says when there are no nodes, and follows the ring', async () => {
    await using running = await startLocator([]);
    const response = await fetch(`${running.locator.publicUrl}/route`, bearer(alice));
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await problem(response)).toMatchObject({ status: 503, code: 'no_nodes', retryAfterMs: 1000 });
    await running.membership.register(member('node-9'));
    await expect
      .poll(async () => (await fetch(`${running.locator.publicUrl}/route`, bearer(alice))).status)
      .toBe(200);
  });

  test('signs with the newest key after a change of keys', async () => {
    const family = ticketKeys();
    await using running = await startLocator(members, { ticketKeys: family });
    const fresh = 'f'.repeat(32);
    family.reload({ name: family.name, text: `${fresh},${TICKET_KEYS}` });
    const answer = (await (await fetch(`${running.locator.publicUrl}/route`, bearer(alice))).json()) as {
      ticket: string;
      nodeId: string;
    };
    const want = { now: Date.now(), issuer: 'ringway', audience: `${answer.nodeId}/${answer.nodeId}-1` };
    expect(verifyTicket(KeyFamily.parse('X', fresh), answer.ticket, want).ok).toBe(true);
    expect(verifyTicket(ticketKeys(), answer.ticket, want).ok).toBe(false);
  });

  test('without authentication everyone is who they say, with the rights that were granted', async () => {
    const cap = { publish: ['*'], join: [], presence: [] };
    await using running = await startLocator(members, { authenticate: insecureAuthenticate(cap) });
    const response = await fetch(`${running.locator.publicUrl}/route?userId=carol`);
    const answer = (await response.json()) as { userId: string; ticket: string };
    expect(answer.userId).toBe('carol');
    expect(JSON.parse(Buffer.from(answer.ticket.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      sub: 'carol',
      cap,
    });
    expect(await problem(await fetch(`${running.locator.publicUrl}/route`))).toMatchObject({
      code: 'invalid_user_id',
    });
  });

  test('a fault of the authentication is told to nobody', async () => {
    await using running = await startLocator(members, {
      authenticate: () => Promise.reject(new Error('password of the database: 1234')),
    });
    const response = await fetch(`${running.locator.publicUrl}/route`);
    const body = await problem(response);
    expect(body).toMatchObject({ status: 500, code: 'internal' });
    expect(JSON.stringify(body)).not.toContain('1234');
  });

  test('answers the same on several locators over one registry', async () => {
    await using first = await startLocator(members);
    await using second = await startLocator(members, { membership: first.membership });
    const nodes = await Promise.all(
      [first, second].map(async ({ locator }) => {
        const { nodeId, ring } = (await (
          await fetch(`${locator.publicUrl}/route`, bearer(alice))
        ).json()) as Record<string, unknown>;
        return { nodeId, ring };
      }),
    );
    expect(nodes[0]).toEqual(nodes[1]);
  });
});
