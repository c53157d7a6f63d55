import type { MessageFrame } from '@ringway/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Positions } from '../src/positions.ts';
import { TestLog } from './support/log.ts';

const CHANNEL = 'user:alice';

function message(seq: number, id = `m${seq}`, epoch = 'e1'): MessageFrame {
  return {
    type: 'message',
    channel: CHANNEL,
    id,
    from: 'user:bob',
    data: seq,
    position: { epoch, seq },
    previous: { epoch, seq: seq - 1 },
  };
}

test('in whatever order messages come, and however often: each is delivered once, in order, none left out', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 200 }), (arrivals) => {
      const positions = new Positions();
      positions.set(CHANNEL, { epoch: 'e1', seq: 0 });
      let delivered = 0;
      for (const seq of arrivals) {
        const taken = positions.take(message(seq));
        expect(taken).toBe(seq <= delivered ? 'repeat' : seq === delivered + 1 ? 'deliver' : 'hole');
        if (taken === 'deliver') delivered++;
        expect(positions.get(CHANNEL)).toEqual({ epoch: 'e1', seq: delivered });
      }
    }),
  );
});

test('over changes of epoch, with repeats under new positions: each id once, in order', () => {
  const step = fc.oneof(
    fc.constant<'append'>('append'),
    fc.constant<'epoch'>('epoch'),
    fc.nat(30).map((n) => ({ repeat: n })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const log = new TestLog(CHANNEL, 'e0');
      const positions = new Positions();
      positions.set(CHANNEL, log.head);
      const got: string[] = [];
      let epochs = 0;
      const offer = (frame: MessageFrame) => {
        const taken = positions.take(frame);
        if (taken === 'deliver') got.push(frame.id);
        return taken;
      };
      for (const one of steps) {
        if (one === 'append') {
          const { frame } = log.append('user:bob', `m${log.messages.length}`, 1);
          // the node links the first message of an epoch to the end of the one before
          const ours = positions.get(CHANNEL);
          expect(offer({ ...frame, previous: ours ?? log.head })).toBe('deliver');
        } else if (one === 'epoch') {
          log.newEpoch(`e${++epochs}`);
        } else {
          const old = log.messages[one.repeat];
          if (old)
            expect(offer({ ...old, position: { epoch: `replay${epochs}`, seq: one.repeat + 1 } })).toBe(
              'repeat',
            );
        }
      }
      expect(got).toEqual(log.messages.map(({ id }) => id));
    }),
  );
});

test('a repeat under a new position that does fit moves the position and is not delivered', () => {
  const positions = new Positions();
  positions.set(CHANNEL, { epoch: 'e1', seq: 0 });
  expect(positions.take(message(1))).toBe('deliver');
  const again = { ...message(1, 'm1', 'e2'), previous: { epoch: 'e1', seq: 1 } };
  expect(positions.take(again)).toBe('repeat');
  expect(positions.get(CHANNEL)).toEqual({ epoch: 'e2', seq: 1 });
});

test('without a position the first message is taken; an ephemeral one never has one', () => {
  const positions = new Positions();
  const { position: _, previous: __, ...ephemeral } = message(1, 'typing');
  expect(positions.take(ephemeral)).toBe('deliver');
  expect(positions.take(ephemeral)).toBe('repeat');
  expect(positions.get(CHANNEL)).toBeUndefined();
  expect(positions.take(message(7))).toBe('deliver');
  expect(positions.get(CHANNEL)).toEqual({ epoch: 'e1', seq: 7 });
});

test('the memory of ids is bounded', () => {
  const positions = new Positions();
  const { position: _, previous: __, ...ephemeral } = message(1);
  for (let i = 0; i < 3_000; i++) expect(positions.take({ ...ephemeral, id: `${i}` })).toBe('deliver');
  expect(positions.take({ ...ephemeral, id: '2999' })).toBe('repeat');
  expect(positions.take({ ...ephemeral, id: '0' })).toBe('deliver');
});
