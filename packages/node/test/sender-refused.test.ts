import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogRefusedError, type SharedLog } from '../src/log/port.ts';
import type { LocalChannels, Outcome } from '../src/router/port.ts';
import { LoneRouter, type ScriptedPeer } from './support/scripted-peers.ts';

const NOBODY: LocalChannels = {
  deliver: () => 0,
  continueFrom: () => {},
  relieved: () => {},
  reading: 0,
  positionOf: () => undefined,
  kick: () => {},
  subscribersOf: () => [],
  held: () => [],
};

describe('a publish that its home refuses for now', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('takes those with it that waited behind it for the next home: it will be said again, and they after it', async () => {
    const lone = new LoneRouter(['node-2', 'node-3'], NOBODY, {
      received: () => {},
      answered: () => {},
      lost: () => {},
    });
    const [old, next] = lone.peers as [ScriptedPeer, ScriptedPeer];
    const before = lone.setRing(['node-2'], false);
    await vi.advanceTimersByTimeAsync(300);
    const answers: string[] = [];
    let channel = 'user:0';
    const publish = (id: string, from = '"user:me"'): void => {
      const done = (outcome: Outcome): void => {
        answers.push(`${id} ${outcome.kind === 'failed' ? outcome.code : 'published'}`);
      };
      lone.router.publish({ channel, from, id: `"${id}"`, data: '1', ephemeral: false, done });
    };
    const both = lone.setRing(['node-2', 'node-3'], false);
    for (let i = 0; both.owner(channel)?.id !== 'node-3'; i++) channel = `user:${i}`;
    lone.setRing(
      before.members.map(({ id }) => id),
      false,
    );
    publish('first');
    lone.setRing(['node-2', 'node-3'], false);
    await vi.advanceTimersByTimeAsync(300);
    publish('second');
    publish('other', '"user:other"');
    await vi.advanceTimersByTimeAsync(10);
    expect(old.asked.map(({ record }) => record.id)).toEqual(['"first"']);

    old.answer('unavailable');
    await vi.advanceTimersByTimeAsync(10);
    expect(answers).toEqual(['first unavailable', 'second unavailable']);
    publish('first');
    publish('second');
    await vi.advanceTimersByTimeAsync(10);
    expect(next.asked.map(({ record }) => record.id)).toEqual(['"other"', '"first"', '"second"']);

    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
  });

  it('does so where the home is this node, with a log that refuses when the ring has changed', async () => {
    const refusals: (() => void)[] = [];
    const log = {
      shared: true,
      head: () => Promise.resolve({ epoch: 'e1', seq: 0 }),
      append: () =>
        new Promise((_, reject) => refusals.push(() => reject(new LogRefusedError('Redis is full')))),
    } as Partial<SharedLog> as SharedLog;
    const lone = new LoneRouter(
      ['node-2'],
      NOBODY,
      { received: () => {}, answered: () => {}, lost: () => {} },
      log,
    );
    const [next] = lone.peers as [ScriptedPeer];
    lone.setRing([]);
    await vi.advanceTimersByTimeAsync(10);
    const answers: string[] = [];
    const publish = (id: string, from = '"user:me"'): void => {
      const done = (outcome: Outcome): void => {
        answers.push(`${id} ${outcome.kind === 'failed' ? outcome.code : 'published'}`);
      };
      lone.router.publish({ channel: 'user:0', from, id: `"${id}"`, data: '1', ephemeral: false, done });
    };
    publish('first');
    lone.setRing(['node-2'], false);
    await vi.advanceTimersByTimeAsync(300);
    publish('second');
    publish('other', '"user:other"');
    await vi.advanceTimersByTimeAsync(10);
    refusals.shift()?.();
    await vi.advanceTimersByTimeAsync(10);
    expect(answers).toEqual(['first unavailable', 'second unavailable']);
    expect(next.asked.map(({ record }) => record.id)).toEqual(['"other"']);

    const stopped = lone.router.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
  });
});
