import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lanes } from '../src/lanes.ts';

interface Work {
  readonly id: number;
  readonly channels: readonly string[];
}

const channels = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 4 });
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: channels }) },
    { weight: 1, arbitrary: fc.constant('take' as const) },
    { weight: 2, arbitrary: fc.record({ finish: fc.nat(20) }) },
  ),
  { maxLength: 60 },
);

describe('lanes', () => {
  test('what comes before the batch is taken goes together, in order', () => {
    const lanes = new Lanes<Work>();
    for (const id of [1, 2, 3]) lanes.add({ id, channels: ['a'] });
    expect(lanes.take().map(({ id }) => id)).toEqual([1, 2, 3]);
    lanes.add({ id: 4, channels: ['a'] });
    lanes.add({ id: 5, channels: ['b'] });
    expect(lanes.take().map(({ id }) => id)).toEqual([5]);
    lanes.done('a');
    lanes.done('a');
    expect(lanes.hasReady).toBe(false);
    lanes.done('a');
    expect(lanes.take().map(({ id }) => id)).toEqual([4]);
  });

  test('a work that waits for one of its channels holds the others', () => {
    const lanes = new Lanes<Work>();
    lanes.add({ id: 1, channels: ['a'] });
    lanes.take();
    lanes.add({ id: 2, channels: ['a', 'b'] });
    lanes.add({ id: 3, channels: ['b'] });
    expect(lanes.take()).toEqual([]);
    lanes.done('a');
    expect(lanes.take().map(({ id }) => id)).toEqual([2]);
    lanes.done('b');
    lanes.done('a');
    expect(lanes.take().map(({ id }) => id)).toEqual([3]);
  });

  test('each channel hands out in order, never while an older batch of it is under way, and nothing is stuck', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const lanes = new Lanes<Work>();
        const last = new Map<string, number>();
        let underWay: { work: Work; batch: number }[] = [];
        let added = 0;
        let handedOut = 0;
        let batch = 0;
        const take = (): void => {
          batch++;
          for (const work of lanes.take()) {
            handedOut++;
            for (const channel of work.channels) {
              expect(last.get(channel) ?? 0).toBeLessThan(work.id);
              last.set(channel, work.id);
              const older = underWay.filter((other) => other.work.channels.includes(channel));
              expect(older.every((other) => other.batch === batch)).toBe(true);
            }
            underWay.push({ work, batch });
          }
        };
        const finish = (at: number): void => {
          const done = underWay[at % Math.max(1, underWay.length)];
          if (done === undefined) return;
          underWay = underWay.filter((other) => other !== done);
          for (const channel of done.work.channels) lanes.done(channel);
        };
        for (const step of sequence) {
          if (step === 'take') take();
          else if ('add' in step) lanes.add({ id: ++added, channels: step.add });
          else finish(step.finish);
        }
        for (let i = 0; i <= added; i++) {
          take();
          while (underWay.length > 0) finish(0);
        }
        expect(handedOut).toBe(added);
      }),
    );
  });
});
