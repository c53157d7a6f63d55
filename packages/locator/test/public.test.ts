import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { bearer, callerToken, member, startLocator } from './support.ts';

const members = [member('node-1')];
const alice = callerToken({ sub: 'alice' });

describe('CORS', () => {
  test('lets the pages of the setting in, also before the caller is known, and follows a reload', async () => {
    await using running = await startLocator(members, { origins: ['https://app.example.com'] });
    const { locator } = running;
    const preflight = (origin: string) =>
      fetch(`${locator.publicUrl}/route`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'authorization',
        },
      });
    const allowed = await preflight('https://app.example.com');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(allowed.headers.get('access-control-allow-headers')).toBe('authorization');
    expect(allowed.headers.get('access-control-max-age')).toBe('600');
    const denied = await preflight('https://evil.example.com');
    expect(denied.headers.get('access-control-allow-origin')).toBeNull();

    const get = (origin: string) =>
      fetch(`${locator.publicUrl}/route`, { headers: { ...bearer(alice).headers, origin } });
    const answer = await get('https://app.example.com');
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect(answer.headers.get('vary')).toContain('Origin');
    // a page must also be able to read why it was refused
    const refused = await fetch(`${locator.publicUrl}/route`, {
      headers: { origin: 'https://app.example.com' },
    });
    expect(refused.status).toBe(401);
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://app.example.com');

    locator.reload({ origins: ['https://other.example.com'] });
    expect((await get('https://app.example.com')).headers.get('access-control-allow-origin')).toBeNull();
    expect(
      (await get('https://other.example.com')).headers.get('access-control-allow-origin'),
    ).not.toBeNull();
  });
});

describe('health', () => {
  test('is alive at once, ready with the ring', async () => {
    await using running = await startLocator([]);
    for (const base of [running.locator.publicUrl, running.locator.internalUrl]) {
      expect((await fetch(`${base}/healthz`)).status).toBe(200);
      expect((await fetch(`${base}/readyz`)).status).toBe(200);
    }
  });

  test('is alive and not ready while the registry does not answer', async () => {
    await using running = await startLocator([], {
      membership: {
        watch: () => ({
          ready: Promise.resolve(),
          sinceConfirmed: () => Number.POSITIVE_INFINITY,
          reread: () => Promise.reject(new Error('away')),
          saidLeaving: () => {},
          close: () => Promise.resolve(),
        }),
        close: () => Promise.resolve(),
      },
    });
    const { locator } = running;
    expect((await fetch(`${locator.publicUrl}/healthz`)).status).toBe(200);
    expect((await fetch(`${locator.publicUrl}/readyz`)).status).toBe(503);
    const route = await fetch(`${locator.publicUrl}/route`, bearer(alice));
    expect(await route.json()).toMatchObject({ status: 503, code: 'not_ready', retryAfterMs: 1000 });
    const metrics = await (await fetch(`${locator.internalUrl}/metrics`)).text();
    expect(metrics).toContain('ringway_ring_age_seconds +Inf');
  });

  test('says no before the listeners close', async () => {
    await using running = await startLocator(members, { stopDelay: 300 });
    const { locator } = running;
    const url = `${locator.publicUrl}/readyz`;
    const stopped = locator.stop();
    expect((await fetch(url)).status).toBe(503);
    expect((await fetch(`${locator.publicUrl}/route`, bearer(alice))).status).toBe(200);
    await stopped;
    await expect(fetch(url)).rejects.toThrow();
  });
});

describe('the SDK’s bundle', () => {
  test('is served with a tag, and not again to who has it', async () => {
    await using running = await startLocator(members, {
      sdk: { 'ringway.js': () => Buffer.from('export const a = 1;'), 'b.js': () => Buffer.from('b') },
    });
    const url = `${running.locator.publicUrl}/sdk/ringway.js`;
    const first = await fetch(url);
    expect(first.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(first.headers.get('access-control-allow-origin')).toBe('*');
    expect(first.headers.get('cache-control')).toContain('max-age=');
    expect(await first.text()).toBe('export const a = 1;');
    const etag = first.headers.get('etag') ?? '';
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`]) {
      const again = await fetch(url, { headers: { 'if-none-match': known } });
      expect(again.status).toBe(304);
      expect(await again.text()).toBe('');
    }
    expect((await fetch(url, { headers: { 'if-none-match': '"x"' } })).status).toBe(200);
    expect(await (await fetch(`${running.locator.publicUrl}/sdk/b.js`)).text()).toBe('b');
  });

  test('is not there when it was not given; the start fails when it cannot be read', async () => {
    await using running = await startLocator(members);
    expect((await fetch(`${running.locator.publicUrl}/sdk/ringway.js`)).status).toBe(404);
    await expect(startLocator(members, { sdk: { 'ringway.js': '/nowhere/ringway.js' } })).rejects.toThrow(
      'ENOENT',
    );
  });
});

describe('what strangers send', () => {
  test('an unknown path is a problem too', async () => {
    await using running = await startLocator(members);
    const response = await fetch(`${running.locator.publicUrl}/ring`);
    expect(await response.json()).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('headers beyond 8 KiB are refused, and the locator goes on', async () => {
    await using running = await startLocator(members);
    const { port } = new URL(running.locator.publicUrl);
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => {});
    socket.write(`GET /route HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(10_000)}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 431 /);
    socket.destroy();
    expect((await fetch(`${running.locator.publicUrl}/route`, bearer(alice))).status).toBe(200);
  });

  test('several of what should be one, and bytes that are no UTF-8, are bad requests', async () => {
    await using running = await startLocator(members);
    for (const query of ['userId=a&userId=b', 'userId=%FF', `avoid=${'x'.repeat(65)}`]) {
      const response = await fetch(`${running.locator.publicUrl}/route?${query}`, bearer(alice));
      expect([400, 403]).toContain(response.status);
    }
  });
});

test('a path that cannot be unescaped is refused as everything else is', async () => {
  await using running = await startLocator(members);
  for (const base of [running.locator.publicUrl, running.locator.internalUrl]) {
    const answer = await fetch(`${base}/%`);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(await answer.json()).toMatchObject({ status: 400, code: 'bad_request' });
  }
});
