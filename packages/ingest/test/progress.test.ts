import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Progress } from '../src/kafka/progress.ts';

it('is settled up to the first message that is not done, whatever the order of their ends', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 60 }),
      fc.infiniteStream(fc.nat()),
      (offsets, picks) => {
        // compacted topics have holes
        offsets.sort((one, other) => one - other);
        const progress = new Progress(0n);
        for (const offset of offsets) {
          progress.delivered(BigInt(offset));
          progress.position = BigInt(offset) + 1n;
        }
        const open = [...offsets];
        while (open.length > 0) {
          expect(progress.settled).toBe(BigInt(open[0] as number));
          expect(progress.open).toBe(open.length);
          const [done] = open.splice((picks.next().value as number) % open.length, 1);
          progress.done(BigInt(done as number));
        }
        expect(progress.settled).toBe(progress.position);
        expect(progress.open).toBe(0);
      },
    ),
  );
});

it('keeps its memory when much goes through', () => {
  const progress = new Progress(10n);
  for (let offset = 10n; offset < 5_000n; offset++) {
    progress.delivered(offset);
    progress.position = offset + 1n;
    progress.done(offset);
    expect(progress.settled).toBe(offset + 1n);
  }
});
