import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LocalChannel } from '../src/hub/local-channel.ts';
import type { Delivery } from '../src/router/port.ts';
import type { Session } from '../src/session/session.ts';

it('a local channel knows its sessions, however many come and go', () => {
  const people = Array.from({ length: 80 }, (_, id) => ({ id }) as unknown as Session);
  const step = fc.record({ who: fc.nat(79), comes: fc.integer({ min: 0, max: 3 }).map((n) => n > 0) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const channel = new LocalChannel('group:g');
      const present = new Set<Session>();
      for (const { who, comes } of steps) {
        const person = people[who] as Session;
        if (!comes) expect(channel.remove(person)).toBe(present.delete(person));
        else if (!present.has(person)) {
          channel.add(person);
          present.add(person);
        }
        expect(channel.size).toBe(present.size);
        expect(channel.has(person)).toBe(present.has(person));
      }
      expect(new Set(channel.sessions)).toEqual(present);
    }),
  );
});

it('a local channel recognises the last messages after a change of epoch, for as many again', () => {
  const message = (seq: number): Delivery => ({ from: '"user:bob"', id: `"m${seq}"`, data: '1' });
  const channel = new LocalChannel('group:g');
  for (let seq = 1; seq <= 40; seq++) channel.remember(message(seq));
  expect(channel.isRepeat(message(40))).toBe(false);
  channel.epochChanged();
  expect(channel.isRepeat(message(40))).toBe(true);
  expect(channel.isRepeat(message(9))).toBe(true);
  expect(channel.isRepeat(message(8))).toBe(false);
  for (let i = 0; i < 29; i++) expect(channel.isRepeat(message(100 + i))).toBe(false);
  expect(channel.isRepeat(message(40))).toBe(false);
});
