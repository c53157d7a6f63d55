import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { every } from '../src/index.ts';

describe('what runs every so often', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('runs at multiples of its period, so that all of them run together', () => {
    vi.advanceTimersByTime(37);
    const seen: [number, number][] = [];
    const stops: (() => void)[] = [];
    for (const [offset, period] of [
      [11, 100],
      [13, 200],
      [29, 500],
    ] as const) {
      vi.advanceTimersByTime(offset);
      stops.push(every(period, () => seen.push([period, Math.floor(performance.now())])));
    }
    vi.advanceTimersByTime(1_000);
    for (const [period, at] of seen) expect(at % period).toBe(0);
    const moments = new Set(seen.map(([, at]) => at));
    expect(moments.size).toBe(10);
    for (const stop of stops) stop();
    const before = seen.length;
    vi.advanceTimersByTime(1_000);
    expect(seen).toHaveLength(before);
  });

  it('tells how late it is, and leaves out what it has missed', async () => {
    vi.useRealTimers();
    const late: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = every(20, (ms) => {
      late.push(ms);
      if (late.length === 2) resolve();
    });
    const until = performance.now() + 90;
    while (performance.now() < until);
    await promise;
    stop();
    // it was due 70 ms before at least, and three more times in between
    expect(late[0]).toBeGreaterThan(60);
  });

  it('goes on after it has thrown, and not after it has ended itself', () => {
    let runs = 0;
    const stop = every(100, () => {
      runs++;
      if (runs === 1) throw new Error('once');
      stop();
    });
    expect(() => vi.advanceTimersByTime(100)).toThrow('once');
    vi.advanceTimersByTime(500);
    expect(runs).toBe(2);
  });
});
