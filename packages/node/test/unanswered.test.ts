import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LocalChannels, Outcome } from '../src/router/port.ts';
import { HOME_TIMEOUT, LoneRouter } from './support/scripted-peers.ts';

const local: LocalChannels = {
  deliver: () => 0,
  continueFrom: () => {},
  relieved: () => {},
  reading: 0,
  positionOf: () => undefined,
  kick: () => {},
  subscribersOf: () => [],
  held: () => [],
};
const UNKNOWN: Outcome = { kind: 'failed', code: 'unknown' };

describe('a peer whose link stands and who never answers', () => {
  let lone: LoneRouter;
  let outcomes: Outcome[];
  let reads: string[];
  beforeEach(async () => {
    vi.useFakeTimers();
    lone = new LoneRouter(['node-2'], local, { received: () => {}, answered: () => {}, lost: () => {} });
    lone.setRing(['node-2'], false);
    await vi.advanceTimersByTimeAsync(300);
    outcomes = [];
    reads = [];
    const message = { from: '"user:me"', id: '"1"', data: '1', ephemeral: false };
    lone.router.publish({ ...message, channel: 'user:a', done: (outcome) => outcomes.push(outcome) });
    lone.router.publishMany(message, ['user:b', 'user:c'], (all) => outcomes.push(...all));
    Promise.resolve(lone.router.recent('user:a', 1)).then(
      () => reads.push('read'),
      (error: Error) => reads.push(error.name),
    );
    await vi.advanceTimersByTimeAsync(10);
    expect(lone.peers[0]?.asked).toHaveLength(2);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is waited for so long and no longer', async () => {
    await vi.advanceTimersByTimeAsync(HOME_TIMEOUT + 200);
    expect(reads).toEqual(['HomeUnreadableError']);
    expect(outcomes).toEqual([]);
    await vi.advanceTimersByTimeAsync(2 * HOME_TIMEOUT);
    expect(outcomes).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
    lone.peers[0]?.answer('published');
    await lone.router.stop();
    expect(outcomes).toHaveLength(3);
  });

  it('is not waited for once the router stops', async () => {
    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    expect(outcomes).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
    expect(reads).toEqual(['HomeUnreadableError']);
  });
});
