import {
  buildRing,
  ForeignRingError,
  keyPoint,
  movedRanges,
  type Ring,
  type RingMember,
  VIRTUAL_NODES,
} from '@ringway/ring';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyPoint, smallMembers } from './arbitraries.ts';
import { bruteOwners, edgesOf, pointsOf } from './brute-ring.ts';

const LAST = 2 ** 32 - 1;
const numbered = (n: number): RingMember[] =>
  Array.from({ length: n }, (_, i) => ({ id: `node-${i + 1}`, weight: 1 }));

/** Two sets of members that have some in common, with the same weight and with another. */
const change = fc
  .tuple(
    smallMembers(10),
    smallMembers(6),
    fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
    fc.nat(3),
  )
  .map(([before, fresh, stays, heavier]) => {
    const kept = before
      .filter((_, i) => stays[i])
      .map((member, i) => (i < heavier ? { ...member, weight: member.weight + 3 / VIRTUAL_NODES } : member));
    const ids = new Set(kept.map(({ id }) => id));
    return { before, after: [...kept, ...fresh.filter(({ id }) => !ids.has(id))] };
  });

/** The ranges by comparing the owners of every arc between neighbouring points of both rings. */
function bruteRanges(before: readonly RingMember[], after: readonly RingMember[]) {
  const [old, now] = [pointsOf(before), pointsOf(after)];
  const ranges: { start: number; end: number; from: string | undefined; to: string | undefined }[] = [];
  const ends = new Set([...old, ...now].map(({ point }) => point)).add(LAST);
  let start = 0;
  for (const end of [...ends].sort((a, b) => a - b)) {
    const [from] = bruteOwners(old, end, 1);
    const [to] = bruteOwners(now, end, 1);
    const last = ranges.at(-1);
    if (from !== to && last?.end === start - 1 && last.from === from && last.to === to) last.end = end;
    else if (from !== to) ranges.push({ start, end, from, to });
    start = end + 1;
  }
  return ranges;
}

const plain = (
  ranges: Iterable<{ start: number; end: number; from: RingMember | undefined; to: RingMember | undefined }>,
) => [...ranges].map(({ start, end, from, to }) => ({ start, end, from: from?.id, to: to?.id }));

describe('movedRanges', () => {
  test('are those of brute force', () => {
    fc.assert(
      fc.property(change, ({ before, after }) => {
        const moved = movedRanges(buildRing(before), buildRing(after));
        const expected = bruteRanges(before, after);
        expect(plain(moved)).toEqual(expected);
        expect(moved.size).toBe(expected.length);
        expect(moved.share).toBeCloseTo(
          expected.reduce((sum, { start, end }) => sum + end - start + 1, 0) / 2 ** 32,
          12,
        );
      }),
      { numRuns: 60 },
    );
  });

  test('find tells of any point whether it moved, and from whom to whom', () => {
    fc.assert(
      fc.property(change, fc.array(anyPoint), ({ before, after }, points) => {
        const [old, now] = [buildRing(before), buildRing(after)];
        const moved = movedRanges(old, now);
        for (const point of [...points, ...edgesOf(pointsOf([...before, ...after]))]) {
          const range = moved.find(point);
          const [from, to] = [old.ownerAt(point), now.ownerAt(point)];
          if (from?.id === to?.id) {
            expect(range).toBeUndefined();
            continue;
          }
          expect(range?.start).toBeLessThanOrEqual(point);
          expect(range?.end).toBeGreaterThanOrEqual(point);
          expect(range?.from).toBe(from);
          expect(range?.to).toBe(to);
        }
      }),
    );
  });

  test('do not depend on how the rings were built', () => {
    const before = buildRing(numbered(20));
    const members = [...before.members.filter(({ id }) => id !== 'node-5'), { id: 'late', weight: 0.5 }];
    const patched = movedRanges(before, buildRing(members, { previous: before }));
    expect(plain(patched)).toEqual(plain(movedRanges(buildRing(numbered(20)), buildRing(members))));
  });

  test('lead to the member that came, and back from it when it goes', () => {
    const [before, after] = [buildRing(numbered(9)), buildRing(numbered(10))];
    const there = movedRanges(before, after);
    const back = movedRanges(after, before);
    expect(new Set(plain(there).map(({ to }) => to))).toEqual(new Set(['node-10']));
    expect(plain(back)).toEqual(
      plain(there).map(({ start, end, from, to }) => ({ start, end, from: to, to: from })),
    );
    expect(there.share).toBeCloseTo(after.shares().get('node-10')!, 12);
  });

  test('find agrees with the owners of a hundred thousand keys', () => {
    const before = buildRing(numbered(12));
    const after = buildRing([...numbered(12).slice(1), { id: 'fresh', weight: 2 }], { previous: before });
    const moved = movedRanges(before, after);
    let wrong = 0;
    for (let i = 0; i < 100_000; i++) {
      const point = keyPoint(`user:${i}`);
      const range = moved.find(point);
      const [from, to] = [before.ownerAt(point), after.ownerAt(point)];
      if (from?.id === to?.id ? range !== undefined : range?.from !== from || range?.to !== to) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test('are none between rings of the same members, whatever else these carry', () => {
    const before = buildRing(numbered(3).map((member) => ({ ...member, incarnation: 'a' })));
    const after = buildRing(numbered(3).map((member) => ({ ...member, incarnation: 'b' })));
    const moved = movedRanges(before, after);
    expect([...moved]).toEqual([]);
    expect(moved.share).toBe(0);
    expect(moved.find(0)).toBeUndefined();
    expect(moved.find(LAST)).toBeUndefined();
  });

  test('have nobody on the side of an empty ring', () => {
    const [empty, one] = [buildRing<RingMember>([]), buildRing(numbered(1))];
    expect([...movedRanges(empty, one)]).toEqual([
      { start: 0, end: LAST, from: undefined, to: one.members[0] },
    ]);
    expect([...movedRanges(one, empty)]).toEqual([
      { start: 0, end: LAST, from: one.members[0], to: undefined },
    ]);
    expect([...movedRanges(empty, empty)]).toEqual([]);
    expect(movedRanges(empty, one).share).toBe(1);
  });

  test('refuse a ring that was made elsewhere', () => {
    const ring = buildRing(numbered(1));
    const foreign: Ring<RingMember> = { ...ring, owner: () => undefined } as Ring<RingMember>;
    expect(() => movedRanges(ring, foreign)).toThrow(ForeignRingError);
    expect(() => movedRanges(foreign, ring)).toThrow(expect.objectContaining({ code: 'foreign_ring' }));
    expect(() => buildRing(numbered(2), { previous: foreign })).toThrow(ForeignRingError);
  });
});
