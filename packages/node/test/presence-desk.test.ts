import type { PresenceState } from '@ringway/protocol';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Message, Outcome } from '../src/router/port.ts';
import { Announcements } from '../src/router/presence/announcements.ts';
import { Desk } from '../src/router/presence/desk.ts';

const DEBOUNCE = 5_000;
const SWEEP = 100;
const ALICE = 'user:alice';
const USERS = [ALICE, 'user:bob', 'user:carol'];

/** A desk, and who is there, with a clock that the test has in hand; sweeps come as the router makes them. */
class DeskBench {
  time = 0;
  readonly there = new Set<string>();
  readonly told: { readonly channel: string; readonly online: boolean; readonly at: number }[] = [];
  readonly desk = new Desk({
    present: (channel) => this.there.has(channel),
    debounceMs: DEBOUNCE,
    now: () => this.time,
    tell: (channel, online) => this.told.push({ channel, online, at: this.time }),
  });

  come(channel: string): void {
    this.there.add(channel);
    this.desk.touched(channel);
  }

  go(channel: string): void {
    this.there.delete(channel);
    this.desk.touched(channel);
  }

  pass(ms: number): void {
    for (const until = this.time + ms; this.time < until; ) {
      this.time = Math.min(until, this.time + SWEEP);
      this.desk.sweep();
    }
  }

  get states(): boolean[] {
    return this.told.map(({ online }) => online);
  }
}

describe('the desk of a home', () => {
  let bench: DeskBench;

  beforeEach(() => {
    bench = new DeskBench();
  });

  it('tells at once who is there and who comes, and who went after the debounce', () => {
    bench.come(ALICE);
    bench.desk.watch(ALICE);
    expect(bench.states).toEqual([true]);
    bench.go(ALICE);
    bench.pass(DEBOUNCE - SWEEP);
    expect(bench.states).toEqual([true]);
    expect(bench.desk.told(ALICE)).toBe(true);
    bench.pass(SWEEP);
    expect(bench.states).toEqual([true, false]);
    expect(bench.desk.told(ALICE)).toBe(false);
    bench.come(ALICE);
    expect(bench.states).toEqual([true, false, true]);
  });

  it('says nothing of a reconnect', () => {
    bench.come(ALICE);
    bench.desk.watch(ALICE);
    for (let i = 0; i < 5; i++) {
      bench.go(ALICE);
      bench.pass(DEBOUNCE - SWEEP);
      bench.come(ALICE);
      bench.pass(SWEEP);
    }
    bench.pass(10 * DEBOUNCE);
    expect(bench.states).toEqual([true]);
  });

  it('does not know, when a watch begins, what another home has told: it tells who comes at once, who is away later', () => {
    bench.desk.watch(ALICE);
    expect(bench.states).toEqual([]);
    expect(bench.desk.told(ALICE)).toBeUndefined();
    bench.come(ALICE);
    expect(bench.states).toEqual([true]);
    bench.desk.watch('user:bob');
    bench.pass(DEBOUNCE);
    expect(bench.told.at(-1)).toEqual({ channel: 'user:bob', online: false, at: DEBOUNCE });
  });

  it('keeps nothing of whom nobody watches', () => {
    bench.desk.watch(ALICE);
    bench.desk.unwatch(ALICE);
    bench.come(ALICE);
    bench.go(ALICE);
    bench.pass(2 * DEBOUNCE);
    expect(bench.states).toEqual([]);
    expect(bench.desk.size).toBe(0);
  });

  it('never repeats itself, never tells as gone who was back in time, and in the end tells what is', () => {
    const user = fc.constantFrom(...USERS);
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('come', 'go', 'watch', 'unwatch'), user }),
      fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 1, max: 2 * DEBOUNCE }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const run = new DeskBench();
        const watched = new Set<string>();
        /** When each was there last, and what was told of each since its watch began. */
        const lastThere = new Map<string, number>();
        const toldOf = new Map<string, boolean>();
        let read = 0;
        const judge = (): void => {
          for (const { channel, online, at } of run.told.slice(read)) {
            expect(watched).toContain(channel);
            expect(toldOf.get(channel)).not.toBe(online);
            toldOf.set(channel, online);
            expect(run.there.has(channel)).toBe(online);
            if (!online) expect(at - (lastThere.get(channel) ?? -DEBOUNCE)).toBeGreaterThanOrEqual(DEBOUNCE);
          }
          read = run.told.length;
          // whoever is there and watched has been told as that: coming waits for nothing
          for (const channel of watched) if (run.there.has(channel)) expect(toldOf.get(channel)).toBe(true);
        };
        for (const one of steps) {
          if ('ms' in one) {
            for (const until = run.time + one.ms; run.time < until; judge()) {
              for (const channel of run.there) lastThere.set(channel, run.time);
              run.pass(Math.min(SWEEP, until - run.time));
            }
            continue;
          }
          for (const channel of run.there) lastThere.set(channel, run.time);
          if (one.do === 'come') run.come(one.user);
          else if (one.do === 'go') run.go(one.user);
          else if (one.do === 'watch') {
            watched.add(one.user);
            run.desk.watch(one.user);
          } else {
            watched.delete(one.user);
            toldOf.delete(one.user);
            run.desk.unwatch(one.user);
          }
          judge();
        }
        for (const channel of run.there) lastThere.set(channel, run.time);
        run.pass(DEBOUNCE + SWEEP);
        judge();
        for (const channel of watched) {
          expect(toldOf.get(channel)).toBe(run.there.has(channel));
          expect(run.desk.told(channel)).toBe(run.there.has(channel));
        }
        expect([...run.desk.channels()].sort()).toEqual([...watched].sort());
      }),
      { numRuns: 200 },
    );
  });
});

describe('announcements', () => {
  const state = (online: boolean, since = 1): PresenceState => ({ userId: 'alice', online, since });

  it('of one user are stored in order, one at a time, until the last one is, whatever the log does', () => {
    const step = fc.oneof(
      fc.boolean().map((online) => ({ say: online })),
      fc.constantFrom<Outcome['kind']>('published', 'failed').map((kind) => ({ kind })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        let time = 0;
        let flying: { message: Message; done: (outcome: Outcome) => void } | undefined;
        const stored: PresenceState[] = [];
        let doubtful = false;
        const ids = new Map<string, string>();
        const announcements = new Announcements({
          idPrefix: 'i.',
          now: () => time,
          publish: (_channel, message, done) => {
            expect(flying).toBeUndefined();
            // one id is never used for two things: it would be a conflict
            expect(ids.get(message.id) ?? message.data).toBe(message.data);
            ids.set(message.id, message.data);
            flying = { message, done };
          },
        });
        const answer = (kind: Outcome['kind']): void => {
          const { message, done } = flying ?? {};
          flying = undefined;
          if (!message || !done) return;
          if (kind === 'failed') {
            doubtful = true;
            return done({ kind, code: 'unknown' });
          }
          const one = JSON.parse(message.data) as PresenceState;
          // what may have been stored between is not known
          if (!doubtful) expect(stored.at(-1)?.online).not.toBe(one.online);
          doubtful = false;
          stored.push(one);
          done({ kind, reached: 0, position: undefined, duplicate: false });
        };
        let last: boolean | undefined;
        for (const one of steps) {
          if ('say' in one) {
            // the desk never says the same twice
            if (one.say === last) continue;
            last = one.say;
            announcements.say('presence:user:alice', state(one.say));
          } else answer(one.kind);
          time += 1_000;
          announcements.sweep();
        }
        for (let i = 0; i < 3; i++) {
          answer('published');
          time += 1_000;
          announcements.sweep();
        }
        expect(flying).toBeUndefined();
        expect(stored.at(-1)?.online).toBe(last);
      }),
      { numRuns: 500 },
    );
  });

  it('that could not be stored are forgotten where nobody listens any more', () => {
    let time = 0;
    let tries = 0;
    const announcements = new Announcements({
      idPrefix: 'i.',
      now: () => time,
      publish: (_channel, _message, done) => {
        tries++;
        done({ kind: 'failed', code: 'unavailable' });
      },
    });
    announcements.say('presence:user:alice', state(true));
    time += 1_000;
    announcements.sweep();
    expect(tries).toBe(2);
    announcements.drop('presence:user:alice');
    time += 1_000;
    announcements.sweep();
    expect(tries).toBe(2);
  });
});
