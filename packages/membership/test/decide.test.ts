import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONSUL_TIMINGS } from '../src/consul/consul-options.ts';
import {
  type Answer,
  type Decision,
  NOTHING_SEEN,
  type Seen,
  takeAnswer,
  takeWord,
  type View,
} from '../src/decide.ts';
import type { MemberState } from '../src/index.ts';
import { member } from './support/members.ts';

const RULES = CONSUL_TIMINGS;

/** `a up` `b@2 critical` … : id, start, state. */
function answer(index: number, ...seen: string[]): Answer {
  const members = new Map<string, Seen>();
  for (const text of seen) {
    const [name = '', state = 'up'] = text.split(' ');
    const [id = '', start = '1'] = name.split('@');
    members.set(id, { member: member(id, { incarnation: start }), state: state as MemberState });
  }
  return { index: BigInt(index), authoritative: true, resumed: false, members };
}

function leaderless(given: Answer): Answer {
  return { ...given, authoritative: false };
}

function ring(view: View): string[] {
  return [...view.entries.values()]
    .filter(({ state }) => state === 'up')
    .map(({ id }) => id)
    .sort();
}

/** Feeds answers at their times, from a first one at 0. */
function play(...steps: readonly (readonly [number, Answer])[]): Decision {
  let decision: Decision | undefined;
  for (const [now, given] of steps) decision = takeAnswer(decision?.view ?? NOTHING_SEEN, given, now, RULES);
  if (decision === undefined) throw new Error('no steps');
  return decision;
}

describe('departures', () => {
  test('the first answer is taken as it is, even an empty one', () => {
    const first = play([0, answer(1)]);
    expect(first.changed).toBe(true);
    expect(first.view.entries.size).toBe(0);
    expect(ring(play([0, answer(1, 'a', 'b critical', 'c leaving')]).view)).toEqual(['a']);
  });

  test('an answer that says the same changes nothing', () => {
    expect(play([0, answer(1, 'a', 'b')], [1, answer(2, 'b', 'a')]).changed).toBe(false);
  });

  test('absence and maintenance act at once', () => {
    expect(ring(play([0, answer(1, 'a', 'b', 'c')], [1, answer(2, 'a', 'b')]).view)).toEqual(['a', 'b']);
    expect(ring(play([0, answer(1, 'a', 'b', 'c')], [1, answer(2, 'a', 'b', 'c leaving')]).view)).toEqual([
      'a',
      'b',
    ]);
  });

  test('critical must last, and is decided by an answer read after that', () => {
    const start = [0, answer(1, 'a', 'b', 'c')] as const;
    const ill = answer(2, 'a', 'b', 'c critical');
    const doubted = play(start, [1_000, ill]);
    expect(ring(doubted.view)).toEqual(['a', 'b', 'c']);
    expect(doubted.rereadAt).toBe(3_500);
    expect(ring(play(start, [1_000, ill], [3_499, ill]).view)).toEqual(['a', 'b', 'c']);
    expect(ring(play(start, [1_000, ill], [3_500, ill]).view)).toEqual(['a', 'b']);
    const healed = answer(3, 'a', 'b', 'c');
    expect(ring(play(start, [1_000, ill], [1_800, healed], [4_000, ill]).view)).toEqual(['a', 'b', 'c']);
  });

  test('a new start that is still critical from before the restart begins its own time', () => {
    const decision = play(
      [0, answer(1, 'a', 'b')],
      [1_000, answer(2, 'a', 'b critical')],
      [3_000, answer(3, 'a', 'b@2 critical')],
      [3_900, answer(4, 'a', 'b@2 critical')],
    );
    expect(ring(decision.view)).toEqual(['a', 'b']);
    expect(decision.view.entries.get('b')?.incarnation).toBe('2');
  });

  test('one that never was in the ring is not taken in while critical', () => {
    expect(ring(play([0, answer(1, 'a')], [1, answer(2, 'a', 'b critical')]).view)).toEqual(['a']);
  });

  test('the ring is never emptied, and the kept go as soon as there is another', () => {
    const alone = play([0, answer(1, 'a')], [1, answer(2)]);
    expect(ring(alone.view)).toEqual(['a']);
    expect(alone.kept).toEqual(['a']);
    expect(ring(play([0, answer(1, 'a')], [1, answer(2)], [9, answer(3, 'b')]).view)).toEqual(['b']);
    const left = play([0, answer(1, 'a', 'b')], [1, answer(2, 'a leaving', 'b leaving')], [2, answer(3)]);
    expect(ring(left.view)).toEqual(['a', 'b']);
    expect(ring(takeAnswer(left.view, answer(4, 'c'), 3, RULES).view)).toEqual(['c']);
  });
});

describe('mass loss', () => {
  const four = [0, answer(1, 'a', 'b', 'c', 'd')] as const;

  test('three of four gone at once are held for 15 s, then given up', () => {
    const one = answer(2, 'a');
    const held = play(four, [1_000, one]);
    expect(ring(held.view)).toEqual(['a', 'b', 'c', 'd']);
    expect(held.held).toEqual(['b', 'c', 'd']);
    expect(held.rereadAt).toBe(16_000);
    expect(ring(play(four, [1_000, one], [15_999, one]).view)).toHaveLength(4);
    expect(ring(play(four, [1_000, one], [16_000, one]).view)).toEqual(['a']);
  });

  test('whoever comes back meanwhile stays, and the hold ends with the doubt', () => {
    const back = play(four, [1_000, answer(2, 'a')], [5_000, answer(3, 'a', 'b', 'c')]);
    expect(ring(back.view)).toEqual(['a', 'b', 'c', 'd']);
    // The last to come back is not dropped for being the last.
    expect(back.held).toEqual(['d']);
    expect(takeAnswer(back.view, answer(4, 'a', 'b', 'c', 'd'), 6_000, RULES).held).toEqual([]);
    expect(ring(takeAnswer(back.view, answer(3, 'a', 'b', 'c'), 16_000, RULES).view)).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  test('one that flaps beside one that dies does not keep the dead', () => {
    const both = answer(2, 'a', 'b', 'c critical', 'd critical');
    const one = answer(3, 'a', 'b', 'c', 'd critical');
    expect(ring(play(four, [1_000, both], [1_800, one], [3_500, one]).view)).toEqual(['a', 'b', 'c']);
  });

  test('losses one after the other within the window count as one', () => {
    const decision = play(
      four,
      [1_000, answer(2, 'a', 'b', 'c')],
      [1_100, answer(3, 'a', 'b')],
      [1_200, answer(4, 'a')],
    );
    expect(ring(decision.view)).toEqual(['a', 'b', 'c']);
    expect(decision.held).toEqual(['b', 'c']);
  });

  test('critical ones count from the moment they turn critical', () => {
    const decision = play(
      four,
      [1_000, answer(2, 'a', 'b', 'c', 'd critical')],
      [1_900, answer(3, 'a', 'b critical', 'c critical', 'd critical')],
      [3_500, answer(3, 'a', 'b critical', 'c critical', 'd critical')],
    );
    expect(ring(decision.view)).toHaveLength(4);
    expect(decision.held).toEqual(['d']);
  });

  test('a third of the ring is no mass loss', () => {
    const six = answer(1, 'a', 'b', 'c', 'd', 'e', 'f');
    expect(ring(play([0, six], [1, answer(2, 'a', 'b', 'c', 'd')]).view)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('leaving, said by the nodes, is exempt: as maintenance, as absence after it, and as a word', () => {
    expect(ring(play(four, [1, answer(2, 'a', 'b leaving', 'c leaving', 'd leaving')]).view)).toEqual(['a']);
    const words = ['b', 'c', 'd'].reduce((view, id) => takeWord(view, id, '1').view, play(four).view);
    expect(ring(words)).toEqual(['a']);
    const gone = takeAnswer(words, answer(2, 'a'), 1, RULES);
    expect(ring(gone.view)).toEqual(['a']);
    expect(gone.held).toEqual([]);
  });
});

describe('a registry that started over', () => {
  const three = [0, answer(50, 'a', 'b', 'c')] as const;

  test('whoever is not registered again yet is kept for 15 s, be it one alone', () => {
    for (const given of [answer(9, 'a', 'b'), { ...answer(60, 'a', 'b'), resumed: true }]) {
      const held = play(three, [1_000, given]);
      expect(ring(held.view)).toEqual(['a', 'b', 'c']);
      expect(held.rereadAt).toBe(16_000);
      expect(ring(play(three, [1_000, given], [2_000, answer(61, 'a', 'b')]).view)).toEqual(['a', 'b', 'c']);
      expect(ring(play(three, [1_000, given], [16_000, answer(61, 'a', 'b')]).view)).toEqual(['a', 'b']);
    }
  });

  test('who had said it was leaving is not kept', () => {
    const left = play(
      three,
      [1, answer(51, 'a', 'b', 'c leaving')],
      [2, { ...answer(9, 'a', 'b'), resumed: true }],
    );
    expect([...left.view.entries.keys()].sort()).toEqual(['a', 'b']);
  });
});

describe('without authority', () => {
  test('an answer adds and renews, it takes nothing away', () => {
    const decision = play([0, answer(5, 'a', 'b')], [9_000, leaderless(answer(6, 'a@2', 'c'))]);
    expect(ring(decision.view)).toEqual(['a', 'b', 'c']);
    expect(decision.view.entries.get('a')?.incarnation).toBe('2');
    const held = play(
      [0, answer(5, 'a', 'b')],
      [1, answer(6, 'a', 'b critical')],
      [9_000, leaderless(answer(6, 'a', 'b critical'))],
    );
    expect(ring(held.view)).toEqual(['a', 'b']);
  });

  test('an answer from before what is known is not used', () => {
    expect(ring(play([0, answer(5, 'a')], [1, leaderless(answer(4, 'a', 'old'))]).view)).toEqual(['a']);
  });

  test('the first answer is used for want of a better one', () => {
    expect(ring(play([0, leaderless(answer(5, 'a'))]).view)).toEqual(['a']);
  });
});

describe('a word', () => {
  test('counts for its own start alone', () => {
    const view = play([0, answer(1, 'a', 'b')]).view;
    expect(takeWord(view, 'b', 'other').changed).toBe(false);
    const said = takeWord(view, 'b', '1').view;
    expect(ring(said)).toEqual(['a']);
    expect(ring(takeAnswer(said, answer(2, 'a', 'b'), 1, RULES).view)).toEqual(['a']);
    expect(ring(takeAnswer(said, answer(2, 'a', 'b@2'), 1, RULES).view)).toEqual(['a', 'b']);
  });

  test('ends when maintenance was seen on and off', () => {
    const said = takeWord(play([0, answer(1, 'a', 'b')]).view, 'b', '1').view;
    const inMaintenance = takeAnswer(said, answer(2, 'a', 'b leaving'), 1, RULES).view;
    expect(ring(takeAnswer(inMaintenance, answer(3, 'a', 'b'), 2, RULES).view)).toEqual(['a', 'b']);
  });

  test('of the last one does not empty the ring', () => {
    expect(ring(takeWord(play([0, answer(1, 'a')]).view, 'a', '1').view)).toEqual(['a']);
  });
});

describe('properties', () => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const state = fc.constantFrom<MemberState | 'absent'>('up', 'up', 'up', 'critical', 'leaving', 'absent');
  const step = fc.record({
    states: fc.array(state, { minLength: ids.length, maxLength: ids.length }),
    starts: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: ids.length, maxLength: ids.length }),
    authoritative: fc.boolean(),
    resumed: fc.boolean(),
    after: fc.integer({ min: 1, max: 6_000 }),
    word: fc.option(fc.constantFrom(...ids), { nil: undefined, freq: 8 }),
  });
  type Step = {
    states: (MemberState | 'absent')[];
    starts: number[];
    authoritative: boolean;
    resumed: boolean;
    after: number;
    word: string | undefined;
  };

  function toAnswer(index: number, { states, starts, authoritative, resumed }: Step): Answer {
    const texts = states.flatMap((one, i) => (one === 'absent' ? [] : [`${ids[i]}@${starts[i]} ${one}`]));
    return { ...answer(index, ...texts), authoritative, resumed };
  }

  /** Runs the steps; `check` sees each transition. */
  function run(
    steps: readonly Step[],
    check: (before: View, after: Decision, given: Answer, now: number) => void,
  ): View {
    let view = NOTHING_SEEN;
    let now = 0;
    steps.forEach((one, i) => {
      now += one.after;
      const given = toAnswer(i + 1, one);
      const decision = takeAnswer(view, given, now, RULES);
      check(view, decision, given, now);
      view = decision.view;
      const entry = one.word === undefined ? undefined : view.entries.get(one.word);
      if (entry !== undefined) view = takeWord(view, entry.id, entry.incarnation).view;
    });
    return view;
  }

  test('the ring is never emptied once it had a member', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        run(steps, (before, after) => {
          if (ring(before).length > 0) expect(ring(after.view).length).toBeGreaterThan(0);
        });
      }),
      { numRuns: 300 },
    );
  });

  test('without authority nobody leaves the ring, and who is up is in it', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 25 }), (steps) => {
        run(steps, (before, after, given) => {
          if (given.authoritative || before.index === undefined) return;
          for (const id of ring(before)) expect(ring(after.view)).toContain(id);
        });
      }),
      { numRuns: 300 },
    );
  });

  test('never more than one, or a third, leaves unannounced in one step before 15 s of doubt', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 25 }), (steps) => {
        const doubtedSince = new Map<string, number>();
        run(steps, (before, after, given, now) => {
          const size = ring(before).length;
          for (const id of ids) {
            const seen = given.members.get(id);
            if (!given.authoritative) continue;
            if (seen?.state === 'up' || seen?.state === 'leaving') doubtedSince.delete(id);
            else if (!doubtedSince.has(id)) doubtedSince.set(id, now);
          }
          const gone = ring(before).filter((id) => {
            if (ring(after.view).includes(id)) return false;
            const incarnation = before.entries.get(id)?.incarnation;
            const announced = before.word.get(id) === incarnation || before.announced.get(id) === incarnation;
            const leaving =
              given.members.get(id)?.state === 'leaving' || after.view.entries.get(id)?.state === 'leaving';
            return !announced && !leaving && now - (doubtedSince.get(id) ?? now) < RULES.massLossHoldMs;
          });
          if (before.index !== undefined && gone.length > 1)
            expect(gone.length / size).toBeLessThanOrEqual(0.34);
        });
      }),
      { numRuns: 500 },
    );
  });

  test('whatever came before, the truth is shown once it has stood for as long as the longest hold', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), step, (steps, last) => {
        const truth = { ...last, authoritative: true, word: undefined };
        let view = run(steps, () => {});
        const given = toAnswer(100, truth);
        const expected = [...given.members].filter(([, seen]) => seen.state === 'up').map(([id]) => id);
        // Words of this start may still keep someone out: they are no part of this property.
        view = { ...view, word: new Map() };
        for (const now of [1_000_000, 1_020_000, 1_040_000]) view = takeAnswer(view, given, now, RULES).view;
        if (expected.length > 0) expect(ring(view)).toEqual(expected.sort());
      }),
      { numRuns: 500 },
    );
  });

  test('a hold is always followed up: what is kept against the answer has a time to read again, or a reason', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 25 }), (steps) => {
        run(steps, (_, after, given, now) => {
          if (!given.authoritative) return;
          const against = ring(after.view).filter((id) => given.members.get(id)?.state !== 'up');
          if (against.length > 0 && after.kept.length === 0) expect(after.rereadAt).toBeGreaterThan(now);
        });
      }),
      { numRuns: 300 },
    );
  });
});
