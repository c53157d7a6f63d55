import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryLog, type MemoryLogOptions } from '../src/log/memory.ts';
import { logConformance, message } from './log-conformance.ts';

class Clock {
  at = 1_000_000;
  readonly now = (): number => this.at;
}

function memoryLog(clock: Clock, options: Partial<MemoryLogOptions> = {}): MemoryLog {
  return new MemoryLog({
    epochs: {
      version: 0,
      epochOf: () => 'e1',
      tenureOf: () => ({ number: 0, before: undefined, next: undefined, forMs: undefined }),
    },
    channelMessages: 100,
    totalBytes: 100_000_000,
    retentionMs: 60_000,
    channels: 1_000,
    now: clock.now,
    ...options,
  });
}

logConformance('memory', ({ messages, ageMs }) => {
  const clock = new Clock();
  return {
    log: memoryLog(clock, { channelMessages: messages, retentionMs: ageMs }),
    pass: (ms) => {
      clock.at += ms;
    },
  };
});

describe('the memory log', () => {
  it('keeps exactly so many messages of a channel', () => {
    const log = memoryLog(new Clock(), { channelMessages: 3 });
    for (let i = 1; i <= 5; i++) log.append('all', message(`m${i}`));
    const { start, messages } = log.read('all', undefined, 10);
    expect(messages.map(({ id }) => id)).toEqual(['"m3"', '"m4"', '"m5"']);
    expect(start).toEqual({ epoch: 'e1', seq: 2 });
    expect(log.read('all', { epoch: 'e1', seq: 1 }, 10).start).toEqual({ epoch: 'e1', seq: 2 });
    expect(log.read('all', { epoch: 'e1', seq: 2 }, 10).start).toEqual({ epoch: 'e1', seq: 2 });
  });

  it('drops what is too old when it is read, written or swept, and gives the memory back', () => {
    const clock = new Clock();
    const log = memoryLog(clock, { retentionMs: 1_000 });
    log.append('user:a', message('old'));
    clock.at += 900;
    log.append('user:a', message('young'));
    clock.at += 200;
    const { start, messages } = log.read('user:a', { epoch: 'e1', seq: 0 }, 10);
    expect(start).toEqual({ epoch: 'e1', seq: 1 });
    expect(messages.map(({ id }) => id)).toEqual(['"young"']);
    expect(log.keptBytes).toBeGreaterThan(0);
    clock.at += 2_000;
    log.sweep();
    expect(log.keptBytes).toBe(0);
    expect(log.head('user:a')).toEqual({ epoch: 'e1', seq: 2 });
    expect(log.read('user:a', { epoch: 'e1', seq: 1 }, 10)).toEqual({
      start: { epoch: 'e1', seq: 2 },
      messages: [],
      end: { epoch: 'e1', seq: 2 },
      more: false,
    });
  });

  it('never takes more than its bytes, whatever is written, and what goes first is the oldest', () => {
    const clock = new Clock();
    const log = memoryLog(clock, { totalBytes: 20_000 });
    for (let i = 0; i < 500; i++) {
      clock.at += 7;
      log.append(`user:${i % 10}`, message(`m${i}`, `"${'x'.repeat((i * 37) % 900)}"`));
      expect(log.keptBytes).toBeLessThanOrEqual(20_000);
    }
    expect(log.tail('user:9', 1).messages).toHaveLength(1);
    expect(log.keptBytes).toBeGreaterThan(5_000);
    const heads = [...Array(10).keys()].map((i) => log.head(`user:${i}`).seq);
    expect(heads).toEqual(Array(10).fill(50));
    expect(log.append('user:0', message('huge', 'x'.repeat(50_000))).kind).toBe('appended');
    expect(log.keptBytes).toBeLessThanOrEqual(20_000);
    expect(log.head('user:0').seq).toBe(51);
  });

  it('never uses a position twice, however many channels it has to forget', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ channel: fc.nat(12), pass: fc.nat(30), sweep: fc.boolean() }), {
          maxLength: 120,
          size: 'max',
        }),
        (steps) => {
          const clock = new Clock();
          const log = memoryLog(clock, { channels: 4, retentionMs: 100, totalBytes: 5_000 });
          const last = new Map<string, number>();
          for (const [i, { channel, pass, sweep }] of steps.entries()) {
            clock.at += pass;
            if (sweep) log.sweep();
            const name = `user:${channel}`;
            const before = log.head(name);
            expect(before.seq).toBeGreaterThanOrEqual(last.get(name) ?? 0);
            const appended = log.append(name, message(`m${i}`));
            if (appended.kind !== 'appended') throw new Error(appended.kind);
            const { previous, position } = appended.message;
            // a place that was raised meanwhile shows as a gap, never as the same place again
            expect(previous.seq).toBeGreaterThanOrEqual(before.seq);
            expect(position.seq).toBe(previous.seq + 1);
            expect(log.head(name)).toEqual(position);
            last.set(name, position.seq);
          }
        },
      ),
    );
  });

  it('gives the memory of forgotten channels back', () => {
    const clock = new Clock();
    const log = memoryLog(clock, { channels: 4 });
    for (let i = 0; i < 100; i++) log.append(`user:${i}`, message('m', `"${'x'.repeat(1_000)}"`));
    expect(log.keptBytes).toBeLessThan(6 * 1_300);
  });

  // by the first key of the map, looked for anew for each new one, this took minutes
  it('costs the same however many channels it has forgotten', () => {
    const log = memoryLog(new Clock(), { channels: 200_000 });
    for (let i = 0; i <= 600_000; i++) log.append(`user:${i}`, message('m'));
    expect(log.read('user:400000', undefined, 10).messages).toEqual([]);
    expect(log.read('user:400001', undefined, 10).messages).toHaveLength(1);
    expect(log.read('user:600000', undefined, 10).messages).toHaveLength(1);
    // at hundreds of microseconds for each that is forgotten it would take minutes
  }, 60_000);

  it('tells a gap, and no silence, to whoever knew a channel that was forgotten', () => {
    const clock = new Clock();
    const log = memoryLog(clock, { channels: 2 });
    for (let i = 0; i < 3; i++) log.append('user:a', message(`m${i}`));
    const after = { epoch: 'e1', seq: 1 };
    for (let i = 0; i < 5; i++) log.append(`user:${i}`, message('m'));
    const { start } = log.read('user:a', after, 10);
    expect(start).not.toEqual(after);
  });

  it('remembers ids in bounded memory', () => {
    const clock = new Clock();
    const log = memoryLog(clock, { channelMessages: 10 });
    const first = log.append('user:a', message('m0'));
    for (let i = 1; i < 1_000; i++) log.append('user:a', message(`m${i}`));
    expect(log.append('user:a', message('m995')).kind).toBe('duplicate');
    expect(first.kind).toBe('appended');
    // long dropped, and so forgotten: it is a message like any other
    expect(log.append('user:a', message('m0')).kind).toBe('appended');
  });
});
