import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backlog } from '../src/peers/backlog.ts';

describe('what came in on a link and has no outcome', () => {
  it('is waited for, and nothing that came later', () => {
    const backlog = new Backlog();
    const told: string[] = [];
    backlog.whenSettled(() => told.push('nothing'));
    expect(told).toEqual(['nothing']);
    const [first, second] = [backlog.taken(), backlog.taken()];
    backlog.whenSettled(() => told.push('both'));
    const later = backlog.taken();
    later();
    first();
    expect(told).toEqual(['nothing']);
    second();
    expect(told).toEqual(['nothing', 'both']);
  });

  it('is told of in order, each once, when all before it is settled, whatever comes and goes', () => {
    const step = fc.oneof(
      { arbitrary: fc.constant({ do: 'take' as const }), weight: 4 },
      { arbitrary: fc.record({ do: fc.constant('settle' as const), which: fc.nat(20) }), weight: 4 },
      { arbitrary: fc.constant({ do: 'ask' as const }), weight: 2 },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const backlog = new Backlog();
        const open: { readonly number: number; settle(): void }[] = [];
        let taken = 0;
        const asked: number[] = [];
        const told: number[] = [];
        for (const one of steps) {
          if (one.do === 'take') open.push({ number: taken++, settle: backlog.taken() });
          else if (one.do === 'settle') open.splice(one.which % (open.length || 1), 1)[0]?.settle();
          else {
            const before = taken;
            asked.push(before);
            backlog.whenSettled(() => told.push(before));
          }
          const oldest = Math.min(taken, ...open.map(({ number }) => number));
          expect(told).toEqual(asked.filter((before) => before <= oldest));
        }
      }),
    );
  });
});
