import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareUtf8 } from '../src/utf8-order.ts';

test('orders strings as their UTF-8 bytes are ordered', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.string({
      unit: fc.constantFrom('a', 'b', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}'),
      maxLength: 6,
    }),
  );
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});
