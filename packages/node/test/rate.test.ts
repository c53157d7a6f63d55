import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rate } from '../src/session/rate.ts';

describe('the rate of publishes', () => {
  it('lets twice a second’s worth through at once, then says how long to wait', () => {
    const rate = new Rate(10, 0);
    for (let i = 0; i < 20; i++) expect(rate.take(10, 0)).toBe(0);
    expect(rate.take(10, 0)).toBe(100);
    expect(rate.take(10, 60)).toBe(40);
    expect(rate.take(10, 100)).toBe(0);
    expect(rate.take(10, 100)).toBe(100);
  });

  it('never lets more through than allowed, and always what it said would be', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.array(fc.oneof(fc.constant(0), fc.nat(50), fc.nat(5_000)), { maxLength: 200 }),
        (perSecond, steps) => {
          const rate = new Rate(perSecond, 0);
          let now = 0;
          const taken: number[] = [];
          for (const step of steps) {
            now += step;
            const wait = rate.take(perSecond, now);
            if (wait === 0) taken.push(now);
            else {
              expect(Number.isInteger(wait) && wait > 0).toBe(true);
              now += wait;
              expect(rate.take(perSecond, now)).toBe(0);
              taken.push(now);
            }
          }
          for (const [i, from] of taken.entries()) {
            const within = taken.slice(i).filter((at) => at - from < 1_000).length;
            expect(within).toBeLessThanOrEqual(3 * perSecond + 1);
          }
        },
      ),
    );
  });
});
