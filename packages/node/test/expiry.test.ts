import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Expiry } from '../src/session/expiry.ts';
import type { Session } from '../src/session/session.ts';
import { SocketBench, type SocketPair } from './support/sessions.ts';

const ids = (sessions: readonly Session[]): string[] => sessions.map(({ id }) => id);

describe('what is due at a second', () => {
  let bench: SocketBench;
  let pair: SocketPair;
  beforeAll(async () => {
    bench = await SocketBench.start();
    pair = await bench.pair();
  });
  afterAll(() => bench[Symbol.asyncDispose]());
  const session = (): Session => bench.sessionOn({ socket: pair.socket, stream: new PassThrough() });

  it('is taken once its second has come, and not before', () => {
    const expiry = new Expiry(1_000.7);
    const [a, b] = [session(), session()];
    expiry.set(a, 1_005.9);
    expiry.set(b, 1_006);
    expect(ids(expiry.take(1_004.9))).toEqual([]);
    expect(ids(expiry.take(1_005))).toEqual([a.id]);
    expect(ids(expiry.take(1_005.9))).toEqual([]);
    expect(ids(expiry.take(1_100))).toEqual([b.id]);
    expect(ids(expiry.take(2_000))).toEqual([]);
  });

  it('is due at the next look when its second has passed already', () => {
    const expiry = new Expiry(1_000);
    const late = session();
    expect(ids(expiry.take(1_010))).toEqual([]);
    expiry.set(late, 900);
    expect(ids(expiry.take(1_011))).toEqual([late.id]);
  });

  it('is due at one second only, and no more when taken out', () => {
    const expiry = new Expiry(1_000);
    const [a, b] = [session(), session()];
    expiry.set(a, 1_005);
    expiry.set(a, 1_010);
    expiry.set(b, 1_005);
    expiry.remove(b);
    expiry.remove(b);
    expect(ids(expiry.take(1_009))).toEqual([]);
    expect(ids(expiry.take(1_010))).toEqual([a.id]);
  });

  it('is found after the clock was set forward, by however much', () => {
    const expiry = new Expiry(1_000);
    const [soon, later] = [session(), session()];
    expiry.set(soon, 1_500);
    expiry.set(later, 2_000_000_000);
    expect(ids(expiry.take(1_900_000_000))).toEqual([soon.id]);
    expect(ids(expiry.take(2_000_000_000))).toEqual([later.id]);
  });

  it('is not late after the clock was set back', () => {
    const expiry = new Expiry(10_000);
    expect(ids(expiry.take(10_000))).toEqual([]);
    expect(ids(expiry.take(5_000))).toEqual([]);
    const soon = session();
    expiry.set(soon, 5_010);
    expect(ids(expiry.take(5_009))).toEqual([]);
    expect(ids(expiry.take(5_010))).toEqual([soon.id]);
  });

  it('is taken exactly once, whatever is set, moved and taken out', () => {
    const sessions = Array.from({ length: 6 }, session);
    const step = fc.oneof(
      fc.record({ do: fc.constant('set' as const), who: fc.nat(5), at: fc.integer({ min: -50, max: 200 }) }),
      fc.record({ do: fc.constant('remove' as const), who: fc.nat(5) }),
      fc.record({ do: fc.constant('take' as const), pass: fc.oneof(fc.nat(20), fc.nat(10_000)) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now = 1_000_000;
        let next = now;
        const expiry = new Expiry(now);
        const due = new Map<Session, number>();
        for (const made of steps) {
          if (made.do === 'take') {
            now += made.pass;
            const taken = expiry.take(now);
            next = now + 1;
            expect(new Set(taken).size).toBe(taken.length);
            for (const one of sessions) {
              const at = due.get(one);
              const mustBe = at !== undefined && at <= now;
              if (mustBe) expect(ids(taken)).toContain(one.id);
              if (taken.includes(one)) {
                expect(at).toBeLessThanOrEqual(now);
                due.delete(one);
              }
            }
          } else {
            const who = sessions[made.who] as Session;
            if (made.do === 'remove') {
              expiry.remove(who);
              due.delete(who);
            } else {
              expiry.set(who, now + made.at);
              // this second has been looked at
              due.set(who, Math.max(next, now + made.at));
            }
          }
        }
        for (const one of sessions) expiry.remove(one);
      }),
    );
  });
});
