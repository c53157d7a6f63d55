import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Inbound } from '../src/peers/inbound.ts';
import { batchHeader, decodeBatch, encodeControl, KIND } from '../src/peers/wire.ts';
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
  subscribersOf: () => [],
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

  /** The peer wants to go, too; returns what it is told. */
  async function ask(): Promise<string[]> {
    const told: string[] = [];
    const send = (record: string): void => {
      const [decoded] = decodeBatch(Buffer.from(batchHeader('c') + record, 'latin1')).records;
      if (decoded && 'control' in decoded) told.push(decoded.control.t);
    };
    const from = { nodeId: 'node-2', incarnation: 'node-2-i1', open: true, send } as unknown as Inbound;
    lone.router.onRequest(from, { kind: KIND.control, control: { t: 'release', correlation: 1 } });
    await vi.advanceTimersByTimeAsync(200);
    return told;
  }

  it('lets the last one in the ring go, too, which the registry keeps there', async () => {
    lone.setRing(['node-2'], false);
    expect(await ask()).toEqual(['released']);
  });

  it('does not while it is in the ring itself', async () => {
    expect(await ask()).toEqual([]);
  });
});
