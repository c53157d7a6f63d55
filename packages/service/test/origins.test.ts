import { describe, expect, test } from 'vitest';
import { isLoopback, originAllowed, originProblem } from '../src/index.ts';

describe('originProblem', () => {
  test.each([
    '*',
    'https://app.example.com',
    'http://localhost:5173',
    'https://*.example.com',
    'app://bundle',
  ])('takes %s', (entry) => expect(originProblem(entry)).toBeUndefined());
  test.each([
    '',
    'app.example.com',
    'https://a.example/',
    'https://a.example/path',
    'https://a.*.example',
    '**',
    'https://*',
  ])('refuses %j', (entry) => expect(originProblem(entry)).toContain('origins like'));
});

describe('originAllowed', () => {
  const origins = ['https://app.example.com', 'https://*.tenants.example'];
  test.each([
    [undefined, true],
    ['https://app.example.com', true],
    ['http://app.example.com', false],
    ['https://app.example.com.evil.example', false],
    ['https://one.tenants.example', true],
    ['https://a.b.tenants.example', true],
    ['https://tenants.example', false],
    ['https://.tenants.example', false],
    ['https://eviltenants.example', false],
    ['https://evil.example/.tenants.example', false],
    ['https://evil.example?.tenants.example', false],
    ['null', false],
  ])('%s: %s', (origin, allowed) => {
    expect(originAllowed(origins, origin)).toBe(allowed);
  });

  test('* lets everyone in, an empty list only those without Origin', () => {
    expect(originAllowed(['*'], 'https://any.example')).toBe(true);
    expect(originAllowed([], 'https://any.example')).toBe(false);
    expect(originAllowed([], undefined)).toBe(true);
  });
});

test('isLoopback', () => {
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '::1', '[::1]'])
    expect(isLoopback(host)).toBe(true);
  for (const host of ['0.0.0.0', '::', 'example.com', '10.0.0.1', '127.0.0.1.evil.example'])
    expect(isLoopback(host)).toBe(false);
});
