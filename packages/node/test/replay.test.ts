import type { Position } from '@ringway/protocol';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Hub } from '../src/hub/hub.ts';
import type { Delivery, History, Router } from '../src/router/port.ts';
import { replay } from '../src/session/replay.ts';
import type { Session } from '../src/session/session.ts';
import { SocketBench, type SocketPair } from './support/sessions.ts';

const CHANNEL = 'group:g';

function at(seq: number): Position {
  return { epoch: 'e1', seq };
}

function delivery(seq: number): Delivery {
  return { from: '"user:bob"', id: `"${seq}"`, data: String(seq), position: at(seq), previous: at(seq - 1) };
}

/** A log at the end of a slow line: reads are answered when the test says so, with what the log holds then. */
class SlowLog implements Router {
  head = 0;
  kept = 0;
  readonly congested = false;
  readonly open: ((fails: boolean) => void)[] = [];

  publish(): void {}
  publishMany(): void {}
  subscribe(_channel: string, _sessions: number, answer: { accepted(start: Position): void }): void {
    answer.accepted(at(this.head));
  }
  resubscribe(): void {}
  unsubscribe(): void {}
  kick(): void {}
  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  history(_channel: string, { seq }: Position): Promise<History> {
    return this.read(() => Math.max(seq, this.kept));
  }

  recent(_channel: string, count: number): Promise<History> {
    return this.read(() => Math.max(this.head - count, this.kept));
  }

  private read(from: () => number): Promise<History> {
    return new Promise((resolve, reject) => {
      this.open.push((fails) => {
        if (fails) return reject(new Error('not now'));
        const start = from();
        const messages = Array.from({ length: Math.min(3, this.head - start) }, (_, i) =>
          delivery(start + 1 + i),
        );
        resolve({ start: at(start), messages, end: messages.at(-1)?.position ?? at(start) });
      });
    });
  }
}

describe('a replay', () => {
  let bench: SocketBench;
  let pair: SocketPair;
  beforeAll(async () => {
    bench = await SocketBench.start();
    pair = await bench.pair();
  });
  afterAll(() => bench[Symbol.asyncDispose]());
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** What the session is sent: numbers of messages, in order; a gap counts as its messages, told. */
  function recorded(session: Session): { readonly taken: number[]; gaps: number } {
    const record = { taken: [] as number[], gaps: 0 };
    session.send = (text) => {
      const frame = JSON.parse(text.slice(text.indexOf('{'))) as {
        type: string;
        data: number;
        after: Position;
        upTo: Position;
      };
      if (frame.type === 'message') record.taken.push(frame.data);
      else {
        for (let n = frame.after.seq + 1; n <= frame.upTo.seq; n++) record.taken.push(n);
        record.gaps++;
      }
    };
    return record;
  }

  it('gives each message once and in order, and rejoins the live stream without a seam', async () => {
    const step = fc.oneof(
      { arbitrary: fc.constant('publish' as const), weight: 4 },
      { arbitrary: fc.constant('answer' as const), weight: 4 },
      { arbitrary: fc.constant('together' as const), weight: 2 },
      { arbitrary: fc.constant('fail' as const), weight: 1 },
      { arbitrary: fc.constant('trim' as const), weight: 1 },
      { arbitrary: fc.constant('turn' as const), weight: 3 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat(12),
        fc.oneof(fc.record({ since: fc.nat(12) }), fc.record({ last: fc.nat(6) })),
        fc.array(step, { maxLength: 40 }),
        async (published, wanted, steps) => {
          const log = new SlowLog();
          const hub = new Hub(log, { onKick: () => {}, onRelieved: () => {} });
          const session = bench.sessionOn(pair);
          session.state = 'open';
          log.head = published;
          const channel = hub.subscribe(CHANNEL, { session, joined: () => {}, failed: () => {} });
          const record = recorded(session);
          const ends: (Position | undefined)[] = [];
          const since = 'since' in wanted ? Math.min(wanted.since, published) : undefined;
          replay(
            { router: log, hub, highWaterBytes: 1_000, attempts: 1_000 },
            session,
            channel,
            since === undefined ? (wanted as { last: number }).last : at(since),
            (position) => ends.push(position),
          );
          const publish = (): void => {
            log.head++;
            hub.deliver(CHANNEL, delivery(log.head), 'elsewhere');
          };
          for (const one of steps) {
            if (one === 'publish') publish();
            if (one === 'trim') log.kept = Math.max(log.kept, log.head - 1);
            if (one === 'answer') log.open.shift()?.(false);
            if (one === 'fail') log.open.shift()?.(true);
            // the answer and the next message in one batch: the one is looked at behind the other
            if (one === 'together') {
              log.open.shift()?.(false);
              publish();
            }
            if (one === 'turn') await vi.advanceTimersByTimeAsync(25);
          }
          for (let i = 0; i < 100 && ends.length === 0; i++) {
            log.open.shift()?.(false);
            await vi.advanceTimersByTimeAsync(300);
          }
          expect(ends).toHaveLength(1);
          publish();
          const first = since === undefined ? (record.taken[0] ?? 0) : since + 1;
          expect(record.taken).toEqual(Array.from({ length: log.head - first + 1 }, (_, i) => first + i));
          expect(session.replaying).toBeUndefined();
        },
      ),
      { numRuns: 300 },
    );
  });

  it('of which two run on one channel keeps the live stream away until both have ended', async () => {
    const log = new SlowLog();
    const hub = new Hub(log, { onKick: () => {}, onRelieved: () => {} });
    const session = bench.sessionOn(pair);
    session.state = 'open';
    log.head = 2;
    const channel = hub.subscribe(CHANNEL, { session, joined: () => {}, failed: () => {} });
    const record = recorded(session);
    let ended = 0;
    const context = { router: log, hub, highWaterBytes: 1_000, attempts: 3 };
    replay(context, session, channel, at(1), () => ended++);
    replay(context, session, channel, at(0), () => ended++);
    log.open.shift()?.(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toBe(1);
    log.head++;
    hub.deliver(CHANNEL, delivery(3), 'elsewhere');
    for (let i = 0; i < 5; i++) {
      log.open.shift()?.(false);
      await vi.advanceTimersByTimeAsync(25);
    }
    expect(ended).toBe(2);
    expect(record.taken).toEqual([2, 1, 2, 3]);
  });

  it('tells what is missing when the log never comes to where the live stream is', async () => {
    const log = new SlowLog();
    const hub = new Hub(log, { onKick: () => {}, onRelieved: () => {} });
    const session = bench.sessionOn(pair);
    session.state = 'open';
    log.head = 5;
    const channel = hub.subscribe(CHANNEL, { session, joined: () => {}, failed: () => {} });
    log.head = 2;
    const record = recorded(session);
    const ends: unknown[] = [];
    replay({ router: log, hub, highWaterBytes: 1_000, attempts: 3 }, session, channel, at(0), (end) =>
      ends.push(end),
    );
    for (let i = 0; i < 100 && ends.length === 0; i++) {
      log.open.shift()?.(false);
      await vi.advanceTimersByTimeAsync(25);
    }
    expect(ends).toEqual([at(5)]);
    expect(record).toEqual({ taken: [1, 2, 3, 4, 5], gaps: 1 });
  });

  describe('where the live stream is behind a client that was elsewhere', () => {
    async function behind(canCatchUp: boolean) {
      const log = new SlowLog();
      const hub = new Hub(log, { onKick: () => {}, onRelieved: () => {} });
      const session = bench.sessionOn(pair);
      session.state = 'open';
      log.head = 5;
      const channel = hub.subscribe(CHANNEL, { session, joined: () => {}, failed: () => {} });
      log.head = 8;
      const record = recorded(session);
      const ends: unknown[] = [];
      const told = canCatchUp ? hub : { continueFrom: () => {} };
      const context = { router: log, hub: told, highWaterBytes: 1_000, attempts: 3 };
      replay(context, session, channel, at(8), (end) => ends.push(end));
      for (let i = 0; i < 100 && (ends.length === 0 || log.open.length > 0); i++) {
        log.open.shift()?.(false);
        await vi.advanceTimersByTimeAsync(25);
      }
      expect(ends).toEqual([at(8)]);
      return { hub, channel, record };
    }

    it('has that catch up by the log', async () => {
      const { hub, channel, record } = await behind(true);
      expect(channel.position).toEqual(at(8));
      hub.deliver(CHANNEL, delivery(9), 'elsewhere');
      expect(record).toEqual({ taken: [9], gaps: 0 });
    });

    it('tells no gap that leads back', async () => {
      const { record } = await behind(false);
      expect(record).toEqual({ taken: [], gaps: 0 });
    });
  });

  it('ends with the leaving of the channel: nothing of it comes behind that', async () => {
    const log = new SlowLog();
    const hub = new Hub(log, { onKick: () => {}, onRelieved: () => {} });
    const session = bench.sessionOn(pair);
    session.state = 'open';
    log.head = 6;
    const channel = hub.subscribe(CHANNEL, { session, joined: () => {}, failed: () => {} });
    const record = recorded(session);
    let ended = 0;
    const context = { router: log, hub, highWaterBytes: 1_000, attempts: 3 };
    replay(context, session, channel, at(0), () => ended++);
    log.open.shift()?.(false);
    await vi.advanceTimersByTimeAsync(25);
    hub.unsubscribe(channel, session);
    for (let i = 0; i < 5; i++) {
      log.open.shift()?.(false);
      await vi.advanceTimersByTimeAsync(25);
    }
    expect(record).toEqual({ taken: [1, 2, 3], gaps: 0 });
    expect(ended).toBe(1);
    expect(session.replaying).toBeUndefined();
  });

  it('waits for others of its session: few pages are held for one client, however many it asks for', async () => {
    const log = new SlowLog();
    const hub = new Hub(log, { onKick: () => {}, onRelieved: () => {} });
    const session = bench.sessionOn(pair);
    session.state = 'open';
    log.head = 6;
    recorded(session);
    const waiting = vi.spyOn(session, 'waitingBytes', 'get').mockReturnValue(2_000);
    let ended = 0;
    const context = { router: log, hub, highWaterBytes: 1_000, attempts: 3 };
    for (let i = 0; i < 20; i++) {
      const channel = hub.subscribe(`${CHANNEL}${i}`, { session, joined: () => {}, failed: () => {} });
      replay(context, session, channel, at(0), () => ended++);
    }
    let read = 0;
    const answer = async (): Promise<void> => {
      for (const each of log.open.splice(0)) {
        read++;
        each(read === 2);
      }
      await vi.advanceTimersByTimeAsync(300);
    };
    for (let i = 0; i < 5; i++) await answer();
    // one could not be read, and the next had its turn
    expect(read).toBe(5);
    waiting.mockReturnValue(0);
    for (let i = 0; i < 40; i++) await answer();
    expect(ended).toBe(20);
  });

  it('is given up when the log cannot be read for too long', async () => {
    const log = new SlowLog();
    const hub = new Hub(log, { onKick: () => {}, onRelieved: () => {} });
    const session = bench.sessionOn(pair);
    session.state = 'open';
    log.head = 2;
    const channel = hub.subscribe(CHANNEL, { session, joined: () => {}, failed: () => {} });
    const ends: unknown[] = [];
    replay({ router: log, hub, highWaterBytes: 1_000, attempts: 3 }, session, channel, at(0), (end) =>
      ends.push(end),
    );
    for (let i = 0; i < 3; i++) {
      expect(ends).toEqual([]);
      log.open.shift()?.(true);
      await vi.advanceTimersByTimeAsync(300);
    }
    expect(ends).toEqual([undefined]);
  });
});
