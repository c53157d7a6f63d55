import type { Problem } from '@ringway/protocol';
import { waitFor } from '@ringway/testkit';
import { describe, expect, test } from 'vitest';
import { Overload } from '../src/overload.ts';
import { bearer, callerToken, member, startLocator } from './support.ts';

describe('an overload', () => {
  test('is an event loop that was late twice in a row, for as long as it is', () => {
    let now = 0;
    let random = 0;
    const overload = new Overload({ maxLagMs: 500, now: () => now, random: () => random });
    overload.start();
    overload.stop();
    const sample = (after: number): number => {
      now += after;
      overload.sample();
      return overload.retryAfterMs;
    };
    expect([sample(100), sample(600), sample(100), sample(2_000), sample(150)]).toEqual([0, 0, 0, 0, 0]);
    expect(sample(601)).toBe(0);
    expect(sample(601)).toBe(2_000);
    random = 0.999;
    expect(sample(5_000)).toBeGreaterThan(3_990);
    expect(sample(600)).toBe(0);
  });

  test('makes /route refuse with a time to come again, and is over when it is over', async () => {
    await using running = await startLocator([member('node-1')], { maxLag: 10 });
    const { locator } = running;
    const ask = () => fetch(`${locator.publicUrl}/route`, bearer(callerToken({ sub: 'alice' })));
    const busy = setInterval(() => {
      const until = performance.now() + 150;
      while (performance.now() < until);
    });
    try {
      const refused = await waitFor(
        async () => {
          const answer = await ask();
          const problem = (await answer.json()) as Problem;
          return answer.status === 503 && { problem, after: Number(answer.headers.get('retry-after')) };
        },
        { message: 'a refusal', timeout: 15_000 },
      );
      expect(refused.problem).toMatchObject({ status: 503, code: 'overloaded' });
      expect(refused.problem.retryAfterMs).toBeGreaterThanOrEqual(2_000);
      expect(refused.after).toBe(Math.ceil((refused.problem.retryAfterMs ?? 0) / 1_000));
    } finally {
      clearInterval(busy);
    }
    await waitFor(async () => (await ask()).status === 200, { message: 'an answer again', timeout: 15_000 });
    const metrics = await (await fetch(`${locator.internalUrl}/metrics`)).text();
    expect(metrics).toMatch(/ringway_routes_total\{code="overloaded"\} [1-9]/);
  });
});
