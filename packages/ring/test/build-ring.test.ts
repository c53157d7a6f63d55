import {
  buildRing,
  DuplicateMemberError,
  InvalidMemberIdError,
  InvalidWeightError,
  MAX_WEIGHT,
  movedRanges,
  pointCount,
  type Ring,
  type RingMember,
  RingTooLargeError,
  VIRTUAL_NODES,
} from '@ringway/ring';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memberId, smallMember, smallMembers } from './arbitraries.ts';
import { edgesOf, pointsOf } from './brute-ring.ts';
import { findTies } from './ties.ts';

const equal = (...ids: string[]): RingMember[] => ids.map((id) => ({ id, weight: 1 }));
const numbered = (n: number) => equal(...Array.from({ length: n }, (_, i) => `node-${i + 1}`));

/** All that can be asked of a ring, at all places where answers change. */
function observe(ring: Ring<RingMember>) {
  const edges = edgesOf(pointsOf(ring.members));
  return {
    members: ring.members,
    version: ring.version,
    owners: edges.map((point) => ring.ownersAt(point, 3).map(({ id }) => id)),
    shares: [...ring.shares()],
  };
}

/** Equal for whoever asks at the points given, and by its moved ranges, which look at all. */
function expectSame(a: Ring<RingMember>, b: Ring<RingMember>, points: readonly number[]) {
  expect(a.version).toEqual(b.version);
  expect([...a.shares()]).toEqual([...b.shares()]);
  expect(movedRanges(a, b).size).toBe(0);
  for (const point of points) expect(a.ownersAt(point, 3)).toEqual(b.ownersAt(point, 3));
}

describe('buildRing', () => {
  test('gives the same ring for the same members in any order', () => {
    const shuffled = smallMembers().chain((members) =>
      fc.tuple(fc.constant(members), fc.shuffledSubarray(members, { minLength: members.length })),
    );
    fc.assert(
      fc.property(shuffled, ([members, others]) => {
        expect(observe(buildRing(others))).toEqual(observe(buildRing(members)));
      }),
    );
  });

  test('takes any iterable, and leaves it alone', () => {
    const members = Object.freeze(numbered(3).reverse());
    expect(buildRing(new Set(members)).members.map(({ id }) => id)).toEqual(['node-1', 'node-2', 'node-3']);
    expect(members[0]?.id).toBe('node-3');
  });

  test('returns members as they were given', () => {
    const member = { id: 'node-1', weight: 1, url: 'wss://ws.example.com/n/node-1' };
    const ring = buildRing([member]);
    expect(ring.owner('user:alice')).toBe(member);
    expect(ring.owner('user:alice')?.url).toBe(member.url);
    expect(ring.members[0]).toBe(member);
    expect(ring.member('node-1')).toBe(member);
  });

  test('orders members by the bytes of their ids', () => {
    const ring = buildRing(equal('😀', '\uff5e', 'node-2', 'node-10', 'é'));
    expect(ring.members.map(({ id }) => id)).toEqual(['node-10', 'node-2', 'é', '\uff5e', '😀']);
  });

  test('keeps the index, and makes it 0 otherwise', () => {
    expect(buildRing(numbered(1), { index: '146' }).version.index).toBe('146');
    expect(buildRing(numbered(1)).version.index).toBe('0');
  });
});

describe('points of a weight', () => {
  test.each([
    [1, VIRTUAL_NODES],
    [2.5, 2.5 * VIRTUAL_NODES],
    [0.5 / VIRTUAL_NODES, 1],
    [1.5 / VIRTUAL_NODES, 2],
    [1.49 / VIRTUAL_NODES, 1],
    [Number.MIN_VALUE, 1],
  ])('%d', (weight, points) => {
    expect(pointCount(weight)).toBe(points);
  });
});

test('the points of one member are all different', () => {
  fc.assert(
    fc.property(memberId, fc.nat(4), (id, weight) => {
      const points = pointsOf([{ id, weight: weight + 1 }]);
      expect(new Set(points.map(({ point }) => point)).size).toBe((weight + 1) * VIRTUAL_NODES);
    }),
    { numRuns: 10 },
  );
});

describe('buildRing with previous', () => {
  test('gives the ring that it would give without, through any history', () => {
    fc.assert(
      fc.property(
        smallMembers(30),
        fc.array(fc.array(smallMember, { maxLength: 3 }), { maxLength: 8 }),
        (first, steps) => {
          let previous = buildRing(first);
          for (const step of steps) {
            // Whoever is there leaves, or changes its weight; whoever is not comes.
            const members = new Map(previous.members.map((member) => [member.id, member]));
            for (const member of step) {
              if (members.get(member.id)?.weight === member.weight) members.delete(member.id);
              else members.set(member.id, member);
            }
            const next = buildRing(members.values(), { previous });
            expect(observe(next)).toEqual(observe(buildRing(members.values())));
            previous = next;
          }
        },
      ),
    );
  });

  test('gives it at full size, as members come, go and change weight', () => {
    let members = numbered(40);
    let previous = buildRing(members);
    const change = (next: RingMember[]) => {
      members = next;
      previous = buildRing(members, { previous });
      const points = pointsOf(members.slice(0, 3)).map(({ point }) => point);
      expectSame(previous, buildRing(members), points.slice(0, 500));
    };
    change([...members, ...equal('late-1', 'late-2')]);
    change(members.filter(({ id }) => id !== 'node-7'));
    change([...members, ...equal('again')]); // takes the slot that node-7 left
    change(members.map((member) => (member.id === 'node-3' ? { ...member, weight: 2.25 } : member)));
    change(members.map((member) => (member.id === 'node-3' ? { ...member, weight: 0.01 } : member)));
    change(members.filter(({ id }) => id === 'node-3' || id === 'late-1'));
    change([]);
    change(numbered(3));
  });

  test('orders equal points by id, whichever came first', () => {
    for (const { ids, point } of findTies()) {
      // Others around, so that the change is small enough to be patched in.
      const others = numbered(20);
      const scratch = buildRing([...others, ...equal(...ids)]);
      const [low, high] = [...ids].sort() as [string, string];
      expect(scratch.ownersAt(point, 2).map(({ id }) => id)).toEqual([low, high]);
      for (const [first, second] of [ids, ids.toReversed()] as [string, string][]) {
        const before = buildRing([...others, ...equal(first)]);
        const both = buildRing([...before.members, ...equal(second)], { previous: before });
        expectSame(both, scratch, [point]);
        const left = buildRing([...others, ...equal(second)], { previous: both });
        expectSame(left, buildRing([...others, ...equal(second)]), [point]);
        const swapped = buildRing([...others, ...equal(second)], { previous: before });
        expectSame(swapped, left, [point]);
      }
    }
  });

  test('takes the new member objects, also where nothing moved', () => {
    const previous = buildRing([{ id: 'node-1', weight: 1, incarnation: 'a' }]);
    const next = buildRing([{ id: 'node-1', weight: 1, incarnation: 'b' }], { previous, index: '7' });
    expect(next.owner('user:alice')?.incarnation).toBe('b');
    expect(previous.owner('user:alice')?.incarnation).toBe('a');
    expect(next.version).toEqual({ index: '7', checksum: previous.version.checksum });
  });
});

describe('bad members', () => {
  test.each(['', '\ud800', 'a\udc00b'])('id %j', (id) => {
    const build = () => buildRing([{ id, weight: 1 }]);
    expect(build).toThrow(InvalidMemberIdError);
    expect(build).toThrow(expect.objectContaining({ code: 'invalid_member_id', id }));
  });

  test.each([0, -1, Number.NaN, Infinity, -Infinity, MAX_WEIGHT + 1])('weight %d', (weight) => {
    const build = () => buildRing([{ id: 'node-1', weight }]);
    expect(build).toThrow(InvalidWeightError);
    expect(build).toThrow(expect.objectContaining({ code: 'invalid_weight', id: 'node-1', weight }));
  });

  test('the same id twice', () => {
    const build = () => buildRing([...numbered(3), { id: 'node-2', weight: 2 }]);
    expect(build).toThrow(DuplicateMemberError);
    expect(build).toThrow(expect.objectContaining({ code: 'duplicate_member', id: 'node-2' }));
  });

  test('more points than a ring holds', () => {
    const build = () => buildRing(numbered(40).map(({ id }) => ({ id, weight: MAX_WEIGHT })));
    expect(build).toThrow(RingTooLargeError);
    expect(build).toThrow(
      expect.objectContaining({
        code: 'ring_too_large',
        points: 40 * MAX_WEIGHT * VIRTUAL_NODES,
        limit: 2 ** 26,
      }),
    );
  });
});
