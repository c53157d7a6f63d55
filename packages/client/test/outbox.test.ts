import type { ClientFrame, ErrorCode } from '@ringway/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ClosedError,
  FrameTooBigError,
  PublishRefusedError,
  PublishTimeoutError,
  QueueFullError,
  type RingwayError,
} from '../src/errors.ts';
import { Outbox } from '../src/outbox.ts';
import { FakeClock } from './support/clock.ts';

const LIMITS = { frameBytes: 1_000, publishesPerSecond: 1_000_000 };

type Publish = Extract<ClientFrame, { type: 'publish' }>;

class Bench {
  readonly clock = new FakeClock();
  readonly line: Publish[] = [];
  connected = false;
  readonly outbox = new Outbox(
    { clock: this.clock, random: () => 0.5, maxQueued: 100, publishTimeoutMs: 30_000 },
    (text) => {
      if (this.connected) this.line.push(JSON.parse(text) as Publish);
      return this.connected;
    },
  );

  connect(limits = LIMITS): void {
    this.connected = true;
    this.outbox.connected(limits);
  }

  disconnect(): void {
    this.connected = false;
    this.line.length = 0;
    this.outbox.disconnected();
  }

  refuse(id: string, code: ErrorCode, retryable: boolean, retryAfterMs?: number): void {
    this.outbox.refused({
      type: 'error',
      id,
      code,
      message: 'no',
      retryable,
      ...(retryAfterMs ? { retryAfterMs } : {}),
    });
  }

  ids(): (string | undefined)[] {
    return this.line.splice(0).map(({ id }) => id);
  }
}

function settled(promise: Promise<unknown>): Promise<RingwayError> {
  return promise.then(
    () => {
      throw new Error('was not rejected');
    },
    (error: RingwayError) => error,
  );
}

const CHANNELS = ['user:a', 'user:b'];

type Step =
  | { readonly kind: 'publish'; readonly to: string }
  | { readonly kind: 'connect' | 'cut' | 'serve' | 'store' | 'outage' | 'wait' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('publish' as const), to: fc.constantFrom(...CHANNELS) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom('connect', 'cut', 'serve', 'store', 'outage', 'wait') }),
  },
) as fc.Arbitrary<Step>;

test('through cuts, lost answers and outages: each publish stored once, in the sender’s order, and answered', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const bench = new Bench();
      const stored = new Map(CHANNELS.map((channel) => [channel, [] as string[]]));
      const expected = new Map(CHANNELS.map((channel) => [channel, [] as string[]]));
      const answers: Promise<unknown>[] = [];
      let out = new Set<string>();
      /** The node takes the first `count` frames off the line, and answers unless the answers get lost. */
      const serve = (count: number, answer: boolean) => {
        for (const { id = '', to } of bench.line.splice(0, count)) {
          const channel = to as string;
          if (out.has(channel)) {
            bench.refuse(id, 'unavailable', true);
            continue;
          }
          const log = stored.get(channel) ?? [];
          const duplicate = log.includes(id);
          if (!duplicate) log.push(id);
          if (answer) bench.outbox.published({ type: 'published', id, reached: 1, duplicate });
        }
      };
      for (const one of steps) {
        if (one.kind === 'publish') {
          const id = `m${answers.length}`;
          expected.get(one.to)?.push(id);
          answers.push(bench.outbox.publish(one.to, 1, { id, timeoutMs: 1e9 }));
        } else if (one.kind === 'connect') {
          bench.disconnect();
          bench.connect();
        } else if (one.kind === 'cut') bench.disconnect();
        else if (one.kind === 'serve') serve(3, true);
        else if (one.kind === 'store') serve(2, false);
        else if (one.kind === 'outage') out = out.size > 0 ? new Set() : new Set(['user:a']);
        else bench.clock.advance(6_000);
      }
      out = new Set();
      bench.disconnect();
      bench.connect();
      for (let i = 0; i < 10; i++) {
        serve(Number.POSITIVE_INFINITY, true);
        bench.clock.advance(10_000);
      }
      await Promise.all(answers);
      expect(stored).toEqual(expected);
      expect(bench.clock.pending).toBe(0);
    }),
  );
});

test('unanswered ones are sent again in order, before anything newer', () => {
  const bench = new Bench();
  bench.connect();
  for (const id of ['a', 'b', 'c']) void bench.outbox.publish('user:x', 1, { id });
  bench.outbox.published({ type: 'published', id: 'b', reached: 1 });
  bench.disconnect();
  void bench.outbox.publish('user:x', 1, { id: 'd' });
  bench.connect();
  expect(bench.ids()).toEqual(['a', 'c', 'd']);
});

test('what was refused for the moment holds back its channel, and no other', () => {
  const bench = new Bench();
  bench.connect();
  void bench.outbox.publish('user:x', 1, { id: 'a' });
  expect(bench.ids()).toEqual(['a']);
  bench.refuse('a', 'unavailable', true);
  void bench.outbox.publish('user:x', 1, { id: 'b' });
  void bench.outbox.publish({ users: ['y', 'x'] }, 1, { id: 'c' });
  void bench.outbox.publish('user:y', 1, { id: 'd' });
  void bench.outbox.publish('user:z', 1, { id: 'e' });
  expect(bench.ids()).toEqual(['e']);
  bench.clock.advance(50);
  expect(bench.ids()).toEqual(['a', 'b', 'c', 'd']);
});

test('retryAfterMs is kept, with jitter on top', () => {
  const bench = new Bench();
  bench.connect();
  void bench.outbox.publish('user:x', 1, { id: 'a' });
  bench.ids();
  bench.refuse('a', 'rate_limited', true, 2_000);
  bench.clock.advance(2_049);
  expect(bench.ids()).toEqual([]);
  bench.clock.advance(1);
  expect(bench.ids()).toEqual(['a']);
});

test('a deadline ends the waiting with a typed error that carries the last refusal', async () => {
  const bench = new Bench();
  bench.connect();
  const late = settled(bench.outbox.publish('user:x', 1, { id: 'a', timeoutMs: 1_000 }));
  const behind = bench.outbox.publish('user:x', 1, { id: 'b' });
  bench.ids();
  bench.refuse('a', 'unknown', true, 5_000);
  bench.refuse('b', 'unknown', true);
  bench.clock.advance(1_000);
  const error = await late;
  expect(error).toBeInstanceOf(PublishTimeoutError);
  expect(error).toMatchObject({ code: 'timeout', id: 'a', to: 'user:x', cause: { code: 'unknown' } });
  // who waited behind it goes on
  expect(bench.ids()).toEqual(['b']);
  bench.outbox.published({ type: 'published', id: 'b', reached: 2, position: { epoch: 'e', seq: 1 } });
  expect(await behind).toEqual({ id: 'b', reached: 2, duplicate: false, position: { epoch: 'e', seq: 1 } });
});

test('a refusal for good rejects at once', async () => {
  const bench = new Bench();
  bench.connect();
  const refused = settled(bench.outbox.publish('user:x', 1, { id: 'a' }));
  bench.refuse('a', 'forbidden', false);
  expect(await refused).toBeInstanceOf(PublishRefusedError);
  expect(await refused).toMatchObject({ code: 'forbidden', id: 'a', retryable: false });
});

test('an ephemeral one is sent once: neither a cut nor a refusal repeats it', async () => {
  const bench = new Bench();
  bench.connect();
  const cut = settled(bench.outbox.publish('user:x', 1, { id: 'a', ephemeral: true }));
  bench.disconnect();
  expect(await cut).toMatchObject({ code: 'unknown' });
  const waiting = bench.outbox.publish('user:x', 1, { id: 'b', ephemeral: true });
  bench.connect();
  expect(bench.ids()).toEqual(['b']);
  // another node takes over; the answer of the one before still comes
  bench.outbox.connected(LIMITS);
  expect(bench.ids()).toEqual([]);
  bench.outbox.published({ type: 'published', id: 'b', reached: 0 });
  expect(await waiting).toMatchObject({ reached: 0 });
  const refused = settled(bench.outbox.publish('user:x', 1, { id: 'c', ephemeral: true }));
  bench.refuse('c', 'unavailable', true);
  expect(await refused).toMatchObject({ code: 'unavailable', retryable: true });
});

test('the queue is bounded', () => {
  const bench = new Bench();
  for (let i = 0; i < 100; i++) void bench.outbox.publish('user:x', 1, {});
  expect(() => bench.outbox.publish('user:x', 1, {})).toThrow(QueueFullError);
});

test('the same id is the same message, unless the data differs', async () => {
  const bench = new Bench();
  const first = bench.outbox.publish('user:x', { a: 1 }, { id: 'a' });
  expect(bench.outbox.publish('user:x', { a: 1 }, { id: 'a' })).toBe(first);
  expect(() => bench.outbox.publish('user:x', { a: 2 }, { id: 'a' })).toThrow(PublishRefusedError);
  bench.connect();
  expect(bench.ids()).toEqual(['a']);
});

test('a frame that is too big is not sent, whether the limit was known before or not', async () => {
  const bench = new Bench();
  const early = settled(bench.outbox.publish('user:x', 'é'.repeat(600), {}));
  bench.connect();
  const error = await early;
  expect(error).toBeInstanceOf(FrameTooBigError);
  expect(() => bench.outbox.publish('user:x', 'é'.repeat(600), {})).toThrow(FrameTooBigError);
  expect(() => bench.outbox.sendOnce('user:x', 'é'.repeat(600))).toThrow(FrameTooBigError);
  void bench.outbox.publish('user:x', 'x'.repeat(900), {});
  expect(bench.line).toHaveLength(1);
});

test('data that JSON cannot say is refused', () => {
  const { outbox } = new Bench();
  expect(() => outbox.publish('user:x', undefined, {})).toThrow(TypeError);
  expect(() => outbox.sendOnce('user:x', () => 1)).toThrow(TypeError);
});

test('a queue that was filled while away goes out at the pace that the node takes', () => {
  const bench = new Bench();
  for (let i = 0; i < 50; i++) void bench.outbox.publish('user:x', i, {});
  bench.connect({ frameBytes: 1_000, publishesPerSecond: 10 });
  expect(bench.ids()).toHaveLength(10);
  bench.clock.advance(1_000);
  expect(bench.ids()).toHaveLength(10);
  bench.clock.advance(3_000);
  expect(bench.ids()).toHaveLength(30);
});

test('the end rejects everything that waits', async () => {
  const bench = new Bench();
  const waiting = settled(bench.outbox.publish('user:x', 1, {}));
  const error = new Error('over') as unknown as ClosedError;
  bench.outbox.fail(error);
  expect(await waiting).toBe(error);
  expect(bench.clock.pending).toBe(0);
});

test('ids are random: 20 characters, never the same', () => {
  const bench = new Bench();
  bench.connect();
  for (let i = 0; i < 100; i++) void bench.outbox.publish('user:x', 1, {});
  const ids = bench.ids();
  expect(new Set(ids).size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^[\w-]{20}$/);
});
