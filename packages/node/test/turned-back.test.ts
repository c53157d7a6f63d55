import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Backlog } from '../src/peers/backlog.ts';
import type { Inbound } from '../src/peers/inbound.ts';
import { TurnedBack } from '../src/peers/turned-back.ts';
import { encodeAnswer, KIND, type PublishRecord } from '../src/peers/wire.ts';
import type { LocalChannels } from '../src/router/port.ts';
import { type Asked, LoneRouter, type ScriptedPeer } from './support/scripted-peers.ts';

const NOBODY: LocalChannels = {
  deliver: () => 0,
  continueFrom: () => {},
  relieved: () => {},
  reading: 0,
  positionOf: () => undefined,
  kick: () => {},
  held: () => [],
  subscribersOf: () => [],
};

describe('a publication that comes back from the node that it was forwarded to', () => {
  let lone: LoneRouter;
  let other: ScriptedPeer;
  let home: ScriptedPeer;
  let channel: string;
  let count: number;
  beforeEach(async () => {
    vi.useFakeTimers();
    lone = new LoneRouter(['node-2', 'node-3'], NOBODY, {
      received: () => {},
      answered: () => {},
      lost: () => {},
    });
    [other, home] = lone.peers as [ScriptedPeer, ScriptedPeer];
    const ring = lone.setRing(['node-2', 'node-3'], false);
    count = 0;
    let n = 0;
    while (ring.owner(`user:${n}`)?.id !== 'node-3') n++;
    channel = `user:${n}`;
    await vi.advanceTimersByTimeAsync(300);
  });
  afterEach(async () => {
    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    vi.useRealTimers();
  });

  /** A peer, which sees another ring, takes this node for the home. */
  async function ask(): Promise<void> {
    const from = { backlog: new Backlog(), open: true, send: () => {} } as unknown as Inbound;
    const id = `"m${count++}"`;
    const more = { forwarded: false, again: false, dedupe: true, ephemeral: false };
    const record: PublishRecord = {
      kind: KIND.publish,
      correlation: count,
      channel,
      from: '"user:me"',
      id,
      data: '1',
      ...more,
    };
    lone.router.onRequest(from, record);
    await vi.advanceTimersByTimeAsync(20);
  }

  /** What is open at a peer, in order. */
  const at = (peer: ScriptedPeer): string[] =>
    peer.asked.map(({ record }) => `${record.id}${'again' in record && record.again ? ' again' : ''}`);

  async function turnBack(): Promise<void> {
    const [{ record }] = home.asked.splice(0) as [Asked];
    const { correlation } = record;
    home.socket?.say(
      encodeAnswer({ correlation, code: 'not_home', duplicate: false, reached: 0, position: undefined }),
    );
    await vi.advanceTimersByTimeAsync(0);
  }

  it('is told apart when it goes there again', async () => {
    await ask();
    await turnBack();
    await vi.advanceTimersByTimeAsync(20);
    expect(at(home)).toEqual(['"m0" again']);
  });

  it('leaves nothing behind once it has gone elsewhere', async () => {
    await ask();
    await turnBack();
    lone.setRing(['node-2'], false);
    await vi.advanceTimersByTimeAsync(300);
    expect(at(other)).toEqual(['"m0"']);
    other.answer('published');
    await vi.advanceTimersByTimeAsync(300);
    lone.setRing(['node-2', 'node-3'], false);
    await vi.advanceTimersByTimeAsync(300);
    await ask();
    expect(at(home)).toEqual(['"m1"']);
  });
});

describe('channels of which something was turned back', () => {
  it('are told apart, up to a bound; beyond it all of them are, and stay', () => {
    const channels = new TurnedBack(2);
    channels.add('a');
    channels.add('b');
    channels.delete('a');
    channels.add('c');
    expect(['a', 'b', 'c', 'd'].map((name) => channels.has(name))).toEqual([false, true, true, false]);
    channels.add('d');
    for (const name of ['b', 'c', 'd']) channels.delete(name);
    expect(['a', 'b', 'e'].map((name) => channels.has(name))).toEqual([true, true, true]);
  });
});
