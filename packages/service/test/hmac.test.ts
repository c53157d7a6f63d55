import { createHmac, createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hmacSha256 } from '../src/hmac.ts';

test('is the HMAC-SHA-256 of node:crypto, for any key and any text', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.constantFrom(5461, 5462, 16_384, 16_385, 40_000).map((length) => 'x'.repeat(length)),
    fc.constantFrom(5461, 5462, 10_000).map((length) => '€'.repeat(length)),
  );
  const key = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 63 }),
    fc.uint8Array({ minLength: 64, maxLength: 130 }),
  );
  fc.assert(
    fc.property(key, fc.array(text, { minLength: 1, maxLength: 3 }), (bytes, texts) => {
      const mac = hmacSha256(createSecretKey(bytes));
      for (const one of texts)
        expect(mac(one)).toBe(createHmac('sha256', bytes).update(one, 'utf8').digest('base64url'));
    }),
    { numRuns: 300 },
  );
});

test('RFC 4231, test case 2', () => {
  const mac = hmacSha256(createSecretKey(Buffer.from('Jefe')));
  expect(Buffer.from(mac('what do ya want for nothing?'), 'base64url').toString('hex')).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});
