import type { Position } from '@ringway/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClosedError } from '../src/errors.ts';
import { Bench } from './support/bench.ts';

const GROUP = 'group:class-7';
const at = (seq: number): Position => ({ epoch: 'g', seq });
const isIn = (seq: number) => ['joined', { channel: GROUP, position: at(seq) }];
const isOut = ['left', { channel: GROUP }];

test('a group is told when we come to be in it and when we no longer are, whoever did it, and not in between', async () => {
  const bench = new Bench();
  const joined = (seq: number): void =>
    bench.channels.joined({ type: 'joined', channel: GROUP, position: at(seq) });
  bench.connect();
  joined(4);
  bench.disconnect();
  bench.connect();
  joined(6);
  joined(6);
  // that the application asks for it as well changes nothing
  const join = bench.channels.join(GROUP);
  joined(6);
  await join;
  expect(bench.groups).toEqual([isIn(4)]);
  bench.channels.left(GROUP);
  bench.channels.left(GROUP);
  expect(bench.groups).toEqual([isIn(4), isOut]);
  joined(7);
  bench.channels.leave(GROUP);
  bench.channels.left(GROUP);
  expect(bench.groups.slice(2)).toEqual([isIn(7), isOut]);
  bench.channels.joined({ type: 'joined', channel: 'all', position: at(1) });
  expect(bench.groups).toHaveLength(4);
});

test('a group that may not be joined again is told as left, one whose joining was refused is not', async () => {
  const bench = new Bench();
  const forbid = (): boolean =>
    bench.channels.refused({
      type: 'error',
      channel: GROUP,
      code: 'forbidden',
      message: '',
      retryable: false,
    });
  bench.connect();
  const refused = bench.channels.join(GROUP);
  forbid();
  await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
  expect(bench.groups).toEqual([]);
  void bench.channels.join(GROUP);
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(1) });
  bench.disconnect();
  bench.connect();
  forbid();
  expect(bench.groups).toEqual([isIn(1), isOut]);
  expect(bench.channels.position(GROUP)).toBeUndefined();
});

test('a listener that is told of a leave may join again at once', () => {
  const bench = new Bench();
  bench.connect();
  void bench.channels.join(GROUP);
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(1) });
  bench.sent.length = 0;
  bench.onGroup = (name) => {
    if (name === 'left') void bench.channels.join(GROUP);
  };
  bench.channels.leave(GROUP);
  expect(bench.sent.map(({ type }) => type)).toEqual(['leave', 'join']);
  bench.channels.left(GROUP);
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(2) });
  expect(bench.groups).toEqual([isIn(1), isOut, isIn(2)]);
});

test('what was joined outlives the end of a client, what waits for an answer does not', async () => {
  const bench = new Bench();
  bench.connect();
  void bench.channels.join(GROUP);
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(1) });
  bench.channels.joined({ type: 'joined', channel: 'group:staff', position: at(1) });
  const open = ['group:open', 'group:staff'].map((channel) => bench.channels.join(channel));
  bench.channels.fail(new ClosedError('over'));
  for (const join of open) await expect(join).rejects.toMatchObject({ code: 'closed' });
  expect(bench.channels.position('group:staff')).toEqual(at(1));
  bench.disconnect();
  bench.connect();
  expect(bench.sent.splice(0)).toEqual([{ type: 'join', channel: GROUP }]);
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(3) });
  expect(bench.sent.splice(0)).toEqual([{ type: 'resume', positions: { [GROUP]: at(1) } }]);
  expect(bench.groups).toEqual([isIn(1), ['joined', { channel: 'group:staff', position: at(1) }]]);
});

test('another user is in nothing that the one before had joined', () => {
  const bench = new Bench();
  bench.connect();
  void bench.channels.join(GROUP);
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(1) });
  bench.channels.joined({ type: 'joined', channel: 'group:staff', position: at(1) });
  bench.disconnect();
  const early = bench.channels.join('group:early');
  early.catch(() => {});
  bench.connect('bob');
  expect(bench.sent).toEqual([{ type: 'join', channel: 'group:early' }]);
  expect(bench.channels.position(GROUP)).toBeUndefined();
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(2) });
  expect(bench.groups.slice(2)).toEqual([isIn(2)]);
  bench.channels.fail(new ClosedError('over'));
});

test('the answer to a resume says nothing of a group that was left meanwhile', () => {
  const bench = new Bench();
  bench.connect();
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(1) });
  bench.disconnect();
  bench.connect();
  bench.channels.joined({ type: 'joined', channel: GROUP, position: at(3) });
  bench.channels.leave(GROUP);
  bench.channels.resumed({ type: 'resumed', channels: [{ channel: GROUP, position: at(3) }] });
  expect(bench.channels.position(GROUP)).toBeUndefined();
});

test('joined and left take turns, whatever comes from where', () => {
  const moves = fc.constantFrom('join', 'leave', 'joined', 'left', 'refused', 'away', 'closed');
  fc.assert(
    fc.property(fc.array(moves, { maxLength: 40 }), (steps) => {
      const bench = new Bench();
      bench.connect();
      for (const step of steps) {
        if (step === 'join') bench.channels.join(GROUP).catch(() => {});
        else if (step === 'leave') bench.channels.leave(GROUP);
        else if (step === 'joined')
          bench.channels.joined({ type: 'joined', channel: GROUP, position: at(1) });
        else if (step === 'left') bench.channels.left(GROUP);
        else if (step === 'refused') {
          const refusal = { type: 'error', channel: GROUP, code: 'forbidden', message: '' } as const;
          bench.channels.refused({ ...refusal, retryable: false });
        } else {
          if (step === 'closed') bench.channels.fail(new ClosedError('over'));
          bench.disconnect();
          bench.connect();
        }
        // the position is known as long as we are in
        const told = bench.groups.map(([name]) => name);
        expect(told).toEqual(told.map((_, i) => (i % 2 === 0 ? 'joined' : 'left')));
        expect(bench.channels.position(GROUP) !== undefined).toBe(told.at(-1) === 'joined');
      }
    }),
  );
});
