import { describe, expect, test } from 'vitest';
import { loopbackOrigins, refusal } from '../src/dev/guard.ts';

const own = { host: '127.0.0.1:8080', origin: undefined, site: undefined };

describe('what the page of ringway dev takes', () => {
  test.each([
    [own],
    [{ ...own, host: 'localhost:8080', origin: 'http://localhost:8080' }],
    [{ ...own, host: '[::1]:8080', site: 'same-origin' }],
    [{ ...own, host: 'LOCALHOST:8080', site: 'none' }],
  ])('taken: %j', (request) => {
    expect(refusal(request, 8080)).toBeUndefined();
  });

  test.each([
    ['a name that was made to point here', { ...own, host: 'evil.example:8080' }],
    ['another port', { ...own, host: '127.0.0.1:9090' }],
    ['no Host', { ...own, host: undefined }],
    ['a foreign page', { ...own, origin: 'http://evil.example' }],
    ['a page of another port of this machine', { ...own, origin: 'http://127.0.0.1:3000' }],
    ['a page without an origin', { ...own, origin: 'null' }],
    ['a picture in a foreign page', { ...own, site: 'cross-site' }],
  ])('refused: %s', (_what, request) => {
    expect(refusal(request, 8080)).toBeTypeOf('string');
  });

  test('another page that was named, where it may ask', () => {
    const request = { ...own, origin: 'http://127.0.0.1:3000', site: 'cross-site' };
    expect(refusal(request, 8080, ['http://127.0.0.1:3000'])).toBeUndefined();
    expect(refusal(request, 8080, ['http://127.0.0.1:4000'])).toContain('--origin');
    expect(refusal({ ...request, host: 'evil.example:8080' }, 8080, [request.origin])).toContain('Host');
  });

  test('the origins that nodes are told', () => {
    expect(loopbackOrigins(81)).toEqual(['http://127.0.0.1:81', 'http://localhost:81', 'http://[::1]:81']);
  });
});
