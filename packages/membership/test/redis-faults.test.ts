import { startTcpProxy } from '@ringway/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MembershipClosedError, MemoryRegistry, memoryMembership } from '../src/index.ts';
import { REDIS_TIMINGS } from '../src/redis/index.ts';
import { eventually } from './support/eventually.ts';
import { listed, member } from './support/members.ts';
import { connect, Offerer, Reader, type RedisServer, standing, startRedis } from './support/redis.ts';

const PATIENCE = 30_000;

let redis: RedisServer;
let registry: MemoryRegistry;

beforeEach(async () => {
  redis = await startRedis();
  registry = new MemoryRegistry();
});

afterEach(() => redis[Symbol.asyncDispose]());

async function register(...ids: string[]): Promise<void> {
  for (const id of ids) await memoryMembership(registry).register(member(id));
}

function offerer(options: Partial<ConstructorParameters<typeof Offerer>[1]> = {}): Offerer {
  return new Offerer(memoryMembership(registry), { url: redis.url, ...options });
}

describe('a reader', () => {
  test('is not ready while nothing stands in Redis, and is when something does', async () => {
    await using reader = new Reader({ url: redis.url });
    await eventually('it says why', () => reader.stale.join() === 'unfed');
    expect(reader.snapshots).toEqual([]);
    await expect(reader.watch.reread()).rejects.toMatchObject({ code: 'registry_error' });
    await register('a');
    await using _ = offerer();
    await reader.watch.ready;
    expect(reader.last).toBe('a:up');
    await eventually('it is confirmed', () => reader.fresh === 1);
  });

  test('closed before that, rejects', async () => {
    const reader = new Reader({ url: redis.url });
    await reader[Symbol.asyncDispose]();
    await expect(reader.watch.ready).rejects.toThrow(MembershipClosedError);
  });

  test('is told of a change, and does not wait for its poll', async () => {
    await register('a');
    const never = { ...REDIS_TIMINGS, pollMs: 3_600_000 };
    await using reader = new Reader({ url: redis.url, timings: never });
    await using _ = offerer();
    await reader.watch.ready;
    await register('b');
    await eventually('b is seen', () => reader.last === 'a:up b:up');
  });

  test('keeps its copy while Redis is away, and takes what changed meanwhile when it is back', async () => {
    await register('a', 'b');
    await using reader = new Reader({ url: redis.url });
    await using _ = offerer();
    await reader.watch.ready;
    await redis.kill();
    await eventually('it says so', () => reader.stale.includes('unreachable'));
    await expect(reader.watch.reread()).rejects.toMatchObject({ code: 'registry_error' });
    expect(reader.all).toEqual(['a:up b:up']);
    await register('c');
    // Empty: nothing was kept over the restart.
    await redis.start();
    await eventually('c is seen', () => reader.last === 'a:up b:up c:up', PATIENCE);
    expect(reader.all).toEqual(['a:up b:up', 'a:up b:up c:up']);
    await eventually('it is confirmed', () => reader.fresh > 0);
  });

  test('keeps its copy when Redis is emptied, also with nobody to offer', async () => {
    await register('a');
    await using reader = new Reader({ url: redis.url });
    {
      await using _ = offerer();
      await reader.watch.ready;
    }
    await using own = connect(redis);
    await own.flushall();
    await expect(reader.watch.reread()).rejects.toMatchObject({ code: 'registry_error' });
    expect(reader.stale).toContain('unfed');
    expect(reader.all).toEqual(['a:up']);
    await register('b');
    await using _ = offerer();
    await eventually('b is seen', () => reader.last === 'a:up b:up', PATIENCE);
  });

  test('never goes back: an older ring that is put back changes nothing, and is put right', async () => {
    await register('a');
    await using own = connect(redis);
    await using reader = new Reader({ url: redis.url });
    await using _ = offerer();
    await reader.watch.ready;
    const older = await own.hgetall('ringway:ring');
    await register('b');
    await eventually('b is seen', () => reader.last === 'a:up b:up');
    await own.hset('ringway:ring', older);
    await own.publish('ringway:ring', older['sig'] ?? '');
    await eventually('the newer stands again', async () => (await standing(own))?.members.length === 2);
    expect(listed(await reader.watch.reread())).toEqual(['a:up', 'b:up']);
    expect(reader.all).toEqual(['a:up', 'a:up b:up']);
  });

  test('notices a frozen Redis, and goes on when it thaws', { timeout: 60_000 }, async () => {
    await register('a');
    const timings = { requestTimeoutMs: 300, pollMs: 200 };
    await using reader = new Reader({ url: redis.url, timings });
    await using _ = offerer({ timings });
    await reader.watch.ready;
    redis.freeze();
    await eventually('it is noticed', () => reader.stale.includes('unreachable'), PATIENCE);
    await register('b');
    const reread = reader.watch.reread();
    await expect(reread).rejects.toMatchObject({ code: 'registry_error' });
    expect(reader.all).toEqual(['a:up']);
    redis.thaw();
    await eventually('b is seen', () => reader.last === 'a:up b:up', PATIENCE);
    expect(reader.all).toEqual(['a:up', 'a:up b:up']);
  });

  test('reads again when its connection was cut, and notices one that died without a sign', async () => {
    await using proxy = await startTcpProxy({ port: redis.port });
    await register('a');
    const timings = { requestTimeoutMs: 500, pollMs: 500 };
    await using reader = new Reader({ url: `redis://127.0.0.1:${proxy.port}`, timings });
    await using _ = offerer();
    await reader.watch.ready;
    proxy.cut();
    await eventually('the cut is noticed', () => reader.stale.includes('unreachable'), PATIENCE);
    await register('b');
    proxy.heal();
    await eventually('b is seen', () => reader.last === 'a:up b:up', PATIENCE);
    await eventually('it is confirmed', () => reader.fresh === 1, PATIENCE);
    proxy.stall();
    await register('c');
    await eventually('the stall is noticed', () => reader.stale.length === 2, PATIENCE);
    proxy.heal();
    await eventually('c is seen', () => reader.last === 'a:up b:up c:up', PATIENCE);
  });

  test('tells the age that nobody confirmed, not the age of its own last look', async () => {
    await register('a');
    {
      await using first = offerer();
      await eventually('it stands', () => first.results.includes('accepted'));
    }
    await using reader = new Reader({ url: redis.url, timings: { unfedAfterMs: 1_000, pollMs: 50 } });
    await reader.watch.ready;
    expect(reader.watch.sinceConfirmed()).toBeLessThan(20_000);
    await eventually('it says that nobody confirms', () => reader.stale.join() === 'unfed');
    expect(reader.watch.sinceConfirmed()).toBeGreaterThan(1_000);
    expect(reader.all).toEqual(['a:up']);
    await using _ = offerer();
    await eventually('it is confirmed', () => reader.fresh === 1);
  });

  test('takes a node’s own word while Redis is away', async () => {
    await register('a', 'b');
    await using reader = new Reader({ url: redis.url });
    await using _ = offerer();
    await reader.watch.ready;
    await redis.kill();
    reader.watch.saidLeaving('b', 'b-start-1');
    await eventually('b is leaving', () => reader.last === 'a:up b:leaving');
  });
});

describe('Redis that another password guards', () => {
  test('is tried at a decent pace, and told', async () => {
    await using guarded = await startRedis({ args: ['--requirepass', 'secret'] });
    await using reader = new Reader({ url: guarded.url });
    await eventually('it is told', () => reader.stale.join() === 'unreachable');
    await using right = new Reader({ url: `redis://:secret@127.0.0.1:${guarded.port}` });
    await register('a');
    await using _ = offerer({ url: `redis://:secret@127.0.0.1:${guarded.port}` });
    await right.watch.ready;
    expect(reader.snapshots).toEqual([]);
  });
});
