import {
  buildRing,
  EmptyKeyError,
  InvalidCountError,
  InvalidPointError,
  keyPoint,
  pointCount,
  type RingMember,
  VIRTUAL_NODES,
} from '@ringway/ring';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyKey, anyPoint, smallMember, smallMembers } from './arbitraries.ts';
import { bruteOwners, edgesOf, pointsOf } from './brute-ring.ts';
import { balanceSets } from './id-sets.ts';

const numbered = (n: number): RingMember[] =>
  Array.from({ length: n }, (_, i) => ({ id: `node-${i + 1}`, weight: 1 }));
const idsOf = (members: readonly RingMember[]) => members.map(({ id }) => id);

describe('owners', () => {
  test('are those of a plain search, at every edge and anywhere', () => {
    fc.assert(
      fc.property(smallMembers(), fc.array(anyPoint), fc.nat(14), (members, points, n) => {
        const ring = buildRing(members);
        const all = pointsOf(members);
        for (const point of [...points, ...edgesOf(all)]) {
          expect(idsOf(ring.ownersAt(point, n))).toEqual(bruteOwners(all, point, n));
          expect(ring.ownerAt(point)?.id).toEqual(bruteOwners(all, point, 1)[0]);
        }
      }),
    );
  });

  test('of a key are those at its point, for any string', () => {
    const ring = buildRing(numbered(5));
    fc.assert(
      fc.property(anyKey, fc.nat(6), (key, n) => {
        expect(ring.owner(key)).toBe(ring.ownerAt(keyPoint(key)));
        expect(ring.owners(key, n)).toEqual(ring.ownersAt(keyPoint(key), n));
        expect(ring.owner(key)).toBe(ring.owners(key, 1)[0]);
      }),
    );
  });

  test('are distinct, and as many as asked for or as there are', () => {
    fc.assert(
      fc.property(smallMembers(20), anyKey, fc.nat(25), (members, key, n) => {
        const owners = buildRing(members).owners(key, n);
        expect(new Set(owners).size).toBe(Math.min(n, members.length));
        expect(owners).toHaveLength(Math.min(n, members.length));
      }),
    );
    expect(new Set(idsOf(buildRing(numbered(30)).owners('user:alice', Infinity))).size).toBe(30);
  });

  test('the successor owns the key once the owner is gone', () => {
    fc.assert(
      fc.property(smallMembers(), anyKey, (members, key) => {
        const [owner, successor] = buildRing(members).owners(key, 2);
        const without = buildRing(members.filter((member) => member !== owner));
        expect(without.owner(key)).toBe(successor);
      }),
    );
  });

  test('a long key and a short one are owned alike everywhere', () => {
    const ring = buildRing(numbered(3));
    expect(ring.owner(`user:${'ü'.repeat(1_000_000)}`)).toBeDefined();
    expect(ring.owner('u')).toBeDefined();
  });
});

describe('a change moves keys only to or from the member that changed', () => {
  const keys = fc.array(anyKey, { minLength: 30, maxLength: 60 });

  test('one that comes, and so one that goes', () => {
    fc.assert(
      fc.property(smallMembers(), smallMember, keys, (members, newcomer, sample) => {
        const others = members.filter(({ id }) => id !== newcomer.id);
        const without = buildRing(others);
        const ring = buildRing([...others, newcomer]);
        for (const key of sample) {
          const owner = ring.owner(key);
          if (owner !== newcomer) expect(owner).toBe(without.owner(key));
        }
      }),
    );
  });

  test('one whose weight rises takes, and gives to nobody', () => {
    fc.assert(
      fc.property(smallMembers(), smallMember, fc.nat(40), keys, (members, member, more, sample) => {
        const others = members.filter(({ id }) => id !== member.id);
        const heavier = { ...member, weight: member.weight + more / VIRTUAL_NODES };
        const before = buildRing([...others, member]);
        const after = buildRing([...others, heavier]);
        for (const key of sample) {
          if (after.owner(key) === heavier) continue;
          expect(after.owner(key)).toBe(before.owner(key));
        }
      }),
    );
  });
});

describe('shares', () => {
  test('are the lengths of the arcs that each member owns', () => {
    fc.assert(
      fc.property(smallMembers(), (members) => {
        const all = pointsOf(members);
        const owned = new Map(buildRing(members).members.map(({ id }) => [id, 0]));
        let start = 0;
        for (const end of [...new Set([...all.map(({ point }) => point), 2 ** 32 - 1])]) {
          const id = bruteOwners(all, end, 1)[0];
          if (id !== undefined) owned.set(id, owned.get(id)! + end - start + 1);
          start = end + 1;
        }
        const expected = [...owned].map(([id, length]) => [id, length / 2 ** 32]);
        expect([...buildRing(members).shares()]).toEqual(expected);
      }),
    );
  });

  test('follow the weights', () => {
    const members = [0.25, 0.5, 1, 1, 2, 4].map((weight, i) => ({ id: `node-${i}`, weight }));
    const shares = buildRing(members).shares();
    for (const { id, weight } of members) {
      // Five deviations of a share that rests on so many points.
      const tolerance = 5 / Math.sqrt(pointCount(weight));
      expect(shares.get(id)! / (weight / 8.75)).toBeGreaterThan(1 - tolerance);
      expect(shares.get(id)! / (weight / 8.75)).toBeLessThan(1 + tolerance);
    }
  });

  test.each([
    { size: 10, limit: 1.1, sets: 25 },
    { size: 100, limit: 1.15, sets: 2 },
  ])('of $size equal members: the busiest has at most $limit of the mean', ({ size, limit, sets }) => {
    for (const [kind, idSets] of Object.entries(balanceSets(size, sets))) {
      for (const ids of idSets) {
        const shares = buildRing(ids.map((id) => ({ id, weight: 1 }))).shares();
        expect(Math.max(...shares.values()) * size, `${kind}: ${ids[0]}`).toBeLessThanOrEqual(limit);
      }
    }
  });
});

describe('an empty ring', () => {
  const ring = buildRing<RingMember>([]);

  test('owns nothing', () => {
    expect(ring.owner('user:alice')).toBeUndefined();
    expect(ring.ownerAt(0)).toBeUndefined();
    expect(ring.owners('user:alice', 3)).toEqual([]);
    expect(ring.ownersAt(2 ** 32 - 1, Infinity)).toEqual([]);
    expect(ring.shares().size).toBe(0);
    expect(ring.size).toBe(0);
  });

  test('refuses an empty key all the same', () => {
    expect(() => ring.owner('')).toThrow(EmptyKeyError);
    expect(() => ring.owners('', 2)).toThrow(EmptyKeyError);
  });
});

describe('a ring', () => {
  const ring = buildRing(numbered(3));

  test('knows its members', () => {
    expect(ring.size).toBe(3);
    expect(ring.has('node-2')).toBe(true);
    expect(ring.has('node-4')).toBe(false);
    expect(ring.member('node-2')).toBe(ring.members[1]);
    expect(ring.member('node-4')).toBeUndefined();
  });

  test('cannot be changed', () => {
    expect(Object.isFrozen(ring)).toBe(true);
    expect(Object.isFrozen(ring.members)).toBe(true);
    expect(Object.isFrozen(ring.version)).toBe(true);
  });

  test.each([-1, 0.5, 2 ** 32, Number.NaN, Infinity])('refuses %d as a point', (point) => {
    expect(() => ring.ownerAt(point)).toThrow(InvalidPointError);
    expect(() => ring.ownersAt(point, 1)).toThrow(expect.objectContaining({ code: 'invalid_point', point }));
  });

  test.each([-1, 0.5, Number.NaN])('refuses %d as a number of owners', (n) => {
    expect(() => ring.owners('user:alice', n)).toThrow(InvalidCountError);
    expect(() => ring.ownersAt(0, n)).toThrow(expect.objectContaining({ code: 'invalid_count', count: n }));
  });
});
