import { buildRing, keyPoint } from '@ringway/ring';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { movedShare, place, STRIPES, stripes } from '../src/dev/ring-view.ts';

const ringOf = (count: number) =>
  buildRing(Array.from({ length: count }, (_, i) => ({ id: `node-${i + 1}`, weight: 1 })));

test('a place is what the ring says of the channel: its point, its owner, and an arc that holds it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.string({ minLength: 1 }), (count, name) => {
      const ring = ringOf(count);
      const channel = `user:${name}`;
      const found = place(ring, channel);
      const [owner, successor] = ring.owners(channel, 2);
      expect(found).toMatchObject({ point: keyPoint(channel), owner: owner?.id, ring: ring.version });
      expect(found?.successor).toBe(successor?.id);
      const { arc, around = [], point = 0 } = found ?? {};
      expect(arc?.member).toBe(owner?.id);
      expect((arc?.start ?? 1) <= point && point <= (arc?.end ?? 0)).toBe(true);
      expect(around).toContainEqual(arc);
      for (const [i, { start }] of around.entries()) {
        const before = around[i - 1];
        if (before) expect((before.end + 1) % 2 ** 32).toBe(start);
      }
    }),
    { numRuns: 25 },
  );
});

test('stripes show each member by about its share', () => {
  const ring = ringOf(4);
  const seen = stripes(ring);
  expect(seen).toHaveLength(STRIPES);
  for (const slot of [0, 1, 2, 3]) {
    const share = seen.filter((each) => each === slot).length / STRIPES;
    expect(share).toBeGreaterThan(0.12);
    expect(share).toBeLessThan(0.4);
  }
});

test('an empty ring has no places, and grey stripes', () => {
  const ring = ringOf(0);
  expect(place(ring, 'user:alice')).toBeUndefined();
  expect(new Set(stripes(ring))).toEqual(new Set([-1]));
});

test('what moved is told as people say it', () => {
  expect(movedShare(ringOf(1), ringOf(1))).toBe('0.0 %');
  expect(movedShare(ringOf(1), ringOf(2))).toMatch(/^(4\d|5\d)\.\d %$/);
});
