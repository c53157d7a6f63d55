import { expect, it } from 'vitest';
import { Flusher } from '../src/session/flusher.ts';

/** Goes on behind what this turn of the event loop has left to do. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

it('a flusher writes to many in order, some a turn, and to those that come meanwhile after them', async () => {
  const flusher = new Flusher();
  const written: number[] = [];
  const add = (n: number): void => flusher.add({ flush: () => written.push(n) });
  for (let n = 0; n < 2_000; n++) add(n);
  flusher.add({
    flush: () => {
      written.push(2_000);
      add(2_001);
    },
  });
  expect(written).toEqual([]);
  await turn();
  // others had their turn
  expect(written.length).toBeGreaterThan(0);
  expect(written.length).toBeLessThan(1_000);
  for (let turns = 1; written.length < 2_002; turns++) {
    expect(turns).toBeLessThan(10);
    await turn();
  }
  expect(written).toEqual([...Array(2_002).keys()]);
  add(2_002);
  await turn();
  expect(written.at(-1)).toBe(2_002);
});
