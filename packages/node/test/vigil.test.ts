import { describe, expect, it } from 'vitest';
import { Vigil } from '../src/vigil.ts';

function watched() {
  const clock = { now: 1_000, wall: 50_000, stops: [] as number[] };
  const vigil = new Vigil({
    limitMs: 2_000,
    now: () => clock.now,
    wallClock: () => clock.wall,
    onStop: (ms) => clock.stops.push(ms),
  });
  const pass = (ms: number, wallMs = ms): void => {
    clock.now += ms;
    clock.wall += wallMs;
  };
  return { clock, vigil, pass };
}

describe('a vigil', () => {
  it('sees nothing in a process that is busy, but runs', () => {
    const { clock, vigil, pass } = watched();
    for (let i = 0; i < 100; i++) {
      pass(2_000);
      expect(vigil.look()).toBe(true);
    }
    expect(clock.stops).toEqual([]);
  });

  it('tells a stop once, with its length, and is awake again', () => {
    const { clock, vigil, pass } = watched();
    pass(2_001);
    expect(vigil.look()).toBe(false);
    expect(vigil.look()).toBe(true);
    expect(clock.stops).toEqual([2_001]);
  });

  it('sees a machine that was suspended by the wall clock, and takes a clock that is set back for nothing', () => {
    const { clock, vigil, pass } = watched();
    pass(10, 3_600_000);
    expect(vigil.look()).toBe(false);
    expect(clock.stops).toEqual([3_600_000]);
    pass(10, -3_600_000);
    expect(vigil.look()).toBe(true);
  });
});
