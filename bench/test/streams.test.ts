import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Client } from '../load/client.ts';
import { FrameTemplate, MARK, sequenceAt, streamAt } from '../load/frame.ts';
import { speeches } from '../load/speech.ts';
import { Crowd, Pair } from '../load/streams.ts';

/** A client that keeps what it is to send. */
function sender(): { client: Client; frames: Buffer[] } {
  const frames: Buffer[] = [];
  return {
    client: { send: (frame: Buffer) => frames.push(Buffer.from(frame)) } as unknown as Client,
    frames,
  };
}

const template = (): FrameTemplate => new FrameTemplate(speeches.ringway, 7, 'group:g');

/** Which of the messages come, to whom, in what order; some of them again. */
const arrivals = (messages: number, members: number) =>
  fc.array(fc.record({ sequence: fc.nat(messages - 1), member: fc.nat(members - 1) }), {
    maxLength: 3 * messages * members,
  });

describe('what came of messages', () => {
  it('is counted once for each receiver: come, missing, come again, come too late', () => {
    fc.assert(
      fc.property(arrivals(6, 3), (all) => {
        const crowd = new Crowd(sender().client, template(), [0, 1, 2]);
        for (let i = 0; i < 6; i += 1) crowd.send(i);
        const seen = new Map<number, number[]>();
        let [doubled, disordered] = [0, 0];
        for (const { sequence, member } of all) {
          const before = seen.get(member) ?? [];
          const again = before.includes(sequence);
          if (again) doubled += 1;
          else if (before.some((other) => other > sequence)) disordered += 1;
          if (!again) seen.set(member, [...before, sequence]);
          expect(crowd.take(sequence, member)).toEqual(again ? Number.NaN : sequence);
        }
        const delivered = [...seen.values()].flat().length;
        const complete = [0, 1, 2, 3, 4, 5].filter((sequence) =>
          [0, 1, 2].every((member) => seen.get(member)?.includes(sequence)),
        );
        expect(crowd).toMatchObject({
          sent: 6,
          delivered,
          lost: 18 - delivered,
          doubled,
          disordered,
          underWay: 6 - complete.length,
        });
      }),
    );
  });

  it('counts for nothing where a client gets what is not for it', () => {
    const crowd = new Crowd(sender().client, template(), [1]);
    crowd.send(0);
    expect(crowd.take(0, 2)).toBeNaN();
    expect(crowd).toMatchObject({ delivered: 0, lost: 1, doubled: 0 });
  });

  it('of a pair is the same, with one receiver', () => {
    const pair = new Pair(sender().client, template());
    for (let i = 0; i < 3; i += 1) pair.send(i);
    expect([2, 0, 2].map((sequence) => pair.take(sequence, 9))).toEqual([2, 0, Number.NaN]);
    expect(pair).toMatchObject({ sent: 3, delivered: 2, lost: 1, doubled: 1, disordered: 1, underWay: 1 });
  });
});

it('a frame says whose it is and the how-manieth', () => {
  const { client, frames } = sender();
  const pair = new Pair(client, template());
  for (let i = 0; i < 12; i += 1) pair.send(i);
  const [last = Buffer.alloc(0)] = frames.slice(-1);
  // two bytes of head, two of length, four of the mask
  const text = Buffer.from(last.subarray(8).map((byte, i) => byte ^ (last[4 + (i & 3)] ?? 0)));
  expect(text.toString()).toMatch(/^\{"type":"publish","to":"group:g","data":"~~#0000700000001[1]\.+"\}$/);
  expect([streamAt(text, text.indexOf(MARK)), sequenceAt(text, text.indexOf(MARK))]).toEqual([7, 11]);
});
