import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PingWheel } from '../src/session/ping-wheel.ts';
import type { Session } from '../src/session/session.ts';
import { SocketBench, type SocketPair } from './support/sessions.ts';

const INTERVAL = 10_000;
const TIMEOUT = 4_000;

describe('the ping wheel', () => {
  let bench: SocketBench;
  let pair: SocketPair;
  let wheel: PingWheel;
  let silent: string[];
  let random: () => number;
  beforeAll(async () => {
    bench = await SocketBench.start();
    pair = await bench.pair();
  });
  afterAll(() => bench[Symbol.asyncDispose]());
  beforeEach(() => {
    vi.useFakeTimers();
    silent = [];
    random = Math.random;
    wheel = new PingWheel({
      intervalMs: INTERVAL,
      timeoutMs: TIMEOUT,
      random: () => random(),
      onSilent: (session) => {
        silent.push(session.id);
        wheel.remove(session);
      },
    });
    wheel.start();
  });
  afterEach(() => {
    wheel.stop();
    vi.useRealTimers();
  });

  /** A welcomed session that counts its pings, and answers them as long as it lives. */
  function joined(): { session: Session; pings: number[]; lives: boolean } {
    const stream = new PassThrough();
    const session = bench.sessionOn({ socket: pair.socket, stream });
    session.state = 'open';
    session.heardTick = wheel.tick;
    const state = { session, pings: [] as number[], lives: true };
    const { ping } = session;
    session.ping = () => {
      ping.call(session);
      state.pings.push(Date.now());
      if (state.lives) session.heardTick = wheel.tick;
    };
    wheel.add(session);
    return state;
  }

  it('pings each session once an interval', () => {
    const sessions = Array.from({ length: 50 }, joined);
    vi.advanceTimersByTime(5 * INTERVAL);
    for (const { pings } of sessions) {
      expect(pings).toHaveLength(5);
      for (let i = 1; i < 5; i++) expect((pings[i] ?? 0) - (pings[i - 1] ?? 0)).toBe(INTERVAL);
    }
    expect(silent).toEqual([]);
  });

  it('pings those that came at once at moments of their own, over the whole interval', () => {
    let n = 0;
    random = () => (n++ % 100) / 100;
    const sessions = Array.from({ length: 100 }, joined);
    const began = Date.now();
    vi.advanceTimersByTime(INTERVAL);
    const firsts = sessions.map(({ pings }) => (pings[0] ?? 0) - began);
    expect(Math.min(...firsts)).toBeLessThan(INTERVAL / 10);
    expect(Math.max(...firsts)).toBeGreaterThan((INTERVAL * 8) / 10);
    const counts = new Map<number, number>();
    for (const at of firsts) counts.set(at, (counts.get(at) ?? 0) + 1);
    expect(Math.max(...counts.values())).toBeLessThanOrEqual(10);
  });

  it('gives up who is silent after a ping, a timeout later, and nobody else', () => {
    const [quiet, lively] = [joined(), joined()];
    quiet.lives = false;
    let givenUpAt = 0;
    for (let i = 0; i < (2 * INTERVAL) / 100 && givenUpAt === 0; i++) {
      vi.advanceTimersByTime(100);
      if (silent.length > 0) givenUpAt = Date.now();
    }
    expect(silent).toEqual([quiet.session.id]);
    const waited = givenUpAt - (quiet.pings[0] ?? 0);
    expect(waited).toBeGreaterThanOrEqual(TIMEOUT - 200);
    expect(waited).toBeLessThanOrEqual(TIMEOUT + 300);
    vi.advanceTimersByTime(3 * INTERVAL);
    expect(silent).toEqual([quiet.session.id]);
    expect(lively.pings.length).toBeGreaterThanOrEqual(3);
    expect(quiet.pings).toHaveLength(1);
  });

  it('takes any word for an answer', () => {
    const talker = joined();
    talker.lives = false;
    for (let i = 0; i < 30; i++) {
      vi.advanceTimersByTime(INTERVAL / 10);
      talker.session.heardTick = wheel.tick;
    }
    expect(silent).toEqual([]);
  });

  it('does not ping who was taken out', () => {
    const gone = joined();
    wheel.remove(gone.session);
    vi.advanceTimersByTime(3 * INTERVAL);
    expect(gone.pings).toEqual([]);
    expect(silent).toEqual([]);
  });
});
