import fc from 'fast-check';
import { expect, test } from 'vitest';
import { routeAnswer, routeAnswerJson } from '../src/route-answer.ts';
import { member } from './support.ts';

test('the answer that is written by hand is the answer, whatever stands in it', () => {
  const publicUrl = fc.oneof(fc.webUrl(), fc.string()).map((text) => `wss://${text}`);
  const ticket = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{43}$/);
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      publicUrl,
      ticket,
      fc.nat(),
      fc.nat(),
      (userId, url, text, exp, at) => {
        const ring = { index: '146', checksum: '9f0123456789abcd' };
        const routed = { userId, member: member('node-1', { publicUrl: url }), ticket: text, exp, at, ring };
        expect(JSON.parse(routeAnswerJson(routed))).toEqual(routeAnswer(routed));
      },
    ),
  );
});

test('the URL has the member’s path prefix, with and without a slash behind it', () => {
  const url = (publicUrl: string) =>
    routeAnswer({
      userId: 'a',
      member: member('n', { publicUrl }),
      ticket: 'T',
      exp: 1,
      at: 0,
      ring: { index: '1', checksum: 'x' },
    }).url;
  expect(url('wss://ws.example.com/n/node-2')).toBe('wss://ws.example.com/n/node-2/ws?ticket=T');
  expect(url('wss://ws.example.com/')).toBe('wss://ws.example.com/ws?ticket=T');
  expect(url('ws://127.0.0.1:9000')).toBe('ws://127.0.0.1:9000/ws?ticket=T');
});
