import { expect, test } from 'vitest';
import { MemoryRegistry, memoryMembership } from '../src/index.ts';
import { membershipConformance } from './conformance.ts';
import { listed, member } from './support/members.ts';

membershipConformance('memory', async () => {
  const registry = new MemoryRegistry();
  return {
    open: () => memoryMembership(registry),
    internalUrl: 'http://127.0.0.1:9101',
    lose: async (id) => registry.lose(id),
    [Symbol.asyncDispose]: async () => {},
  };
});

test('a failed check takes a member out, recovery brings it back', async () => {
  const registry = new MemoryRegistry();
  const membership = memoryMembership(registry);
  await membership.register(member('a'));
  registry.fail('a');
  registry.fail('nobody');
  expect(listed(registry.snapshot)).toEqual(['a:critical']);
  registry.recover('a');
  expect(listed(registry.snapshot)).toEqual(['a:up']);
  await membership.close();
});

test('the last member that leaves leaves the ring empty: there is no registry that could err', async () => {
  const membership = memoryMembership();
  const seen: string[][] = [];
  const watch = membership.watch({ snapshot: (snapshot) => seen.push(listed(snapshot)) });
  const registration = await membership.register(member('a'));
  await registration.deregister();
  await watch.ready;
  await Promise.resolve();
  expect(seen.at(-1)).toEqual([]);
  await membership.close();
});
