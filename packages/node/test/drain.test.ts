import { createLogger } from '@ringway/service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Drain, type DrainOptions } from '../src/drain.ts';
import { OwnState } from '../src/own-state.ts';
import type { MovePace } from '../src/session/mover.ts';

/** A node of nothing but numbers. */
class Bench {
  size = 10;
  idle = false;
  closed = true;
  refusing = false;
  readonly done: string[] = [];
  readonly paces: MovePace[] = [];
  readonly drain: Drain;

  constructor(options: Partial<DrainOptions> = {}) {
    const bench = this;
    this.drain = new Drain({
      nodeId: 'node-1',
      graceMs: 20_000,
      closeSpreadMs: 500,
      pace: { rate: 100, spreadMs: 1_000 },
      sessions: {
        get size() {
          return bench.size;
        },
        mover: {
          drain: (pace) => {
            bench.done.push('move');
            bench.paces.push(pace);
          },
          stay: () => bench.done.push('stay'),
          get idle() {
            return bench.idle;
          },
        },
        refuseNew: (refuse) => {
          bench.refusing = refuse;
        },
        closeAll: async () => {
          bench.done.push(`close ${bench.size}`);
          bench.size = 0;
        },
      },
      logger: createLogger({ name: 'node-1', level: 'silent', pretty: false }),
      now: () => performance.now(),
      leave: async () => void this.done.push('leave'),
      rejoin: async () => void this.done.push('rejoin'),
      channelsClosed: () => this.closed,
      drained: () => this.done.push('drained'),
      ...options,
    });
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a drain', () => {
  it('is out of the ring first, refuses new sessions, and is over when the last has moved', async () => {
    const bench = new Bench();
    expect(bench.drain.progress).toMatchObject({
      state: 'serving',
      causes: [],
      total: 10,
      left: 10,
      seconds: 0,
    });
    bench.drain.begin('request');
    expect([bench.refusing, bench.drain.active]).toEqual([true, true]);
    await pass(2_000);
    expect(bench.done).toEqual(['leave', 'move']);
    bench.size = 4;
    expect(bench.drain.progress).toEqual({
      nodeId: 'node-1',
      state: 'draining',
      causes: ['request'],
      total: 10,
      moved: 6,
      left: 4,
      seconds: 2,
      graceSeconds: 20,
    });
    bench.size = 0;
    await pass(100);
    expect(bench.done).toEqual(['leave', 'move', 'close 0', 'drained']);
    expect(bench.drain.progress).toMatchObject({ state: 'drained', moved: 10, left: 0 });
  });

  it('waits until all channels are in other hands', async () => {
    const bench = new Bench();
    bench.closed = false;
    bench.drain.begin('request');
    bench.size = 0;
    await pass(5_000);
    expect(bench.done).not.toContain('drained');
    bench.closed = true;
    await pass(100);
    expect(bench.done).toContain('drained');
  });

  it('does not wait for those who will not go: they are closed', async () => {
    const bench = new Bench();
    bench.drain.begin('request');
    await pass(1_000);
    bench.idle = true;
    await pass(100);
    expect(bench.done).toEqual(['leave', 'move', 'close 10', 'drained']);
  });

  it('ends within its grace, whatever does not', async () => {
    const bench = new Bench({ leave: () => new Promise(() => {}) });
    bench.closed = false;
    bench.drain.begin('request');
    await pass(1_100);
    expect(bench.done).toEqual(['move']);
    await pass(17_000);
    expect(bench.done).toEqual(['move']);
    await pass(1_500);
    expect(bench.done).toEqual(['move', 'close 10', 'drained']);
  });

  it('goes faster than its rate where the grace asks for it', async () => {
    const bench = new Bench();
    bench.size = 100;
    bench.drain.begin('request');
    await pass(10);
    const many = new Bench();
    many.size = 150_000;
    many.drain.begin('request');
    await pass(10);
    expect(bench.paces).toEqual([{ rate: 100, spreadMs: 1_000 }]);
    expect(many.paces[0]?.rate).toBeGreaterThan(150_000 / 20);
    expect(many.paces[0]?.rate).toBeLessThan(150_000 / 12);
  });

  it('by a request is cancelled, and the node is in the ring again', async () => {
    const bench = new Bench();
    bench.drain.begin('request');
    await pass(1_000);
    bench.drain.lift('request');
    expect([bench.refusing, bench.drain.active, bench.drain.said]).toEqual([false, false, false]);
    await pass(60_000);
    expect(bench.done).toEqual(['leave', 'move', 'rejoin', 'stay']);
    bench.drain.begin('request');
    bench.size = 0;
    await pass(100);
    expect(bench.done.slice(4)).toEqual(['leave', 'move', 'close 0', 'drained']);
  });

  it('by maintenance says nothing to the registry, and is cancelled by its end', async () => {
    const bench = new Bench();
    bench.drain.begin('maintenance');
    await pass(1_000);
    expect([bench.drain.said, bench.done]).toEqual([false, ['move']]);
    bench.drain.lift('maintenance');
    await pass(60_000);
    expect(bench.done).toEqual(['move', 'stay']);
  });

  it('goes on while one cause is left', async () => {
    const bench = new Bench();
    bench.drain.begin('maintenance');
    await pass(1_000);
    bench.drain.begin('request');
    bench.drain.lift('maintenance');
    expect(bench.drain.progress).toMatchObject({ state: 'draining', causes: ['request'] });
    expect(bench.done).toEqual(['move', 'leave']);
    bench.drain.lift('critical');
    expect(bench.drain.active).toBe(true);
  });

  it('that is over cannot be cancelled', async () => {
    const bench = new Bench();
    const finished = bench.drain.finish();
    bench.idle = true;
    await pass(200);
    await finished;
    bench.drain.lift('signal');
    expect([bench.refusing, bench.drain.progress.state]).toEqual([true, 'drained']);
    expect(bench.done).not.toContain('rejoin');
  });

  it('that has been done is not done again by the stop that follows', async () => {
    const bench = new Bench();
    bench.size = 0;
    bench.drain.begin('critical');
    await pass(100);
    await bench.drain.finish();
    expect(bench.done).toEqual(['move', 'close 0', 'drained', 'leave']);
  });
});

describe('what the registry says of the node itself', () => {
  function own(): { readonly state: OwnState; readonly said: string[] } {
    const said: string[] = [];
    const state = new OwnState({
      patienceMs: 3_000,
      out: (cause) => said.push(cause),
      up: () => said.push('up'),
    });
    return { state, said };
  }

  it('is no reason to leave before it was in the ring, and not to be listed is none', async () => {
    const { state, said } = own();
    for (const each of [undefined, 'leaving', 'critical', undefined] as const) state.look(each);
    await pass(10_000);
    expect(said).toEqual([]);
    state.look('up');
    state.look(undefined);
    await pass(10_000);
    expect(said).toEqual(['up']);
    state.look('leaving');
    expect(said).toEqual(['up', 'maintenance']);
  });

  it('that it is critical counts when it lasts', async () => {
    const { state, said } = own();
    state.look('up');
    state.look('critical');
    await pass(2_900);
    state.look('up');
    await pass(10_000);
    expect(said).toEqual(['up', 'up']);
    state.look('critical');
    await pass(1_000);
    state.look('critical');
    await pass(2_100);
    expect(said).toEqual(['up', 'up', 'critical']);
  });

  it('by its own word is no news', async () => {
    const { state, said } = own();
    state.look('up');
    state.look('critical');
    state.forget();
    state.look('leaving');
    await pass(10_000);
    expect(said).toEqual(['up']);
  });
});
