import { describe, expect, it } from 'vitest';
import { SentOn } from '../src/router/sent-on.ts';

const at = (seq: number) => ({ epoch: 'e', seq });

describe('what a home remembers of the channels that it wrote to', () => {
  it('is their last position, until it is told to forget it', () => {
    const sent = new SentOn();
    sent.set('user:a', at(1));
    sent.set('user:a', at(2));
    expect(sent.get('user:a')).toEqual(at(2));
    sent.delete('user:a');
    expect(sent.get('user:a')).toBeUndefined();
  });

  // by the first key of one map, deleted for each new one, this took minutes
  it('is bounded, keeps who is written to, and costs the same however many were forgotten', () => {
    const sent = new SentOn();
    sent.set('user:busy', at(0));
    sent.set('user:quiet', at(0));
    for (let i = 1; i <= 800_000; i++) {
      sent.set(`user:${i}`, at(i));
      if (i % 50_000 === 0) sent.set('user:busy', at(i));
    }
    expect(sent.get('user:quiet')).toBeUndefined();
    expect(sent.get('user:busy')).toEqual(at(800_000));
    expect(sent.get('user:700001')).toEqual(at(700_001));
    expect(sent.get('user:600000')).toBeUndefined();
  });

  it('forgets in both generations', () => {
    const sent = new SentOn();
    sent.set('user:a', at(1));
    for (let i = 0; i < 100_000; i++) sent.set(`user:${i}`, at(i));
    sent.set('user:a', at(2));
    sent.delete('user:a');
    expect(sent.get('user:a')).toBeUndefined();
  });
});
