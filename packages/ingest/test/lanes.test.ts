import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Lanes } from '../src/lanes.ts';

it('runs works that share a key one after the other in their order, others beside each other, and all of them', async () => {
  const work = fc.record({
    keys: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
    turns: fc.integer({ min: 0, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(work, { maxLength: 20 }), async (works) => {
      const lanes = new Lanes();
      const running = new Set<string>();
      const ended: number[] = [];
      await Promise.all(
        works.map(({ keys, turns }, i) =>
          lanes.run(keys, async () => {
            for (const key of keys) {
              expect(running.has(key)).toBe(false);
              running.add(key);
            }
            for (let turn = 0; turn < turns; turn++) await Promise.resolve();
            for (const key of keys) running.delete(key);
            ended.push(i);
          }),
        ),
      );
      for (const key of ['a', 'b', 'c']) {
        const own = ended.filter((i) => works[i]?.keys.includes(key as 'a'));
        expect(own).toEqual([...own].sort((one, other) => one - other));
      }
      expect(ended.length).toBe(works.length);
      expect(lanes.size).toBe(0);
    }),
  );
});

it('holds up nobody of another key', async () => {
  const lanes = new Lanes();
  const held = Promise.withResolvers<void>();
  const first = lanes.run(['a'], () => held.promise);
  let ran = false;
  await lanes.run(['b'], async () => {
    ran = true;
  });
  expect(ran).toBe(true);
  held.resolve();
  await first;
});
