import {
  type AfterClose,
  discard,
  Link,
  type LinkClose,
  type LinkState,
  type LinkStateName,
  type SocketLike,
} from '@ringway/link';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock, FakeSocket, settle } from './fakes.ts';

const CONNECT_TIMEOUT = 1_000;
const MIN_UPTIME = 5_000;
const BACKOFF = 100;

const EDGES: Record<LinkStateName, readonly LinkStateName[]> = {
  idle: ['connecting'],
  connecting: ['open', 'waiting', 'connecting', 'stopped'],
  open: ['open', 'waiting', 'connecting', 'stopped'],
  waiting: ['connecting', 'open', 'stopped'],
  stopped: ['connecting'],
};

/** The link, everything around it played, and what must hold at every moment checked. */
class Stage {
  readonly clock = new FakeClock();
  readonly sockets: FakeSocket[] = [];
  readonly closes: LinkClose[] = [];
  dials: { resolve(socket: SocketLike): void; reject(error: Error): void; signal: AbortSignal }[] = [];
  verdict: AfterClose = 'backoff';
  got: unknown[] = [];
  last: LinkState | undefined;
  /** Dials since the last wait, lasting connection or start: bounds how hard a link can knock. */
  knocks = 0;
  readonly link = new Link({
    dial: (_attempt, signal) =>
      new Promise((resolve, reject) => {
        this.knocks++;
        this.dials.push({ resolve, reject, signal });
      }),
    afterClose: (close) => {
      this.closes.push(close);
      if (close.uptimeMs >= MIN_UPTIME) this.knocks = 0;
      return this.verdict;
    },
    onMessage: (data) => this.got.push(data),
    onState: ({ old, new: next }) => {
      expect(old).toBe(this.last ?? old);
      expect(EDGES[old.name]).toContain(next.name);
      if (next.name === 'waiting' || old.name === 'stopped' || old.name === 'idle') this.knocks = 0;
      this.last = next;
    },
    backoff: () => BACKOFF,
    connectTimeoutMs: CONNECT_TIMEOUT,
    minUptimeMs: MIN_UPTIME,
    closeGraceMs: 50,
    clock: this.clock,
    random: () => 0.5,
  });

  get current(): FakeSocket | undefined {
    return this.sockets.at(-1);
  }

  check(): void {
    const { state } = this.link;
    const live = this.sockets.filter((socket) => socket.readyState < 2);
    expect(live.length, 'sockets in use').toBeLessThanOrEqual(1);
    if (state.name === 'open') expect(live).toEqual([state.socket]);
    if (state.name === 'waiting' || state.name === 'stopped') expect(live).toEqual([]);
    for (const dial of this.dials.slice(0, -1)) expect(dial.signal.aborted).toBe(true);
    if (state.name !== 'connecting') for (const dial of this.dials) expect(dial.signal.aborted).toBe(true);
    expect(this.knocks, 'dials without a wait').toBeLessThanOrEqual(3);
  }
}

type Step = { readonly name: string; run(stage: Stage): void };

const steps: fc.Arbitrary<Step>[] = [
  fc.constant({ name: 'start', run: (stage) => stage.link.start() }),
  fc.constant({ name: 'stop', run: (stage) => void stage.link.stop(1000, 'enough') }),
  fc.constant({ name: 'reconnectNow', run: (stage) => stage.link.reconnectNow() }),
  fc.constant({ name: 'drop', run: (stage) => stage.link.drop('dead') }),
  fc.constant({
    name: 'dialled',
    run: (stage) => {
      const dial = stage.dials.at(-1);
      if (!dial || dial.signal.aborted || stage.current?.readyState === 0) return;
      const socket = new FakeSocket();
      stage.sockets.push(socket);
      dial.resolve(socket);
    },
  }),
  fc.constant({ name: 'dial failed', run: (stage) => stage.dials.at(-1)?.reject(new Error('no route')) }),
  fc.constant({ name: 'opened', run: (stage) => stage.current?.readyState === 0 && stage.current.open() }),
  fc.constantFrom(1000, 1001, 1006, 4500, 4600).map((code) => ({
    name: `closed ${code}`,
    run: (stage: Stage) => stage.current && stage.current.readyState < 3 && stage.current.end(code),
  })),
  fc.constant({ name: 'message', run: (stage) => stage.current?.deliver('hello') }),
  fc.constantFrom(10, 60, 150, CONNECT_TIMEOUT, MIN_UPTIME).map((ms) => ({
    name: `advance ${ms}`,
    run: (stage: Stage) => stage.clock.advance(ms),
  })),
  fc.constantFrom<AfterClose>('again', 'backoff', 'stop', { afterMs: 30 }).map((verdict) => ({
    name: `verdict ${JSON.stringify(verdict)}`,
    run: (stage: Stage) => {
      stage.verdict = verdict;
    },
  })),
  fc.constant({
    name: 'replace',
    run: (stage) => {
      if (stage.current?.readyState === 0) return;
      const socket = new FakeSocket();
      socket.readyState = 1;
      stage.sockets.push(socket);
      const replaced = stage.link.replace(socket);
      if (replaced.taken && replaced.before) discard(replaced.before);
    },
  }),
];

test('whatever happens in whatever order: one socket at most, lawful states, nothing left behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...steps), { minLength: 1, maxLength: 60 }), async (plan) => {
      const stage = new Stage();
      for (const step of plan) {
        step.run(stage);
        await settle();
        stage.check();
      }
      void stage.link.stop();
      await settle();
      stage.clock.advance(CONNECT_TIMEOUT);
      expect(stage.clock.pending, 'timers left').toBe(0);
      stage.got.length = 0;
      for (const socket of stage.sockets) socket.deliver('late');
      expect(stage.got, 'messages after the end').toEqual([]);
      expect(['idle', 'stopped']).toContain(stage.link.state.name);
    }),
    { numRuns: 300 },
  );
});

test('from wherever a link was stopped, it can be started and opened', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...steps), { maxLength: 30 }), async (plan) => {
      const stage = new Stage();
      for (const step of plan) {
        step.run(stage);
        await settle();
      }
      void stage.link.stop();
      stage.link.start();
      await settle();
      const socket = new FakeSocket();
      stage.sockets.push(socket);
      stage.dials.at(-1)?.resolve(socket);
      await settle();
      socket.open();
      expect(stage.link.state).toMatchObject({ name: 'open', socket });
      expect(stage.link.send('x')).toBe(true);
      expect(socket.sent).toEqual(['x']);
    }),
    { numRuns: 100 },
  );
});
