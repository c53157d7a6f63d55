import { describe, expect, it } from 'vitest';
import { checkRun } from './check/check.ts';
import type { CheckRules, FlawKind } from './check/flaw.ts';
import type { Place, PublishRecord, RunRecord, SessionRecord, Sight } from './record.ts';

const RULES: CheckRules = { gaps: 'told', homes: true };
const ROOM = 'group:room';

/** `a:3` */
function place(text: string): Place {
  const [epoch = '', seq] = text.split(':');
  return { epoch, seq: Number(seq) };
}

function confirmed(n: number, at: string, more: Partial<PublishRecord> = {}): PublishRecord {
  return {
    id: `alice.${n}`,
    from: 'user:alice',
    channel: ROOM,
    n,
    sentAt: n * 1_000,
    answeredAt: n * 1_000 + 10,
    outcome: 'confirmed',
    position: place(at),
    ...more,
  };
}

function joined(at: string, time = 0): Sight {
  return { kind: 'subscribed', at: time, channel: ROOM, position: place(at) };
}

function got(n: number, at: string, more: Partial<Extract<Sight, { kind: 'message' }>> = {}): Sight {
  const common = { at: n * 1_000 + 5, channel: ROOM, id: `alice.${n}`, from: 'user:alice' };
  return { kind: 'message', ...common, position: place(at), ...more };
}

function gap(after: string, upTo: string, at: number): Sight {
  return { kind: 'gap', at, channel: ROOM, after: place(after), upTo: place(upTo) };
}

function session(name: string, ...sights: Sight[]): SessionRecord {
  return { name, userId: name, sights };
}

function run(publishes: PublishRecord[], ...sessions: SessionRecord[]): RunRecord {
  return { publishes, sessions, standings: [], holdings: [] };
}

function kinds(record: RunRecord, rules: Partial<CheckRules> = {}): FlawKind[] {
  return checkRun(record, { ...RULES, ...rules }).map(({ kind }) => kind);
}

const three = [confirmed(1, 'a:1'), confirmed(2, 'a:2'), confirmed(3, 'a:3')];

describe('the checker', () => {
  it('finds nothing wrong where everything came once and in order', () => {
    const record = run(three, session('bob', joined('a:0'), got(1, 'a:1'), got(2, 'a:2'), got(3, 'a:3')));
    expect(kinds(record, { gaps: 'none' })).toEqual([]);
  });

  it('finds what was lost', () => {
    const record = run(three, session('bob', joined('a:0'), got(1, 'a:1'), got(3, 'a:3')));
    expect(kinds(record)).toEqual(['lost']);
  });

  it('finds what was lost at the end', () => {
    expect(kinds(run(three, session('bob', joined('a:0'), got(1, 'a:1'), got(2, 'a:2'))))).toEqual(['lost']);
  });

  it('finds what was lost for one of several', () => {
    const all = [joined('a:0'), got(1, 'a:1'), got(2, 'a:2'), got(3, 'a:3')];
    const record = run(three, session('bob', ...all), session('carol', ...all.slice(0, 3)));
    expect(checkRun(record, RULES).map(({ text }) => text)).toEqual([
      expect.stringContaining('carol never got alice.3'),
    ]);
  });

  it('expects nothing that was not confirmed', () => {
    const others = (['refused', 'unknown'] as const).map((outcome, i) => ({
      ...confirmed(4 + i, 'a:9'),
      outcome,
    }));
    const record = run(
      [...three, ...others],
      session('bob', joined('a:0'), got(1, 'a:1'), got(2, 'a:2'), got(3, 'a:3')),
    );
    expect(kinds(record)).toEqual([]);
  });

  it('finds a publish that nobody ever answered', () => {
    const { answeredAt: _, position: __, ...asked } = confirmed(1, 'a:1');
    expect(kinds(run([{ ...asked, outcome: 'pending' }]))).toEqual(['unanswered']);
  });

  it('expects nothing from before a session was in the channel, nor from after it had left', () => {
    const left: Sight = { kind: 'left', at: 2_500, channel: ROOM };
    expect(kinds(run(three, session('bob', joined('a:1', 1_500), got(2, 'a:2'), left)))).toEqual([]);
    // of another epoch than the one at which it came in: told by time
    expect(kinds(run(three, session('bob', joined('b:0', 2_500), got(3, 'a:3'))))).toEqual([]);
    expect(kinds(run(three, session('bob', joined('b:0', 2_500))))).toEqual(['lost']);
  });

  it('expects of who left what lies before something that it got, for it may not have caught up', () => {
    const left: Sight = { kind: 'left', at: 9_000, channel: ROOM };
    expect(kinds(run(three, session('bob', joined('a:0'), got(1, 'a:1'), left)))).toEqual([]);
    expect(kinds(run(three, session('bob', joined('a:0'), got(1, 'a:1'), got(3, 'a:3'), left)))).toEqual([
      'lost',
    ]);
  });

  it('finds what was doubled', () => {
    const twice = session('bob', joined('a:0'), got(1, 'a:1'), got(2, 'a:2'), got(3, 'a:3'), got(2, 'b:1'));
    expect(kinds(run(three, twice))).toContain('doubled');
  });

  it('counts what a gap tells of as told, in each way in which a gap can', () => {
    const rest = [got(2, 'a:2'), got(3, 'a:3')];
    expect(kinds(run(three, session('bob', joined('a:0'), gap('a:0', 'a:1', 1_500), ...rest)))).toEqual([]);
    // the rest of an epoch, the beginning of another, and a whole one in between
    const away = [confirmed(1, 'a:1'), confirmed(2, 'b:1'), confirmed(3, 'c:1'), confirmed(4, 'c:2')];
    const back = session('bob', joined('a:0'), gap('a:0', 'c:1', 3_500), got(4, 'c:2'));
    expect(kinds(run(away, back))).toEqual([]);
  });

  it('finds what a gap does not tell of', () => {
    const around = session('bob', joined('a:0'), gap('a:0', 'a:1', 1_500), got(3, 'a:3'));
    expect(kinds(run(three, around))).toEqual(['lost']);
    // behind the gap, in the epoch where it ends
    const behind = [confirmed(1, 'b:1'), confirmed(2, 'b:2')];
    expect(kinds(run(behind, session('bob', joined('a:0'), gap('a:0', 'b:1', 1_500))))).toEqual(['lost']);
    // it went by while the session still heard the epoch before, which a later gap does not excuse
    const unheard = [confirmed(1, 'x:1'), confirmed(5, 'a:1'), confirmed(6, 'b:1')];
    const late = session('bob', joined('a:0'), got(5, 'a:1'), gap('a:1', 'b:0', 5_500), got(6, 'b:1'));
    expect(kinds(run(unheard, late))).toEqual(['lost']);
    // but what was said before it may come in late, where a node was frozen: then it is in between all the same
    const frozen = [confirmed(1, 'a:1'), confirmed(5, 'x:1'), confirmed(6, 'b:1')];
    const thawed = [got(1, 'a:1', { at: 5_500 }), gap('a:1', 'b:0', 5_501), got(6, 'b:1')];
    expect(kinds(run(frozen, session('bob', joined('a:0'), ...thawed)))).toEqual([]);
  });

  it('excuses nothing by a gap that was said when everything was calm', () => {
    const calm = [...three, confirmed(4, 'a:4', { calm: true })];
    const bob = session('bob', joined('a:0'), got(1, 'a:1'), got(2, 'a:2'), got(3, 'a:3'));
    bob.sights.push(gap('a:3', 'a:4', 4_500));
    expect(kinds(run(calm, bob))).toEqual(['lost']);
  });

  it('finds a gap where none may be', () => {
    const record = run(three, session('bob', joined('a:0'), gap('a:0', 'a:3', 3_500)));
    expect(kinds(record)).toEqual([]);
    expect(kinds(record, { gaps: 'none' })).toEqual(['gap']);
  });

  it('finds disorder within an epoch', () => {
    const record = run(three, session('bob', joined('a:0'), got(2, 'a:2'), got(1, 'a:1'), got(3, 'a:3')));
    expect(kinds(record)).toContain('disordered');
  });

  it('finds two sessions that disagree, even where each is in order by itself', () => {
    const carol = confirmed(2, 'b:1', { from: 'user:carol', id: 'carol.2' });
    const gotCarol = got(2, 'b:1', { from: 'user:carol', id: 'carol.2' });
    const record = run(
      [confirmed(1, 'a:1'), carol],
      session('bob', joined('a:0'), got(1, 'a:1'), gotCarol),
      session('dave', joined('a:0'), gotCarol, got(1, 'a:1')),
    );
    expect(kinds(record)).toEqual(['disordered']);
  });

  it('finds a sender whose words were turned round, but not where one of them was refused in between', () => {
    const turned = [confirmed(1, 'a:2'), confirmed(2, 'a:1')];
    const bob = session('bob', joined('a:0'), got(2, 'a:1'), got(1, 'a:2'));
    expect(kinds(run(turned, bob))).toEqual(['sender-order']);
    expect(kinds(run([{ ...confirmed(1, 'a:2'), refusedOnce: true }, confirmed(2, 'a:1')], bob))).toEqual([]);
  });

  it('finds a fork: two messages at one position', () => {
    const forked = [confirmed(1, 'a:1'), confirmed(2, 'a:1')];
    expect(kinds(run(forked))).toEqual(['forked']);
    const record = run(
      [confirmed(1, 'a:1')],
      session('bob', joined('a:0'), got(1, 'a:1')),
      session('carol', joined('a:0'), got(2, 'a:1'), got(1, 'a:2')),
    );
    expect(kinds(record)).toContain('forked');
  });

  it('finds a home that goes on after another has acted', () => {
    const bob = [joined('a:0'), got(1, 'a:1'), gap('a:1', 'b:1', 2_500), got(3, 'a:2')];
    const both = [confirmed(1, 'a:1'), confirmed(2, 'b:1'), confirmed(3, 'a:2')];
    expect(kinds(run(both, session('bob', ...bob)))).toEqual(['two-homes']);
    // one after the other is as it should be, and so is what was under way when they changed
    const after = [confirmed(1, 'a:1'), confirmed(2, 'a:2', { answeredAt: 3_500 }), confirmed(3, 'b:1')];
    expect(kinds(run(after))).toEqual([]);
  });

  it('finds what nobody sent, what was sent elsewhere, and what came to somebody who is not there', () => {
    const bob = [joined('a:0'), got(1, 'a:1'), got(2, 'a:2'), got(3, 'a:3')];
    expect(kinds(run(three, session('bob', ...bob, got(9, 'a:4'))))).toEqual(['stray']);
    expect(kinds(run(three, session('bob', ...bob), session('eve', got(1, 'a:1'))))).toEqual(['stray']);
    const forged = got(1, 'a:1', { from: 'user:mallory' });
    expect(kinds(run(three, session('bob', joined('a:0'), forged, ...bob.slice(2))))).toContain('stray');
  });

  it('finds who is not connected, or not at home, when things are calm', () => {
    const standings = [
      { session: 'bob', state: 'connecting', node: undefined, home: 'node-1' },
      { session: 'carol', state: 'connected', node: 'node-2', home: 'node-1' },
      { session: 'dave', state: 'connected', node: 'node-1', home: 'node-1' },
      { session: 'erin', state: 'connected', node: 'node-2', home: 'node-1', avoiding: true },
    ];
    expect(kinds({ ...run([]), standings })).toEqual(['unconnected', 'wrong-node']);
    expect(kinds({ ...run([]), standings }, { homes: false })).toEqual(['unconnected']);
  });

  it('finds what has grown beyond its allowance', () => {
    const common = { process: 'node-1', what: 'files', before: 40, allowance: 10 };
    const holdings = [
      { ...common, after: 50 },
      { ...common, after: 51 },
    ];
    expect(kinds({ ...run([]), holdings })).toEqual(['growth']);
  });
});
