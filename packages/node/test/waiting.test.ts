import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Parked, Waiting } from '../src/router/waiting.ts';

let made = 0;

function parked(channel: string, id: string, deadline = 1_000, data = '1', dedupe = false): Parked {
  return {
    publication: { channel, from: '"user:a"', id, data, ephemeral: false },
    dedupe,
    hops: 0,
    sent: false,
    order: made++,
    deadline,
  };
}

function drained(waiting: Waiting, channel: string, count = Number.POSITIVE_INFINITY): string[] {
  const ids: string[] = [];
  waiting.drain(channel, ({ publication }) => {
    if (ids.length >= count) return false;
    ids.push(publication.id);
    return true;
  });
  return ids;
}

describe('publications that wait', () => {
  it('leave in the order in which they came, channel by channel', () => {
    const waiting = new Waiting(1_000_000);
    for (const id of ['1', '2', '3']) {
      waiting.push(parked('user:a', `a${id}`));
      waiting.push(parked('user:b', `b${id}`));
    }
    expect(drained(waiting, 'user:a', 2)).toEqual(['a1', 'a2']);
    waiting.push(parked('user:a', 'a4'));
    expect(drained(waiting, 'user:a')).toEqual(['a3', 'a4']);
    expect(waiting.has('user:a')).toBe(false);
    expect(drained(waiting, 'user:b')).toEqual(['b1', 'b2', 'b3']);
    expect(waiting.size).toBe(0);
  });

  it('that have been out and come back go where they were, whatever the order in which they come', () => {
    const waiting = new Waiting(1_000_000);
    const [a1, b1, a2] = [parked('user:a', 'a1'), parked('user:b', 'b1'), parked('user:a', 'a2')];
    waiting.push(parked('user:a', 'a3'));
    waiting.putBack([a2, b1]);
    waiting.putBack([a1]);
    expect(drained(waiting, 'user:a')).toEqual(['a1', 'a2', 'a3']);
    expect(drained(waiting, 'user:b')).toEqual(['b1']);
  });

  it('are bounded by their bytes, over all channels', () => {
    const waiting = new Waiting(10_000);
    let taken = 0;
    while (waiting.push(parked(`user:${taken % 7}`, `${taken}`, 1_000, 'x'.repeat(300)))) taken++;
    expect(taken).toBeGreaterThan(10);
    expect(taken).toBeLessThan(34);
    for (let i = 0; i < 7; i++) drained(waiting, `user:${i}`);
    expect(waiting.push(parked('user:a', 'again', 1_000, 'x'.repeat(9_000)))).toBe(true);
  });

  it('are given up when their time has passed, and free their room', () => {
    const waiting = new Waiting(1_000);
    waiting.push(parked('user:a', 'a1', 10));
    waiting.push(parked('user:a', 'a2', 30));
    waiting.push(parked('user:b', 'b1', 20));
    const ids = (list: Parked[]) => list.map(({ publication }) => publication.id);
    expect(ids(waiting.expired(9))).toEqual([]);
    expect(ids(waiting.expired(20)).sort()).toEqual(['a1', 'b1']);
    expect(waiting.has('user:b')).toBe(false);
    expect(ids(waiting.expired(30))).toEqual(['a2']);
    expect(waiting.size).toBe(0);
    expect(waiting.push(parked('user:a', 'a3', 40, 'x'.repeat(700)))).toBe(true);
  });

  it('are given up with what the same sender said there before, so that they do not overtake it', () => {
    const waiting = new Waiting(10_000);
    const asked = (id: string, deadline: number, more: Partial<Parked['publication']> = {}): void => {
      const item = parked(more.channel ?? 'user:a', id, deadline, '1', true);
      waiting.push({ ...item, publication: { ...item.publication, ...more } });
    };
    asked('before', 40);
    asked('late', 10);
    asked('behind', 30);
    asked('another sender', 30, { from: '"user:b"' });
    asked('another channel', 30, { channel: 'user:b' });
    asked('ephemeral', 30, { ephemeral: true });
    waiting.push(parked('user:a', 'not answered', 30));
    expect(waiting.expired(10).map(({ publication }) => publication.id)).toEqual(['late', 'behind']);
    expect(drained(waiting, 'user:a')).toEqual(['before', 'another sender', 'ephemeral', 'not answered']);
    expect(drained(waiting, 'user:b')).toEqual(['another channel']);
  });

  it('are a queue for each channel under any order of calls', () => {
    const channel = fc.constantFrom('user:a', 'user:b', 'user:c');
    const step = fc.oneof(
      fc.record({ do: fc.constant('push' as const), channel, deadline: fc.nat(100), size: fc.nat(400) }),
      fc.record({ do: fc.constant('return' as const), channel, count: fc.nat(4) }),
      fc.record({ do: fc.constant('drain' as const), channel, count: fc.nat(4) }),
      fc.record({ do: fc.constant('expire' as const), now: fc.nat(100) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const waiting = new Waiting(5_000);
        let model: Parked[] = [];
        let ids = 0;
        for (const one of steps) {
          if (one.do === 'push') {
            const item = parked(one.channel, `${ids++}`, one.deadline, 'x'.repeat(one.size));
            if (waiting.push(item)) model.push(item);
          } else if (one.do === 'return') {
            // out, and back in another order: nothing has changed
            const out: Parked[] = [];
            waiting.drain(one.channel, (item) => out.length < one.count && out.push(item) > 0);
            waiting.putBack(out.reverse());
          } else if (one.do === 'drain') {
            const ids = drained(waiting, one.channel, one.count);
            const expected = model.filter(({ publication }) => publication.channel === one.channel);
            expect(ids).toEqual(expected.slice(0, one.count).map(({ publication }) => publication.id));
            model = model.filter(({ publication }) => !ids.includes(publication.id));
          } else {
            const gone = waiting.expired(one.now);
            expect(new Set(gone)).toEqual(new Set(model.filter(({ deadline }) => deadline <= one.now)));
            model = model.filter((item) => !gone.includes(item));
          }
          const channels = new Set(model.map(({ publication }) => publication.channel));
          expect(new Set(waiting.channels())).toEqual(channels);
          expect(waiting.size).toBe(channels.size);
        }
      }),
    );
  });
});
