import { CLIENT_DEFAULTS, RingwayClient } from '@ringway/client';
import { expect, test } from 'vitest';
import { resolveOptions } from '../src/options.ts';

const locator = 'https://ringway.example.com';

test('defaults are filled in, and the whole is frozen', () => {
  const resolved = resolveOptions({ locator, WebSocket: class {} as never });
  expect(resolved).toMatchObject({ ...CLIENT_DEFAULTS, locator: [locator] });
  expect(Object.isFrozen(resolved)).toBe(true);
});

test('an unknown option is named as such', () => {
  expect(() => new RingwayClient({ locator, nonsense: 1 } as never)).toThrow(
    new TypeError('unknown option nonsense'),
  );
});

test.each([
  ['locator', { locator: '' }],
  ['locator', { locator: [] }],
  ['locator', { locator: 'ringway.example.com' }],
  ['locator', { locator: [locator, 'ftp://x'] }],
  ['getToken', { getToken: 'secret' }],
  ['userId', { userId: '' }],
  ['userId', { userId: 7 }],
  ['maxQueued', { maxQueued: -1 }],
  ['publishTimeoutMs', { publishTimeoutMs: Number.NaN }],
  ['connectTimeoutMs', { connectTimeoutMs: '5s' }],
  ['minUptimeMs', { minUptimeMs: -5 }],
  ['avoidMs', { avoidMs: null }],
  ['backoff', { backoff: 5 }],
  ['fetch', { fetch: {} }],
  ['WebSocket', { WebSocket: undefined }],
  ['clock', { clock: 1 }],
  ['random', { random: 0.5 }],
])('a bad %s is named', (name, bad) => {
  expect(() => new RingwayClient({ locator, ...bad } as never)).toThrow(new RegExp(`^${name} must be`));
});
