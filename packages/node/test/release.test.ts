import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeControl } from '../src/peers/wire.ts';
import type { LocalChannels } from '../src/router/port.ts';
import { HOME_TIMEOUT, LoneRouter, type ScriptedPeer } from './support/scripted-peers.ts';

const local: LocalChannels = {
  deliver: () => 0,
  continueFrom: () => {},
  relieved: () => {},
  reading: 0,
  positionOf: () => undefined,
  kick: () => {},
  held: () => [],
};

describe('a node that leaves the ring', () => {
  let lone: LoneRouter;
  let peer: ScriptedPeer;
  beforeEach(async () => {
    vi.useFakeTimers();
    lone = new LoneRouter(['node-2'], local, { received: () => {}, answered: () => {}, lost: () => {} });
    peer = lone.peers[0] as ScriptedPeer;
    lone.setRing(['node-2']);
    await vi.advanceTimersByTimeAsync(300);
  });
  afterEach(async () => {
    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    vi.useRealTimers();
  });

  /** The questions that the peer was asked. */
  const asked = (): number[] =>
    peer.controls
      .filter(({ t }) => t === 'release')
      .map((control) => (control as { correlation: number }).correlation);

  const answer = (correlation: number | undefined): void =>
    peer.socket?.say(encodeControl({ t: 'released', correlation: correlation ?? 0 }));

  it('waits for the word of every peer, but not for ever', async () => {
    lone.setRing(['node-2'], false);
    expect(lone.router.channelsClosed).toBe(false);
    await vi.advanceTimersByTimeAsync(HOME_TIMEOUT - 100);
    expect(lone.router.channelsClosed).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect(lone.router.channelsClosed).toBe(true);
  });

  it('takes no answer to what it asked before it came back for one to what it asks now', async () => {
    lone.setRing(['node-2'], false);
    expect(lone.router.channelsClosed).toBe(false);
    lone.setRing(['node-2']);
    lone.setRing(['node-2'], false);
    expect(lone.router.channelsClosed).toBe(false);
    await vi.advanceTimersByTimeAsync(10);
    const [before, now] = asked();
    expect(asked()).toHaveLength(2);
    answer(before);
    expect(lone.router.channelsClosed).toBe(false);
    answer(now);
    expect(lone.router.channelsClosed).toBe(true);
  });
});
