import type { Member } from '@ringway/membership';
import { buildRing, keyPoint, type Ring } from '@ringway/ring';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tenures } from '../src/log/tenures.ts';
import { Hearing } from '../src/peers/hearing.ts';
import { Placement } from '../src/router/placement.ts';

function member(id: string): Member {
  return {
    id,
    incarnation: 'i1',
    publicUrl: 'ws://127.0.0.1:1',
    internalUrl: 'http://127.0.0.1:2',
    weight: 0.05,
    ringFormat: 1,
    protocol: { min: 1, max: 1 },
  };
}

function ringOf(...ids: string[]): Ring<Member> {
  return buildRing(ids.map(member));
}

const CHANNELS = Array.from({ length: 60 }, (_, i) => `user:u${i}`);

/** A node `a`, and who is heard in the hands of the test: each word is one that all others share. */
class Node {
  readonly hearing = new Hearing({ selfId: 'a', graceMs: 0, agrees: () => true, now: () => 0 });
  readonly placement: Placement;
  /** Who is heard and sees another ring. */
  readonly disagree = new Set<string>();

  constructor(ring: Ring<Member>) {
    this.placement = new Placement('a', this.hearing, ring, ({ id }) => this.disagree.has(id));
    this.hear(
      ring,
      ring.members.map(({ id }) => id),
    );
  }

  hear(ring: Ring<Member>, heard: readonly string[]) {
    this.hearing.setMembers(ring.members);
    for (const { id } of ring.members) this.hearing.heard(id, heard.includes(id));
    const unheard = ring.members.map(({ id }) => id).filter((id) => !heard.includes(id));
    for (const { id } of ring.members) this.hearing.reported(id, unheard);
    this.hearing.settle();
    return this.placement.update(ring);
  }

  homeOf(channel: string): string {
    const place = this.placement.of(channel);
    expect(this.placement.at(keyPoint(channel))).toEqual(place);
    if (place.kind === 'self') return 'a';
    return place.kind === 'peer' ? place.member.id : '';
  }
}

describe('who is home', () => {
  it('is who is new in the ring without an interruption, though the others do not hear it at first', () => {
    const agree = new Set<string>();
    const hearing = new Hearing({ selfId: 'a', graceMs: 0, agrees: (id) => agree.has(id), now: () => 0 });
    const before = ringOf('b', 'c', 'd', 'e');
    const placement = new Placement('a', hearing, before, () => false);
    const others = ['b', 'c', 'd', 'e'];
    hearing.setMembers(before.members);
    for (const id of others) {
      hearing.heard(id, true);
      // of a ring without this node
      hearing.reported(id, []);
    }
    hearing.settle();
    const ring = ringOf('a', ...others);
    hearing.setMembers(ring.members);
    hearing.settle();
    const changes = [placement.update(ring)];
    for (const unheard of [['a'], []]) {
      for (const id of others) {
        hearing.reported(id, unheard);
        agree.add(id);
        hearing.settle();
        changes.push(placement.update());
      }
    }
    expect(changes.map(({ readmitted }) => readmitted)).not.toContain(true);
    const own = CHANNELS.filter((channel) => ring.owner(channel)?.id === 'a');
    expect(own.length).toBeGreaterThan(0);
    for (const channel of own) expect(placement.of(channel).kind).toBe('self');
  });

  it('is who was it, while that is heard and sees another ring: no two act where one is heard', () => {
    const both = ringOf('a', 'b', 'c');
    const node = new Node(both);
    const after = ringOf('a', 'c');
    const gained = CHANNELS.filter(
      (channel) => both.owner(channel)?.id === 'b' && after.owner(channel)?.id === 'a',
    );
    expect(gained.length).toBeGreaterThan(0);
    node.disagree.add('b');
    node.hear(after, ['a', 'c']);
    for (const channel of CHANNELS)
      expect(node.homeOf(channel)).toBe(gained.includes(channel) ? 'b' : (after.owner(channel)?.id ?? ''));
    expect(node.placement.takeHandedOver()).toEqual([]);
    node.disagree.delete('b');
    const moved = node.placement.takeHandedOver();
    expect(moved).toHaveLength(1);
    for (const channel of gained) expect(moved[0]?.find(keyPoint(channel))?.to?.id).toBe('a');
    for (const channel of CHANNELS) expect(node.homeOf(channel)).toBe(after.owner(channel)?.id);
  });

  it('is not who was it before another that had it since, whatever ring that one sees', () => {
    const rings = [ringOf('a', 'b', 'c'), ringOf('a', 'c'), ringOf('a', 'c', 'd'), ringOf('a', 'c')] as const;
    const owners = (channel: string): string => rings.map((ring) => ring.owner(channel)?.id).join();
    const node = new Node(rings[0]);
    node.disagree.add('b').add('d');
    for (const ring of rings.slice(1)) {
      node.hear(
        ring,
        ring.members.map(({ id }) => id),
      );
    }
    const come = CHANNELS.filter((channel) => owners(channel) === 'b,a,d,a');
    const stayed = CHANNELS.filter((channel) => owners(channel) === 'b,a,a,a');
    expect(Math.min(come.length, stayed.length)).toBeGreaterThan(0);
    for (const channel of come) expect(node.homeOf(channel)).toBe('d');
    for (const channel of stayed) expect(node.homeOf(channel)).toBe('b');
    node.disagree.delete('d');
    node.placement.takeHandedOver();
    for (const channel of come) expect(node.homeOf(channel)).toBe('a');
    for (const channel of stayed) expect(node.homeOf(channel)).toBe('b');
  });

  it('is the owner while it is heard', () => {
    const ring = ringOf('a', 'b', 'c');
    const node = new Node(ring);
    for (const channel of CHANNELS) expect(node.homeOf(channel)).toBe(ring.owner(channel)?.id);
  });

  it('is the next member that is not down, which is who will own the channel without them', () => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const ring = ringOf(...ids);
    fc.assert(
      fc.property(fc.subarray(ids.slice(1)), (down) => {
        const node = new Node(ring);
        node.hear(
          ring,
          ids.filter((id) => !down.includes(id)),
        );
        const half = (ids.length - down.length) * 2 >= ids.length;
        const without = ringOf(...ids.filter((id) => !down.includes(id)));
        for (const channel of CHANNELS) {
          const first = ring.owners(channel, ids.length).find(({ id }) => !down.includes(id))?.id;
          expect(without.owner(channel)?.id).toBe(first);
          expect(node.homeOf(channel)).toBe(first === 'a' && !half ? '' : first);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('is nobody in an empty ring, and the only one in a ring of one', () => {
    const empty = new Node(ringOf());
    expect(empty.homeOf('user:x')).toBe('');
    expect(new Node(ringOf('a')).homeOf('user:x')).toBe('a');
  });

  it('is not this node when it hears less than half of the ring, though everyone else be down', () => {
    const ring = ringOf('a', 'b', 'c');
    const node = new Node(ring);
    node.hear(ring, ['a']);
    for (const channel of CHANNELS) expect(node.homeOf(channel)).toBe('');
    const { readmitted } = node.hear(ring, ['a', 'b']);
    expect(readmitted).toBe(true);
    expect(CHANNELS.some((channel) => node.homeOf(channel) === 'a')).toBe(true);
  });

  it('is a node that left the ring for none', () => {
    const node = new Node(ringOf('a', 'b'));
    node.hear(ringOf('b'), ['b']);
    for (const channel of CHANNELS) expect(node.homeOf(channel)).toBe('b');
  });

  it('tells exactly what moved at each change', () => {
    const ids = ['a', 'b', 'c', 'd'];
    const look = fc.record({
      members: fc.subarray(ids, { minLength: 1 }),
      down: fc.subarray(ids.slice(1), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 6 }), (looks) => {
        const node = new Node(ringOf(...ids));
        const living = () => CHANNELS.map((channel) => node.placement.of(channel));
        for (const { members, down } of looks) {
          const before = living();
          const admitted = before.every(({ kind }) => kind !== 'nowhere');
          const { moved } = node.hear(
            ringOf(...members),
            members.filter((id) => !down.includes(id)),
          );
          for (const [i, after] of living().entries()) {
            const range = moved.find(keyPoint(CHANNELS[i] as string));
            const was = before[i];
            if (!admitted || after.kind === 'nowhere' || was === undefined) continue;
            const from = was.kind === 'peer' ? was.member.id : 'a';
            const to = after.kind === 'peer' ? after.member.id : 'a';
            expect(range === undefined).toBe(from === to);
            if (range) expect([range.from?.id, range.to?.id]).toEqual([from, to]);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('the tenures of a home', () => {
  it('give a channel one epoch for as long as its home stays, and never the same one again', () => {
    const ids = ['a', 'b', 'c'];
    const look = fc.record({
      members: fc.subarray(ids, { minLength: 1 }),
      down: fc.subarray(ids.slice(1), { maxLength: 1 }),
    });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 12 }), (looks) => {
        const node = new Node(ringOf(...ids));
        const tenures = new Tenures('i1', () => 0);
        const now = CHANNELS.map((channel) => node.homeOf(channel) === 'a' && tenures.epochOf(channel));
        const over = CHANNELS.map(() => new Set<string>());
        for (const { members, down } of looks) {
          const heard = members.filter((id) => !down.includes(id));
          const { moved, readmitted } = node.hear(ringOf(...members), heard);
          const before = tenures.version;
          if (readmitted) tenures.interrupted();
          else if (moved.size > 0) tenures.changed(moved, 'a');
          for (const [i, channel] of CHANNELS.entries()) {
            const was = now[i];
            const epoch = node.homeOf(channel) === 'a' && tenures.epochOf(channel);
            if (was && was !== epoch) over[i]?.add(was);
            if (epoch) expect(over[i]?.has(epoch)).toBe(false);
            if (was && epoch && was !== epoch) {
              expect(readmitted).toBe(true);
              expect(tenures.version).not.toBe(before);
            }
            now[i] = epoch;
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('tell epochs apart after more changes than are remembered', () => {
    const node = new Node(ringOf('a', 'b'));
    const tenures = new Tenures('i1', () => 0);
    const channel = CHANNELS.find((name) => node.homeOf(name) === 'b') as string;
    const seen = new Set<string>();
    for (let i = 0; i < 200; i++) {
      tenures.changed(node.hear(ringOf('a'), ['a']).moved, 'a');
      const epoch = tenures.epochOf(channel);
      expect(seen.has(epoch)).toBe(false);
      seen.add(epoch);
      tenures.changed(node.hear(ringOf('a', 'b'), ['a', 'b']).moved, 'a');
    }
  });
});
