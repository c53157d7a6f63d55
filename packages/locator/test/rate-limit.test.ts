import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RateLimiter } from '../src/rate-limit.ts';

/** The plain bucket: a level that fills with time; what the limiter must agree with. */
class Bucket {
  #level: number;
  #at = Number.NaN;
  readonly #rate: number;
  readonly #burst: number;

  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#level = burst;
  }

  take(now: number): boolean {
    if (!Number.isNaN(this.#at)) {
      this.#level = Math.min(this.#burst, this.#level + ((now - this.#at) * this.#rate) / 1000);
    }
    this.#at = now;
    if (this.#level < 1 - 1e-6) return false;
    this.#level -= 1;
    return true;
  }
}

describe('RateLimiter', () => {
  test('agrees with a plain bucket a key, whatever is asked when', () => {
    const asks = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 700 })), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        asks,
        (rate, burst, sequence) => {
          const limiter = new RateLimiter({ rate, burst });
          const buckets = Array.from({ length: 5 }, () => new Bucket(rate, burst));
          let now = 1000;
          for (const [key, pause] of sequence) {
            now += pause;
            expect(limiter.take(String(key), now) === 0).toBe(buckets[key]?.take(now));
          }
        },
      ),
    );
  });

  test('who comes again after the time it was told may pass', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 10 }), (rate, burst) => {
        const limiter = new RateLimiter({ rate, burst });
        for (let i = 0; i < burst; i++) expect(limiter.take('a', 5)).toBe(0);
        const wait = limiter.take('a', 5);
        expect(wait).toBeGreaterThan(0);
        expect(limiter.take('a', 5 + wait)).toBe(0);
      }),
    );
  });

  test('forgets who has not asked for a while', () => {
    const limiter = new RateLimiter({ rate: 10, burst: 10 });
    for (let i = 0; i < 100_000; i++) limiter.take(`user-${i}`, i / 10);
    expect(limiter.size).toBeLessThanOrEqual(20_001);
    limiter.take('last', 1e9);
    expect(limiter.size).toBe(1);
  });
});
