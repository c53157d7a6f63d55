import { randomUUID } from 'node:crypto';
import { type RedisServer, startRedis, startRedisCluster, waitFor } from '@ringway/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../src/router/port.ts';
import { quote } from '../src/text.ts';
import { type BusNode, BusRouters, type BusRoutersOptions } from './support/bus-routers.ts';
import { openRedisLog, stored } from './support/redis-log.ts';

const BASE = '{test:router}';
const CHANNEL = 'group:class-7';

function publish({ router }: BusNode, data: string, channel = CHANNEL, id = quote(randomUUID())) {
  return new Promise<Outcome>((done) => {
    router.publish({ channel, from: '"user:alice"', id, data, ephemeral: false, done });
  });
}

/** A node of the directory that has died: nobody refreshes what it has said, and nobody takes what is for it. */
async function ghost(redis: RedisServer, leaseMs: number): Promise<string> {
  const name = `ghost#${randomUUID()}`;
  const [seconds] = (await redis.command('TIME')) as [string];
  await redis.command('ZADD', `${BASE}:nodes`, Number(seconds) * 1_000 + leaseMs, name);
  await redis.command('SADD', `${BASE}:h:${name}`, CHANNEL);
  await redis.command('HSET', `${BASE}:c:${CHANNEL}`, name, 7);
  return name;
}

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(() => redis.command('FLUSHALL'));

const routers = (options: Omit<BusRoutersOptions, 'redisUrl'>, count = 2): Promise<BusRouters> =>
  BusRouters.start(count, { ...options, redisUrl: redis.url });
const two = ({ nodes }: BusRouters): [BusNode, BusNode] => nodes as unknown as [BusNode, BusNode];

describe('the directory', () => {
  it('forgets a dead node, and what was on its way to it', async () => {
    await using cluster = await routers({ scheme: 'directory', log: 'memory', ttlMs: 3_000 });
    const [one, other] = two(cluster);
    await other.local.join(other.router, CHANNEL, 2);
    const name = await ghost(redis, 2_000);
    expect(await publish(one, '1')).toMatchObject({ kind: 'published', reached: 9 });
    expect(await redis.command('LLEN', `${BASE}:q:${name}`)).toBe(1);
    await waitFor(async () => (await redis.command('ZSCORE', `${BASE}:nodes`, name)) === null, {
      message: 'the dead node to be gone',
    });
    expect(await redis.command('HGETALL', `${BASE}:c:${CHANNEL}`)).toEqual([other.name, '2']);
    for (const kind of ['h', 'q', 'l'])
      expect(await redis.command('EXISTS', `${BASE}:${kind}:${name}`)).toBe(0);
    expect(await publish(one, '2')).toMatchObject({ reached: 2 });
  });

  it('does not count a node behind its time, though nobody has taken it out yet', async () => {
    await using cluster = await routers({ scheme: 'directory', log: 'memory', ttlMs: 3_600_000 });
    const [one] = two(cluster);
    await ghost(redis, -10_000);
    expect(await publish(one, '1')).toMatchObject({ kind: 'published', reached: 0 });
  });

  it('holds no more for a node than it may, and tells it', async () => {
    await using cluster = await routers({ scheme: 'directory', log: 'memory', queueLength: 10 });
    const [one] = two(cluster);
    const name = await ghost(redis, 60_000);
    for (let i = 0; i < 12; i++) await publish(one, String(i));
    expect(await redis.command('LLEN', `${BASE}:q:${name}`)).toBe(10);
    expect(await redis.command('EXISTS', `${BASE}:l:${name}`)).toBe(1);
    expect(one.counts.full).toBe(2);
  });

  it('tells a gap on every channel of a node that has lost messages', async () => {
    await using cluster = await routers({ scheme: 'directory', log: 'memory' });
    const [one, other] = two(cluster);
    await other.local.join(other.router, CHANNEL);
    const before = other.local.gaps;
    await redis.command('SET', `${BASE}:l:${other.name}`, 1);
    await waitFor(() => other.local.gaps === before + 1, { message: 'the gap' });
    await publish(one, '1');
    await waitFor(() => other.local.data(CHANNEL).length === 1, { message: 'the message' });
  });

  it('takes a node that was taken for dead in again, with its channels', async () => {
    await using cluster = await routers({ scheme: 'directory', log: 'memory' });
    const [one, other] = two(cluster);
    await other.local.join(other.router, CHANNEL, 3);
    await redis.command('FLUSHALL');
    await waitFor(async () => ((await publish(one, '1')) as { reached?: number }).reached === 3, {
      message: 'its channels to stand there again',
    });
    await waitFor(() => other.local.data(CHANNEL).length > 0, { message: 'a message' });
  });

  it('leaves nothing behind a node that stops', async () => {
    const cluster = await routers({ scheme: 'directory', log: 'memory' });
    for (const node of cluster.nodes) await node.local.join(node.router, CHANNEL);
    await cluster[Symbol.asyncDispose]();
    expect(await redis.command('KEYS', '*')).toEqual([]);
  });
});

for (const scheme of ['directory', 'broadcast'] as const) {
  describe(`the ${scheme}`, () => {
    it('drops repeats, with a place and without', async () => {
      await using cluster = await routers({ scheme, log: 'redis' });
      const [one, other] = two(cluster);
      const start = await other.local.join(other.router, CHANNEL);
      const message = { from: '"user:alice"', id: '"m1"', data: '1' };
      const position = { ...start, seq: start.seq + 1 };
      for (let i = 0; i < 3; i++) {
        await one.bus.send({
          message,
          items: [{ channel: CHANNEL, kind: 'logged', position, previous: start }],
        });
        await one.bus.send({
          message: { ...message, id: '"m2"', data: '2' },
          items: [{ channel: CHANNEL, kind: 'unlogged' }],
        });
      }
      await waitFor(() => other.router.counts.repeats === 4, { message: 'the repeats' });
      expect(other.local.data(CHANNEL)).toEqual(['1', '2']);
    });

    it('is not disturbed by what is no parcel', async () => {
      await using cluster = await routers({ scheme, log: 'memory' });
      const [one, other] = two(cluster);
      await other.local.join(other.router, CHANNEL);
      const items = [
        'null',
        '7',
        '["logged"]',
        '["logged",7]',
        '["logged","group:class-7","e"]',
        '["no","x"]',
        '{',
      ];
      const texts = [
        '',
        'x',
        '3:ab',
        '-1:',
        '9'.repeat(30),
        ...items.map((item) => `0:${item.length}:${item}`),
      ];
      for (const text of texts) {
        if (scheme === 'directory') await redis.command('RPUSH', `${BASE}:q:${other.name}`, text);
        else await redis.command('PUBLISH', `${BASE}:all`, `${text.length}:${text}`);
      }
      await redis.command('PUBLISH', `${BASE}:all`, 'x');
      await publish(one, '1');
      await waitFor(() => other.local.data(CHANNEL).length === 1, { message: 'the message' });
      expect(other.counts.unreadable).toBeGreaterThanOrEqual(texts.length - 1);
    });

    it('finds in the log what was stored and never sent', async () => {
      await using cluster = await routers({ scheme, log: 'redis' });
      const [, other] = two(cluster);
      await other.local.join(other.router, CHANNEL);
      const log = await openRedisLog(redis.url);
      stored(await log.append(CHANNEL, { from: '"user:alice"', id: '"m1"', data: '1', dedupe: true }));
      await log.close();
      await waitFor(() => other.local.data(CHANNEL).length === 1, { message: 'the message' });
      expect(other.local.gaps).toBe(0);
    });

    for (const log of ['memory', 'redis'] as const) {
      const what = log === 'redis' ? 'with the log in Redis' : 'without a log';

      it(`goes on after a Redis that was away, ${what}`, async () => {
        await using own = await startRedis({ persistent: true });
        const options = { scheme, log, redisUrl: own.url, patienceMs: 500 };
        await using cluster = await BusRouters.start(2, options);
        const [one, other] = two(cluster);
        await other.local.join(other.router, CHANNEL);
        expect(await publish(one, '1')).toMatchObject({ kind: 'published' });
        await waitFor(() => other.local.data(CHANNEL).length === 1, { message: 'the first message' });
        await own.kill();
        await waitFor(() => !one.bus.connected && !other.bus.connected, { message: 'the loss to be seen' });
        expect(await publish(one, '2')).toEqual({ kind: 'failed', code: 'unavailable' });
        await expect(one.local.join(one.router, 'group:new')).rejects.toThrow();
        await own.start();
        // without a log a message for a node that does not listen yet is lost to it, and is told as a gap
        await waitFor(() => one.bus.connected && other.bus.connected, { message: 'Redis to be back' });
        await waitFor(async () => (await publish(one, '3')).kind === 'published', {
          message: 'a publish to be taken',
        });
        await waitFor(() => other.local.data(CHANNEL).includes('3'), { message: 'the message' });
        expect(other.local.data(CHANNEL)).not.toContain('2');
        await one.local.join(one.router, 'group:new');
        if (log === 'redis') expect(other.local.gaps).toBe(0);
        else await waitFor(() => other.local.gaps > 0, { message: 'the gap' });
      });

      it(`does not know what became of what a frozen Redis was given, ${what}`, async () => {
        await using own = await startRedis();
        await using cluster = await BusRouters.start(2, { scheme, log, redisUrl: own.url, timeoutMs: 1_000 });
        const [one, other] = two(cluster);
        await other.local.join(other.router, CHANNEL);
        own.freeze();
        expect(await publish(one, '1')).toEqual({ kind: 'failed', code: 'unknown' });
        await waitFor(() => !one.bus.connected && !other.bus.connected, { message: 'the loss to be seen' });
        expect(await publish(one, '2')).toEqual({ kind: 'failed', code: 'unavailable' });
        own.thaw();
        // without a log a message for a node that does not listen yet is lost to it, and is told as a gap
        await waitFor(() => one.bus.connected && other.bus.connected, { message: 'Redis to be back' });
        await waitFor(async () => (await publish(one, '3')).kind === 'published', {
          message: 'a publish to be taken',
        });
        await waitFor(() => other.local.data(CHANNEL).includes('3'), { message: 'the message' });
        expect(other.local.data(CHANNEL)).not.toContain('2');
      });
    }
  });
}

describe('the broadcast over a Redis Cluster', () => {
  it('listens to another of its nodes when one is lost, and tells a gap', async () => {
    await using cluster = await startRedisCluster(3);
    // those who listen begin with the first; the key of the publishes is looked for, so that their node is not that one
    const slot = Number(await cluster.servers[0]?.command('CLUSTER', 'KEYSLOT', BASE));
    const owners = (await cluster.servers[0]?.command('CLUSTER', 'SLOTS')) as [
      number,
      number,
      [string, number],
    ][];
    const owner = owners.find(([from, to]) => from <= slot && slot <= to)?.[2][1];
    const lost = cluster.servers.find(({ port }) => port !== owner) as RedisServer;
    const urls = [lost, ...cluster.servers.filter((server) => server !== lost)].map(({ url }) => url);
    // a slot without its node must not stop the others
    for (const server of cluster.servers)
      await server.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
    const options = {
      scheme: 'broadcast',
      log: 'memory',
      redisUrl: urls.join(','),
      timeoutMs: 2_000,
    } as const;
    await using routers = await BusRouters.start(2, options);
    const [one, other] = two(routers);
    await other.local.join(other.router, CHANNEL);
    const before = other.local.gaps;
    await lost.kill();
    await waitFor(() => other.local.gaps > before, { message: 'the gap', timeout: 30_000 });
    await waitFor(
      async () => {
        await publish(one, 'heard');
        return other.local.data(CHANNEL).includes('heard');
      },
      { message: 'a message', timeout: 30_000 },
    );
  });
});
