import { DEFAULT_BACKOFF, fullJitter } from '@ringway/link';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempts = fc.integer({ min: 0, max: 10_000 });

test('a wait is between nothing and base x 2^attempt, never above the cap', () => {
  fc.assert(
    fc.property(
      attempts,
      unit,
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 0, max: 60_000 }),
      (n, r, base, more) => {
        const wait = fullJitter({ baseMs: base, capMs: base + more })(n, r);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThan(Math.min(base + more, base * 2 ** n));
        expect(Number.isInteger(wait)).toBe(true);
      },
    ),
  );
});

test('the whole interval is used: the wait grows with the random number and reaches both ends', () => {
  fc.assert(
    fc.property(attempts, unit, unit, (n, a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      expect(DEFAULT_BACKOFF(n, low)).toBeLessThanOrEqual(DEFAULT_BACKOFF(n, high));
      expect(DEFAULT_BACKOFF(n, 0)).toBe(0);
      expect(DEFAULT_BACKOFF(n, 1 - 2 ** -40)).toBe(Math.min(20_000, 500 * 2 ** n) - 1);
    }),
  );
});

test.each([
  [{ baseMs: 0, capMs: 10 }, 'baseMs'],
  [{ baseMs: Number.NaN, capMs: 10 }, 'baseMs'],
  [{ baseMs: 20, capMs: 10 }, 'capMs'],
  [{ baseMs: 20, capMs: Number.POSITIVE_INFINITY }, 'capMs'],
])('bad bounds %o are named', (bounds, name) => {
  expect(() => fullJitter(bounds)).toThrow(name);
});
