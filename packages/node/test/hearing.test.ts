import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Hearing } from '../src/peers/hearing.ts';

const GRACE = 1_000;

class Clock {
  at = 0;
  readonly now = (): number => this.at;
}

function member(id: string, incarnation = 'i1'): { id: string; incarnation: string } {
  return { id, incarnation };
}

/** Members that see another ring than the node. */
const elsewhere = new Set<string>();
const agrees = (id: string): boolean => !elsewhere.has(id);
afterEach(() => elsewhere.clear());

/** A node that sees these members and hears all of them. */
function listening(ids: readonly string[], clock = new Clock()): Hearing {
  const hearing = new Hearing({ selfId: 'me', graceMs: GRACE, agrees, now: clock.now });
  hearing.setMembers(['me', ...ids].map((id) => member(id)));
  for (const id of ids) hearing.heard(id, true);
  for (const id of ids) hearing.reported(id, []);
  hearing.settle();
  return hearing;
}

describe('who is down', () => {
  it('is nobody while everyone is heard', () => {
    const hearing = listening(['a', 'b', 'c']);
    expect([...hearing.down]).toEqual([]);
    expect(hearing.unheard()).toEqual([]);
    expect(hearing.hearsHalf()).toBe(true);
  });

  it('is not decided by one broken link: those who are heard have their say', () => {
    const hearing = listening(['a', 'b']);
    hearing.heard('a', false);
    expect(hearing.settle()).toBe(false);
    expect(hearing.unheard()).toEqual(['a']);
    expect(hearing.hearerOf('a')).toBe('b');
    hearing.reported('b', ['a']);
    expect(hearing.settle()).toBe(true);
    expect([...hearing.down]).toEqual(['a']);
    expect(hearing.hearerOf('a')).toBeUndefined();
    hearing.reported('b', []);
    expect(hearing.settle()).toBe(true);
    expect([...hearing.down]).toEqual([]);
  });

  it('is not decided by the word of who is not heard', () => {
    const hearing = listening(['a', 'b']);
    hearing.heard('b', false);
    hearing.heard('a', false);
    hearing.reported('b', []);
    hearing.settle();
    expect([...hearing.down].sort()).toEqual(['a', 'b']);
  });

  it('waits for the word of who is heard and has not spoken', () => {
    const hearing = listening(['a', 'b']);
    hearing.heard('b', false);
    hearing.heard('b', true);
    hearing.heard('a', false);
    hearing.settle();
    expect([...hearing.down]).toEqual([]);
    // but nothing is sent through who has not said that it hears the other
    expect(hearing.hearerOf('a')).toBeUndefined();
    hearing.reported('b', ['a']);
    hearing.settle();
    expect([...hearing.down]).toEqual(['a']);
  });

  it('gives who was never heard its time, and who was heard once none', () => {
    const clock = new Clock();
    const hearing = new Hearing({ selfId: 'me', graceMs: GRACE, agrees, now: clock.now });
    hearing.setMembers([member('a'), member('b')]);
    hearing.settle();
    expect([...hearing.down]).toEqual([]);
    hearing.heard('a', true);
    hearing.reported('a', ['b']);
    hearing.heard('a', false);
    hearing.settle();
    expect([...hearing.down]).toEqual(['a']);
    clock.at += GRACE;
    expect(hearing.settle()).toBe(true);
    expect([...hearing.down].sort()).toEqual(['a', 'b']);
  });

  it('starts anew with a new start of a member, and keeps what it knew of the others', () => {
    const clock = new Clock();
    const hearing = listening(['a', 'b'], clock);
    hearing.heard('a', false);
    hearing.reported('b', ['a']);
    hearing.settle();
    expect([...hearing.down]).toEqual(['a']);
    hearing.setMembers([member('me'), member('a', 'i2'), member('b')]);
    expect(hearing.settle()).toBe(true);
    expect([...hearing.down]).toEqual([]);
    expect(hearing.hears('b')).toBe(true);
    clock.at += GRACE;
    hearing.settle();
    expect([...hearing.down]).toEqual(['a']);
  });

  it('is never who left the ring, and never this node', () => {
    const hearing = listening(['a', 'b']);
    hearing.heard('a', false);
    hearing.reported('b', ['a', 'me']);
    hearing.settle();
    hearing.setMembers([member('me'), member('b')]);
    expect(hearing.settle()).toBe(true);
    expect([...hearing.down]).toEqual([]);
    // a word of and on strangers changes nothing
    hearing.reported('a', ['b']);
    hearing.heard('a', true);
    expect(hearing.settle()).toBe(false);
  });

  it('tells of a change once', () => {
    const hearing = listening(['a', 'b', 'c']);
    hearing.heard('a', false);
    hearing.reported('b', ['a']);
    hearing.reported('c', ['a']);
    expect(hearing.settle()).toBe(true);
    expect(hearing.settle()).toBe(false);
  });

  it('lets a node begin to act once everyone whom it hears hears it, or has had the time to', () => {
    const clock = new Clock();
    const hearing = listening(['a', 'b', 'c'], clock);
    for (const id of ['a', 'b', 'c']) hearing.heard(id, false);
    hearing.settle();
    expect(hearing.mayBegin()).toBe(false);
    clock.at = 10_000;
    for (const id of ['a', 'b']) hearing.heard(id, true);
    hearing.reported('a', []);
    hearing.reported('b', ['me']);
    hearing.settle();
    expect(hearing.hearsHalf()).toBe(true);
    // b may be acting in its place
    expect(hearing.mayBegin()).toBe(false);
    hearing.reported('b', []);
    elsewhere.add('b');
    hearing.settle();
    expect(hearing.mayBegin()).toBe(false);
    elsewhere.delete('b');
    expect(hearing.settle()).toBe(true);
    expect(hearing.mayBegin()).toBe(true);
    hearing.reported('b', ['me']);
    expect(hearing.settle()).toBe(true);
    clock.at += GRACE;
    expect(hearing.settle()).toBe(true);
    expect(hearing.mayBegin()).toBe(true);
  });

  it('tells when half of the ring is heard no longer, and when it is again', () => {
    const hearing = listening(['a', 'b']);
    // somebody heard a moment ago still hears them: nobody is down
    hearing.heard('a', false);
    hearing.settle();
    hearing.reported('b', []);
    expect(hearing.hearsHalf()).toBe(true);
    hearing.heard('b', false);
    expect(hearing.settle()).toBe(true);
    expect(hearing.hearsHalf()).toBe(false);
    hearing.heard('b', true);
    // heard again, but does it hear this node? Until it says so, others may act in this node's place
    expect(hearing.hearsHalf()).toBe(false);
    hearing.reported('b', ['me']);
    expect(hearing.hearsHalf()).toBe(false);
    hearing.reported('b', []);
    expect(hearing.settle()).toBe(true);
    expect(hearing.hearsHalf()).toBe(true);
  });
});

describe('rule 1, whatever is heard and said', () => {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  const id = fc.constantFrom(...ids);
  const step = fc.oneof(
    fc.record({ do: fc.constant('heard' as const), id, hears: fc.boolean() }),
    fc.record({ do: fc.constant('reported' as const), id, unheard: fc.subarray(['me', ...ids]) }),
    fc.record({
      do: fc.constant('members' as const),
      members: fc.array(fc.record({ id, incarnation: fc.constantFrom('i1', 'i2') }), { maxLength: 5 }),
    }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.nat(1_500) }),
  );

  interface Known {
    readonly incarnation: string;
    readonly since: number;
    hears: boolean;
    ever: boolean;
    says: string[] | undefined;
  }

  it('down is exactly who neither I nor anyone I hear hears', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new Clock();
        const hearing = new Hearing({ selfId: 'me', graceMs: GRACE, agrees, now: clock.now });
        const model = new Map<string, Known>();
        for (const one of steps) {
          if (one.do === 'pass') clock.at += one.ms;
          else if (one.do === 'heard') {
            hearing.heard(one.id, one.hears);
            const known = model.get(one.id);
            if (known) {
              known.hears = one.hears;
              known.ever ||= one.hears;
              if (!one.hears) known.says = undefined;
            }
          } else if (one.do === 'reported') {
            hearing.reported(one.id, one.unheard);
            const known = model.get(one.id);
            if (known) known.says = one.unheard;
          } else {
            const members = [...new Map(one.members.map((m) => [m.id, m])).values()];
            hearing.setMembers([member('me'), ...members]);
            for (const known of model.keys()) if (!members.some((m) => m.id === known)) model.delete(known);
            for (const { id: name, incarnation } of members) {
              if (model.get(name)?.incarnation === incarnation) continue;
              model.set(name, { incarnation, since: clock.at, hears: false, ever: false, says: undefined });
            }
          }
          const before = new Set(hearing.down);
          const changed = hearing.settle();
          const down = new Set<string>();
          for (const [name, known] of model) {
            const inGrace = !known.ever && clock.at - known.since < GRACE;
            const others = [...model].filter(([other, { hears }]) => other !== name && hears);
            const heardByOther = others.some(([, { says }]) => !says?.includes(name));
            if (!known.hears && !inGrace && !heardByOther) down.add(name);
          }
          expect(new Set(hearing.down)).toEqual(down);
          if (down.size !== before.size || [...down].some((name) => !before.has(name)))
            expect(changed).toBe(true);
          const mutual = ({ hears, says }: Known) => hears && says?.includes('me') === false;
          const heard = [...model.values()].filter(mutual).length + 1;
          expect(hearing.hearsHalf()).toBe(heard >= (model.size + 1) / 2);
          expect(hearing.unheard()).toEqual(
            [...model]
              .filter(([, k]) => !k.hears)
              .map(([n]) => n)
              .sort(),
          );
          for (const name of ids) {
            const through = hearing.hearerOf(name);
            if (through === undefined) continue;
            expect(through).not.toBe(name);
            expect(model.get(through)).toMatchObject({ hears: true });
            expect(model.get(through)?.says).toBeDefined();
            expect(model.get(through)?.says).not.toContain(name);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
