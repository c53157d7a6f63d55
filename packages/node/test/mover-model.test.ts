import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FakeSession, MoverBench } from './support/movers.ts';

describe('whatever happens', () => {
  const id = fc.constantFrom('b', 'c', 'd', 'e');
  const action = fc.oneof(
    fc.record({ do: fc.constant('ring' as const), ids: fc.uniqueArray(id), self: fc.boolean() }),
    fc.record({ do: fc.constant('hear' as const), ids: fc.uniqueArray(id, { maxLength: 2 }) }),
    fc.record({ do: fc.constant('reach' as const), ids: fc.uniqueArray(id) }),
    fc.record({
      do: fc.constant('arrive' as const),
      ids: fc.uniqueArray(id, { maxLength: 2 }),
      moved: fc.boolean(),
    }),
    fc.record({
      do: fc.constant('answer' as const),
      how: fc.constantFrom('go' as const, 'fail' as const, 'break' as const),
    }),
    fc.record({ do: fc.constant('drain' as const), on: fc.boolean() }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 50, max: 20_000 }) }),
  );

  it('a session is told one thing at a time, never to go where it shall not, and all settle', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.integer({ min: 1, max: 30 }), (actions, count) => {
        const bench = new MoverBench(['a', 'b', 'c']);
        bench.add(count);
        /** Whom a session must not be sent to, in the ring that it was said in. */
        const avoids = new Map<FakeSession, { ring: unknown; ids: readonly string[]; until: number }>();
        const pending = new Set<FakeSession>();
        let draining = false;
        let seen = 0;
        let closes = 0;
        const check = (): void => {
          for (; closes < bench.closed.length; closes++) {
            const { session, name } = bench.closed[closes] as (typeof bench.closed)[number];
            expect(pending.delete(session), 'only who was told is closed').toBe(true);
            expect(name).toBe('moved');
          }
          for (; seen < bench.told.length; seen++) {
            const { session, target, at } = bench.told[seen] as (typeof bench.told)[number];
            expect(pending.has(session), 'told twice').toBe(false);
            pending.add(session);
            expect(target.id).not.toBe('a');
            expect(bench.unreached.has(target.id)).toBe(false);
            const avoid = avoids.get(session);
            if (avoid?.ring === bench.ring && at < avoid.until) expect(avoid.ids).not.toContain(target.id);
            if (!draining) expect(bench.ring.ownerAt(session.point)?.id).toBe(target.id);
          }
        };
        const pass = (ms: number): void => {
          for (let left = ms; left > 0; left -= 50) {
            bench.pass(50);
            check();
            for (const session of pending)
              if (bench.results.get('stayed') && !isPending(bench, session)) pending.delete(session);
          }
        };
        const answer = (how: 'go' | 'fail' | 'break'): void => {
          for (const session of [...pending]) {
            pending.delete(session);
            if (how === 'fail') bench.mover.failed(session);
            else bench.end(session, how === 'go');
          }
        };
        for (const each of actions) {
          switch (each.do) {
            case 'ring':
              bench.change([...(each.self ? ['a'] : []), ...each.ids]);
              break;
            case 'hear':
              bench.hear(each.ids);
              break;
            case 'reach':
              bench.unreached.clear();
              for (const one of each.ids) bench.unreached.add(one);
              break;
            case 'arrive': {
              const [session] = bench.add(1, true) as [FakeSession];
              bench.arrive(session, each.ids, each.moved);
              avoids.set(session, { ring: bench.ring, ids: each.ids, until: bench.time + 600_000 });
              break;
            }
            case 'answer':
              answer(each.how);
              break;
            case 'drain':
              draining = each.on;
              if (each.on) bench.mover.drain({ rate: 50, spreadMs: 500 });
              else bench.mover.stay();
              break;
            case 'pass':
              pass(each.ms);
          }
        }
        // things calm down, and clients do as they are told
        draining = false;
        bench.mover.stay();
        bench.unreached.clear();
        bench.change(['a', 'b', 'c']);
        for (let i = 0; i < 40; i++) {
          pass(1_000);
          answer('go');
        }
        // those whose last attempt failed long ago may wait up to 12 minutes for the next
        for (let i = 0; i < 800; i++) {
          bench.time += 900;
          pass(100);
          answer('go');
        }
        expect(bench.mover.pendingCount).toBe(0);
        expect(bench.mover.wantedCount).toBe(0);
        for (const { point } of bench.sessions) expect(bench.ring.ownerAt(point)?.id).toBe('a');
      }),
      { numRuns: 60 },
    );
  });
});

/** Whether the mover still waits for the session: one that stayed may be told again. */
function isPending(bench: MoverBench, session: FakeSession): boolean {
  return bench.told.some((one) => one.session === session && bench.time - one.at < 10_000);
}
