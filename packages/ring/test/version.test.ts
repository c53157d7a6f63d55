import { createHash } from 'node:crypto';
import { buildRing, VIRTUAL_NODES } from '@ringway/ring';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { smallMembers } from './arbitraries.ts';

test('the checksum is the one of the canonical text in docs/ring.md', () => {
  fc.assert(
    fc.property(smallMembers(), (members) => {
      const byBytes = members.toSorted((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
      const lines = byBytes.map(
        ({ id, weight }) =>
          `${Buffer.byteLength(id)}:${id} ${Math.max(1, Math.round(weight * VIRTUAL_NODES))}\n`,
      );
      const digest = createHash('sha256')
        .update(`ringway-ring 1\n${lines.join('')}`)
        .digest('hex');
      expect(buildRing(members).version.checksum).toBe(digest.slice(0, 16));
    }),
  );
});

test('the checksum covers what the points depend on, and nothing else', () => {
  const checksum = (id: string, weight: number, more = {}) =>
    buildRing([{ id, weight, ...more }], { index: String(Math.abs(weight)) }).version.checksum;
  const base = checksum('node-1', 1);
  expect(checksum('node-1', 1, { incarnation: 'b', url: 'ws://localhost' })).toBe(base);
  expect(checksum('node-1', 1 + 0.1 / VIRTUAL_NODES)).toBe(base);
  expect(checksum('node-1', 1 + 1 / VIRTUAL_NODES)).not.toBe(base);
  expect(checksum('node-2', 1)).not.toBe(base);
  expect(buildRing([]).version.checksum).not.toBe(base);
});
