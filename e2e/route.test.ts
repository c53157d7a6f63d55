import type { Problem, RouteAnswer } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import { useStage } from './support/stage.ts';

const stage = useStage({ env: { RINGWAY_ORIGINS: 'https://app.example.com' } });

/** `GET /route` with a caller's token unless it is null; whatever the answer. */
async function ask(query: string, token: string | null, headers: Record<string, string> = {}) {
  return stage().cluster.locator.fetch('public', `/route${query}`, {
    headers: { ...(token !== null && { authorization: `Bearer ${token}` }), ...headers },
  });
}

async function refusal(response: Awaited<ReturnType<typeof ask>>): Promise<Problem> {
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = (await response.json()) as Problem;
  expect(problem.status).toBe(response.status);
  return problem;
}

function decode(part: string | undefined): unknown {
  return JSON.parse(Buffer.from(part ?? '', 'base64url').toString());
}

describe('GET /route', () => {
  it('answers with the home of the user, a URL that opens as it is, and the ring', async () => {
    const { cluster } = stage();
    const user = stage().userOn('node-2');
    const before = Date.now();
    const response = await ask(`?userId=${user}`, cluster.callerToken(user));
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answer = (await response.json()) as RouteAnswer;
    expect(answer).toEqual({
      userId: user,
      nodeId: 'node-2',
      url: `${cluster.node('node-2').publicUrl.replace('https', 'wss')}/ws?ticket=${answer.ticket}`,
      ticket: expect.any(String),
      expiresAt: expect.any(Number),
      expiresIn: expect.any(Number),
      ring: { index: expect.stringMatching(/^\d+$/), checksum: stage().ring().version.checksum },
    });
    expect(answer.expiresIn).toBeGreaterThan(28_000);
    expect(answer.expiresIn).toBeLessThanOrEqual(30_000);
    expect(answer.expiresAt).toBeGreaterThan(before);
    const welcome = await stage().socket(answer.url).frame('welcome');
    expect(welcome).toMatchObject({ nodeId: 'node-2', userId: user, channel: `user:${user}` });
  });

  it('makes the ticket that the design has', async () => {
    const { cluster } = stage();
    const user = stage().userOn('node-1');
    const cap = { publish: ['user:*'], join: ['group:class-7'], presence: [] };
    const { ticket, ring } = await cluster.route(user, { cap });
    const [head, body] = ticket.split('.');
    expect(decode(head)).toMatchObject({ alg: 'HS256', typ: 'ringway-ticket+jwt' });
    expect(decode(body)).toEqual({
      iss: cluster.name,
      sub: user,
      aud: expect.stringMatching(/^node-1\/.+/),
      exp: expect.any(Number),
      jti: expect.any(String),
      sexp: expect.any(Number),
      ring,
      cap,
    });
  });

  it('says the same whichever locator is asked, and who the caller is when not told', async () => {
    const { cluster } = stage();
    const user = stage().userOn('node-3');
    const answers = await Promise.all(cluster.locators.map((locator) => cluster.route(user, { locator })));
    expect(answers.map(({ nodeId, userId }) => [nodeId, userId])).toEqual([
      ['node-3', user],
      ['node-3', user],
    ]);
    expect(answers[0]?.ring.checksum).toBe(answers[1]?.ring.checksum);
    const named = await cluster.route(user, { query: `userId=${user}` });
    expect(named.userId).toBe(user);
  });

  it('avoids whom the caller avoids, unless that is everyone', async () => {
    const { cluster } = stage();
    const user = stage().userOn('node-1', 'node-3');
    const next = await cluster.route(user, { query: 'avoid=node-1' });
    expect(next.nodeId).toBe('node-3');
    expect(decode(next.ticket.split('.')[1])).toMatchObject({ via: 'avoid', avoid: ['node-1'] });
    const last = await cluster.route(user, { query: 'avoid=node-1&avoid=node-3' });
    expect(last.nodeId).toBe('node-2');
    const all = await cluster.route(user, { query: 'avoid=node-1&avoid=node-2&avoid=node-3' });
    expect(all.nodeId).toBe('node-1');
  });

  it('refuses with a stable code', async () => {
    const { cluster } = stage();
    const token = cluster.callerToken('alice');
    const late = cluster.callerToken('alice', { expiresIn: -60 });
    expect(await refusal(await ask('', null))).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(await refusal(await ask('', late))).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(await refusal(await ask('?userId=bob', token))).toMatchObject({ status: 403, code: 'forbidden' });
    for (const bad of ['', 'a%00b', 'a'.repeat(257)]) {
      const refused = await refusal(await ask(`?userId=${bad}`, token));
      expect(refused, `userId=${bad}`).toMatchObject({ status: 400, code: 'invalid_user_id' });
    }
    expect((await ask(`?${'avoid=a&'.repeat(5)}`, token)).status).toBe(400);
  });
});

describe('origins', () => {
  it('lets only pages of a listed origin read /route', async () => {
    const { cluster } = stage();
    const token = cluster.callerToken('alice');
    const allowed = await ask('', token, { origin: 'https://app.example.com' });
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    const refused = await ask('', token, { origin: 'https://evil.example.com' });
    expect(refused.headers.get('access-control-allow-origin')).toBeNull();
    const preflight = async (origin: string) => {
      const { headers } = await cluster.locator.fetch('public', '/route', {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'authorization',
        },
      });
      return [headers.get('access-control-allow-origin'), headers.get('access-control-allow-headers')];
    };
    expect(await preflight('https://app.example.com')).toEqual(['https://app.example.com', 'authorization']);
    expect((await preflight('https://evil.example.com'))[0]).toBeNull();
  });

  it('lets only pages of a listed origin open a socket, and programs, which name none', async () => {
    const { cluster } = stage();
    const user = stage().userOn('node-1');
    const open = async (origin?: string) => {
      const { url } = await cluster.route(user);
      return stage().socket(url, origin === undefined ? {} : { origin });
    };
    expect((await (await open('https://evil.example.com')).closed).code).toBe(403);
    expect(await cluster.node('node-1').metric('ringway_refused_total', { reason: 'origin' })).toBe(1);
    await (await open('https://app.example.com')).frame('welcome');
    await (await open()).frame('welcome');
  });
});
