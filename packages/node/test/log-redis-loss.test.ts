import { randomUUID } from 'node:crypto';
import { type Position, samePosition } from '@ringway/protocol';
import { type RedisServer, startRedis, startTcpProxy, waitFor } from '@ringway/testkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RedisLog } from '../src/log/redis.ts';
import { channelBase } from '../src/log/redis-message.ts';
import { message, newChannel } from './log-conformance.ts';
import { disposable, openRedisLog, place, stored } from './support/redis-log.ts';

const MANY = Number.MAX_SAFE_INTEGER;

it('a replica that takes over without the last writes begins a new epoch, tells a gap, and takes nothing for a repeat', async () => {
  await using primary = await startRedis();
  await using link = await startTcpProxy({ port: primary.port });
  await using replica = await startRedis({ replicaOf: link.port });
  await waitFor(async () => Number(await primary.command('WAIT', 1, 100)) === 1, { message: 'the replica' });
  await using log = disposable(await openRedisLog(primary.url));
  const channel = newChannel();
  const places: Position[] = [await log.head(channel)];
  const publish = async (id: string) => places.push(stored(await log.append(channel, message(id))).position);
  for (let i = 1; i <= 5; i++) await publish(`m${i}`);
  await waitFor(async () => Number(await primary.command('WAIT', 1, 100)) === 1, {
    message: 'm5 at the replica',
  });
  const [base] = (await replica.command('KEYS', '*:s')) as string[];
  await waitFor(async () => (await replica.command('XLEN', base ?? '')) === 5, {
    message: 'm5 at the replica',
  });
  link.stall();
  for (let i = 6; i <= 8; i++) await publish(`m${i}`);
  await primary.kill();
  await replica.command('REPLICAOF', 'NO', 'ONE');
  await using promoted = disposable(await openRedisLog(replica.url));
  const known = places[8] as Position;
  // m7 is retried by a client that got no answer; that it was stored is lost
  const retried = stored(await promoted.append(channel, message('m7'), known));
  expect(retried.position.epoch).not.toBe(known.epoch);
  expect(retried.previous).toEqual({ epoch: retried.position.epoch, seq: 0 });
  // what the replica has is still there, once
  expect(await promoted.append(channel, message('m4'), known)).toEqual({
    kind: 'duplicate',
    position: places[4],
  });
  expect(await promoted.append(channel, message('m4', '"other"'), known)).toEqual({ kind: 'conflict' });
  const ids = ({ messages }: { messages: readonly { id: string }[] }) =>
    messages.map(({ id }) => JSON.parse(id));
  for (const [seq, since] of places.entries()) {
    const read = await promoted.read(channel, since, MANY);
    if (seq < 5) {
      // first what the old epoch still has, then the gap
      expect(read.start).toEqual(since);
      expect(ids(read)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5'].slice(seq));
      expect(read.end).toEqual(places[5]);
    } else {
      expect(read.start).toEqual(retried.previous);
      expect(ids(read)).toEqual(['m7']);
      expect(read.end).toEqual(retried.position);
    }
  }
  expect(ids(await promoted.tail(channel, 10))).toEqual(['m7']);
});

type Step =
  | { readonly do: 'publish'; readonly count: number }
  | { readonly do: 'retry'; readonly back: number }
  | { readonly do: 'read'; readonly reader: number; readonly limit: number }
  | { readonly do: 'copy' }
  | { readonly do: 'restore' }
  | { readonly do: 'wipe' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 5 }) }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('retry' as const), back: fc.nat(12) }) },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('read' as const),
        reader: fc.nat(3),
        limit: fc.integer({ min: 1, max: 9 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ do: 'copy' as const }) },
    { weight: 2, arbitrary: fc.constant({ do: 'restore' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'wipe' as const }) },
  ),
  { maxLength: 60, size: 'max' },
);

it('whatever Redis loses: no position is used twice, nobody gets a message twice or misses one untold', async () => {
  await using redis = await startRedis();
  await using log = disposable(
    await openRedisLog(redis.url, { bounds: { messages: 12, bytes: 1_000_000, ageMs: 60_000 } }),
  );
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      const world = new World(redis, log);
      for (const step of list) await world.take(step);
      await world.settle();
    }),
    { numRuns: 60 },
  );
});

interface Reader {
  position: Position;
  readonly got: string[];
}

/** One channel, a home that knows the highest position it was told, four readers, and copies of what Redis had. */
class World {
  private readonly redis: RedisServer;
  private readonly log: RedisLog;
  private readonly channel = newChannel();
  private readonly base = channelBase('test', this.channel);
  private readonly parts = ['m', 's', 'd', 'e', 'o'].map((part) => `${this.base}:${part}`);
  private copy: readonly (Buffer | null)[] | undefined;
  private known: Position | undefined;
  private readonly published: string[] = [];
  /** Every place that was ever given to a message. */
  private readonly places = new Map<string, string>();
  private readonly readers: Reader[] = [];

  constructor(redis: RedisServer, log: RedisLog) {
    this.redis = redis;
    this.log = log;
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'publish':
        for (let i = 0; i < step.count; i++) await this.publish(`m${randomUUID()}`);
        return;
      case 'retry': {
        const id = this.published.at(-1 - step.back);
        if (id !== undefined) await this.publish(id);
        return;
      }
      case 'read':
        return this.read(step.reader, step.limit);
      case 'copy':
        this.copy = await Promise.all(this.parts.map((key) => dump(this.redis, key)));
        return;
      case 'restore':
        // what a replica without the last writes would have
        if (this.copy) {
          await this.redis.command('DEL', ...this.parts);
          for (const [i, bytes] of this.copy.entries())
            if (bytes) await this.redis.command('RESTORE', this.parts[i] ?? '', 100_000, bytes);
        }
        return;
      case 'wipe':
        await this.redis.command('DEL', ...this.parts);
    }
  }

  private async publish(id: string): Promise<void> {
    this.known ??= await this.log.head(this.channel);
    const appended = await this.log.append(this.channel, message(id), this.known);
    if (appended.kind === 'conflict') throw new Error(`${id} was taken for another`);
    const position = appended.kind === 'appended' ? appended.message.position : appended.position;
    if (appended.kind === 'duplicate') {
      expect(this.places.get(place(position))).toBe(id);
      return;
    }
    expect(this.places.has(place(position))).toBe(false);
    this.places.set(place(position), id);
    if (!this.published.includes(id)) this.published.push(id);
    this.known = position;
  }

  private async read(which: number, limit: number): Promise<void> {
    while (this.readers.length <= which) {
      const position = await this.log.head(this.channel, this.known);
      this.known = position;
      this.readers.push({ position, got: [] });
    }
    const reader = this.readers[which] as Reader;
    const before = reader.position;
    const { start, messages, end } = await this.log.read(this.channel, before, limit);
    let at = start;
    for (const { previous, position, id } of messages) {
      expect(previous).toEqual(at);
      const plain = JSON.parse(id) as string;
      expect(this.places.get(place(position))).toBe(plain);
      reader.got.push(place(position));
      at = position;
    }
    expect(end).toEqual(at);
    expect(new Set(reader.got).size).toBe(reader.got.length);
    // nothing is said to be missing: then none is, for no place of an epoch is left out
    const first = messages[0]?.position;
    if (first && samePosition(start, before))
      expect(first).toEqual({ epoch: before.epoch, seq: before.seq + 1 });
    reader.position = end;
    // the home hears of it
    this.known = await this.log.head(this.channel, this.known);
  }

  /** In the end all readers stand at the head. */
  async settle(): Promise<void> {
    for (let which = 0; which < this.readers.length; which++) {
      for (let round = 0; round < 30; round++) await this.read(which, 5);
    }
    const head = await this.log.head(this.channel, this.known);
    for (const reader of this.readers) expect(reader.position).toEqual(head);
  }
}

async function dump(redis: RedisServer, key: string): Promise<Buffer | null> {
  return (await redis.commandBuffer('DUMP', key)) as Buffer | null;
}
