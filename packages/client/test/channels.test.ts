import type { MessageFrame, Position } from '@ringway/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClosedError } from '../src/errors.ts';
import { Bench, OWN } from './support/bench.ts';
import { TestLog } from './support/log.ts';

type Step =
  | { readonly kind: 'publish'; readonly lost: boolean }
  | { readonly kind: 'repeat'; readonly at: number }
  | { readonly kind: 'connect' | 'disconnect' | 'serve' | 'wait' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('publish' as const), lost: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(40) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('connect', 'disconnect', 'serve', 'wait') }) },
) as fc.Arbitrary<Step>;

test('whatever is lost, repeated or cut off: every message once, in order, and no gap where none is', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const bench = new Bench();
      bench.connect();
      let published = 0;
      for (const one of steps) {
        if (one.kind === 'publish') {
          const { frame } = bench.log.append('user:bob', `m${++published}`, published);
          if (bench.connected && !one.lost) bench.channels.message(frame, true);
        } else if (one.kind === 'repeat') {
          const old = bench.log.messages[one.at];
          if (old && bench.connected) bench.channels.message(old, true);
        } else if (one.kind === 'connect') {
          bench.disconnect();
          bench.connect();
        } else if (one.kind === 'disconnect') bench.disconnect();
        else if (one.kind === 'serve') bench.serve();
        else bench.clock.advance(16_000);
        expect(bench.got).toEqual(bench.got.map((_, i) => i + 1));
      }
      bench.disconnect();
      bench.connect();
      bench.serve();
      expect(bench.got).toEqual(Array.from({ length: published }, (_, i) => i + 1));
      expect(bench.gaps).toEqual([]);
    }),
  );
});

test('what the log has lost is told with its bounds, and nothing else is', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 25 }),
      (before, away, trim) => {
        const bench = new Bench();
        bench.connect();
        for (let i = 1; i <= before; i++)
          bench.channels.message(bench.log.append('user:bob', `m${i}`, i).frame, true);
        bench.disconnect();
        for (let i = before + 1; i <= before + away; i++) bench.log.append('user:bob', `m${i}`, i);
        bench.log.trim(trim);
        bench.connect();
        bench.serve();
        const total = before + away;
        const first = Math.min(trim, total + 1);
        const lost = Math.max(0, first - 1 - before);
        expect(bench.gaps).toEqual(
          lost === 0
            ? []
            : [
                {
                  channel: OWN,
                  after: { epoch: 'e1', seq: before },
                  upTo: { epoch: 'e1', seq: before + lost },
                },
              ],
        );
        expect(bench.got).toEqual(
          Array.from({ length: total }, (_, i) => i + 1).filter((n) => n <= before || n > before + lost),
        );
        expect(bench.channels.position(OWN)).toEqual({ epoch: 'e1', seq: total });
      },
    ),
  );
});

test('a hole asks once, however many messages come behind it', () => {
  const bench = new Bench();
  bench.connect();
  bench.log.append('user:bob', 'm1', 1);
  for (let i = 2; i <= 5; i++) bench.channels.message(bench.log.append('user:bob', `m${i}`, i).frame, true);
  expect(bench.sent).toEqual([{ type: 'resume', positions: { [OWN]: { epoch: 'e1', seq: 0 } } }]);
  bench.serve();
  expect(bench.got).toEqual([1, 2, 3, 4, 5]);
});

test('a resume without an answer, and one that was refused for now, are asked again', () => {
  const bench = new Bench();
  bench.connect();
  bench.disconnect();
  bench.log.append('user:bob', 'm1', 1);
  bench.connect();
  expect(bench.sent.splice(0)).toHaveLength(1);
  bench.clock.advance(15_000);
  expect(bench.sent.splice(0)).toHaveLength(1);
  const refusal = {
    type: 'error',
    channel: OWN,
    code: 'unavailable',
    message: '',
    retryable: true,
    retryAfterMs: 700,
  } as const;
  expect(bench.channels.refused(refusal)).toBe(true);
  bench.clock.advance(699);
  expect(bench.sent).toEqual([]);
  bench.clock.advance(1);
  bench.serve();
  expect(bench.got).toEqual([1]);
  expect(bench.clock.pending).toBe(0);
});

test('a resumed position ahead of ours in the same epoch is a gap that nobody told', () => {
  const bench = new Bench();
  bench.connect();
  bench.channels.resumed({
    type: 'resumed',
    channels: [{ channel: OWN, position: { epoch: 'e1', seq: 3 } }],
  });
  expect(bench.gaps).toEqual([
    { channel: OWN, after: { epoch: 'e1', seq: 0 }, upTo: { epoch: 'e1', seq: 3 } },
  ]);
});

test('what a connection that is being left delivers is taken where it fits, and asks for nothing where it does not', () => {
  const bench = new Bench();
  bench.connect();
  const frames: MessageFrame[] = [1, 2, 3].map((i) => bench.log.append('user:bob', `m${i}`, i).frame);
  bench.channels.message(frames[0] as MessageFrame, false);
  bench.channels.message(frames[2] as MessageFrame, false);
  expect(bench.got).toEqual([1]);
  expect(bench.sent).toEqual([]);
});

test('a gap that begins ahead of us is not ours: what lies before it is asked for', () => {
  const at = (seq: number): Position => ({ epoch: 'e1', seq });
  const bench = new Bench();
  bench.connect();
  // live, before the node has read that something is missing here
  bench.channels.gap({
    type: 'gap',
    channel: OWN,
    after: { epoch: 'e2', seq: 9 },
    upTo: { epoch: 'e3', seq: 0 },
  });
  expect([bench.gaps, bench.channels.position(OWN)]).toEqual([[], at(0)]);
  expect(bench.sent).toEqual([{ type: 'resume', positions: { [OWN]: at(0) } }]);
  bench.channels.gap({ type: 'gap', channel: OWN, after: at(3), upTo: at(4) });
  expect([bench.gaps, bench.channels.position(OWN)]).toEqual([[], at(0)]);
  // what is told of the very place that was asked from
  bench.channels.gap({ type: 'gap', channel: OWN, after: at(0), upTo: { epoch: 'e3', seq: 0 } });
  expect(bench.gaps).toEqual([{ channel: OWN, after: at(0), upTo: { epoch: 'e3', seq: 0 } }]);
});

test('a gap behind our very place counts wherever it leads, and one that we are past does not', () => {
  const at = (seq: number): Position => ({ epoch: 'e1', seq });
  const bench = new Bench();
  bench.connect();
  for (let i = 1; i <= 5; i++) bench.log.append('user:bob', `m${i}`, i);
  bench.disconnect();
  bench.connect();
  bench.serve();
  expect(bench.channels.position(OWN)).toEqual(at(5));
  bench.channels.gap({ type: 'gap', channel: OWN, after: at(2), upTo: at(4) });
  bench.channels.resumed({ type: 'resumed', channels: [{ channel: OWN, position: at(5) }] });
  expect(bench.gaps).toEqual([]);
  // the log has lost the last two, which it had acknowledged
  bench.channels.gap({ type: 'gap', channel: OWN, after: at(5), upTo: at(3) });
  expect(bench.gaps).toEqual([{ channel: OWN, after: at(5), upTo: at(3) }]);
  expect(bench.channels.position(OWN)).toEqual(at(3));
});

test('a join that was refused for the moment is asked for again, whatever else is answered or asked meanwhile', () => {
  const bench = new Bench();
  bench.connect();
  bench.channels.join('group:g').catch(() => {});
  const joins = (): number => bench.sent.filter(({ type }) => type === 'join').length;
  const refuse = (): boolean =>
    bench.channels.refused({
      type: 'error',
      code: 'unavailable',
      message: '',
      retryable: true,
      channel: 'group:g',
    });
  const hole = (): void => {
    bench.log.append('user:bob', `lost${bench.log.head.seq}`, 0);
    bench.channels.message(bench.log.append('user:bob', `m${bench.log.head.seq}`, 0).frame, true);
  };
  expect(joins()).toBe(1);
  // a resume that is answered after the refusal
  hole();
  refuse();
  bench.serve();
  bench.clock.advance(300);
  expect(joins()).toBe(1);
  // one that is asked for after it
  bench.sent.length = 0;
  refuse();
  hole();
  bench.clock.advance(300);
  expect(joins()).toBe(1);
  bench.channels.fail(new ClosedError('over'));
  expect(bench.clock.pending).toBe(0);
});

test('a group that a backend has put us in is resumed at its joined, left when asked, and forgotten when it is over', () => {
  const bench = new Bench();
  const channel = 'group:class-7';
  const at = (seq: number): Position => ({ epoch: 'g', seq });
  bench.connect();
  bench.channels.joined({ type: 'joined', channel, position: at(4) });
  expect(bench.channels.position(channel)).toEqual(at(4));
  bench.disconnect();
  bench.connect();
  // not before the node has us in it again
  expect(bench.sent.splice(0)).toEqual([]);
  bench.channels.joined({ type: 'joined', channel, position: at(6) });
  expect(bench.sent.splice(0)).toEqual([{ type: 'resume', positions: { [channel]: at(4) } }]);
  bench.channels.resumed({ type: 'resumed', channels: [{ channel, position: at(6) }] });
  bench.channels.left(channel);
  expect(bench.channels.position(channel)).toBeUndefined();
  bench.channels.joined({ type: 'joined', channel, position: at(9) });
  bench.channels.leave(channel);
  bench.channels.leave(channel);
  bench.channels.leave('group:another');
  expect(bench.sent.splice(0)).toEqual([{ type: 'leave', channel }]);
  bench.channels.left(channel);
  bench.channels.joined({ type: 'joined', channel, position: at(9) });
  expect(bench.sent).toEqual([]);
  bench.disconnect();
  expect(bench.clock.pending).toBe(0);
});

test('a channel that nobody asked for begins with its joined, and is resumed at the next one, not before', () => {
  const log = new TestLog('all', 'a1');
  const bench = new Bench();
  const joined = (): void => bench.channels.joined({ type: 'joined', channel: 'all', position: log.head });
  bench.connect();
  joined();
  expect(bench.sent).toEqual([]);
  bench.channels.message(log.append('user:bob', 'a1', 1).frame, true);
  bench.disconnect();
  const { frame } = log.append('user:bob', 'a2', 2);
  bench.connect();
  expect(bench.sent).toEqual([]);
  joined();
  expect(bench.sent).toEqual([{ type: 'resume', positions: { all: { epoch: 'a1', seq: 1 } } }]);
  bench.channels.message(frame, true);
  bench.channels.resumed({ type: 'resumed', channels: [{ channel: 'all', position: log.head }] });
  expect(bench.got).toEqual([1, 2]);
  expect(bench.gaps).toEqual([]);
});

test('a leave that is refused leaves nothing: its messages go on', async () => {
  const log = new TestLog('all', 'a1');
  const bench = new Bench();
  bench.connect();
  bench.channels.joined({ type: 'joined', channel: 'all', position: log.head });
  const join = bench.channels.join('all');
  bench.channels.joined({ type: 'joined', channel: 'all', position: log.head });
  expect(await join).toEqual(log.head);
  bench.channels.leave('all');
  bench.channels.message(log.append('user:bob', 'a1', 1).frame, true);
  expect(bench.got).toEqual([]);
  const refusal = { type: 'error', channel: 'all', code: 'invalid_channel', message: '' } as const;
  bench.channels.refused({ ...refusal, retryable: false });
  bench.channels.message(log.append('user:bob', 'a2', 2).frame, true);
  expect(bench.got).toEqual([2]);
});
