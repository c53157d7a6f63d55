import { createLogger } from '@ringway/service';
import { startRedis, startRedisCluster, startTcpProxy, waitFor } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import type { RedisLog } from '../src/log/redis.ts';
import { channelBase } from '../src/log/redis-message.ts';
import { message, newChannel } from './log-conformance.ts';
import { disposable, openRedisLog, outcome, stored } from './support/redis-log.ts';

const MANY = Number.MAX_SAFE_INTEGER;
/** Bounds what a frozen Redis takes of a test; answers of a living one come far sooner on any machine. */
const SHORT = { timeoutMs: 1_000 };

async function idsOf(log: RedisLog, channel: string): Promise<string[]> {
  const { messages } = await log.read(channel, undefined, MANY);
  return messages.map(({ id }) => JSON.parse(id) as string);
}

/** Appends, again and again under the one id, until it is known where it stands. */
function published(log: RedisLog, channel: string, id: string): Promise<unknown> {
  return waitFor(
    async () => {
      const appended = await outcome(log.append(channel, message(id)));
      return typeof appended === 'object' && appended;
    },
    { message: `${id} is stored`, timeout: 15_000 },
  );
}

describe('when Redis fails, the log', () => {
  it('says what Redis has answered, but not what it was sent', async () => {
    await using redis = await startRedis();
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const logger = createLogger({ name: 'test', level: 'warn', pretty: false, destination });
    await using log = disposable(await openRedisLog(redis.url, { ...SHORT, logger }));
    const client = new Redis(redis.url);
    const channel = newChannel();
    stored(await log.append(channel, message('m0')));
    for (const key of await client.keys('*')) await client.set(key, 'of another kind');
    client.disconnect();
    for (const id of ['m1', 'm2']) expect(await outcome(log.append(channel, message(id)))).toBe('unknown');
    expect(lines.filter((line) => line.includes('Redis has failed: '))).toHaveLength(1);
    expect(lines.join('')).not.toContain('m1');
  });

  it('leaves unknown what a frozen Redis was sent, refuses what it was not, and stores each once in the end', async () => {
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url, SHORT));
    const channel = newChannel();
    stored(await log.append(channel, message('m0')));
    redis.freeze();
    expect(await outcome(log.append(channel, message('m1')))).toBe('unknown');
    // the connection is given up; a new one is accepted by the system, and never becomes one
    await waitFor(() => !log.connected, { message: 'that the connection is given up' });
    expect(await outcome(log.append(channel, message('m2')))).toBe('refused');
    expect(await outcome(log.read(channel, undefined, MANY))).toBe('refused');
    redis.thaw();
    for (const id of ['m1', 'm2', 'm3']) await published(log, channel, id);
    expect((await idsOf(log, channel)).toSorted()).toEqual(['m0', 'm1', 'm2', 'm3']);
  });

  it('refuses what waits behind a Redis that is too slow', async () => {
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url, SHORT));
    const channel = newChannel();
    stored(await log.append(channel, message('m0')));
    redis.freeze();
    const first = outcome(log.append(channel, message('sent')));
    await waitFor(() => true, { message: 'the end of this turn' });
    const rest: Promise<unknown>[] = [];
    const began = performance.now();
    await waitFor(
      () => {
        rest.push(outcome(log.append(channel, message(`m${rest.length + 1}`))));
        return performance.now() - began > 2_000;
      },
      { message: 'two seconds of publishing' },
    );
    const outcomes = await Promise.all(rest);
    expect(await first).toBe('unknown');
    expect(new Set(outcomes)).toEqual(new Set(['refused']));
    redis.thaw();
    await published(log, channel, 'last');
    const ids = await idsOf(log, channel);
    expect(new Set(ids).size).toBe(ids.length);
    // what was refused was never stored
    for (const [i, one] of outcomes.entries()) if (one === 'refused') expect(ids).not.toContain(`m${i + 1}`);
  });

  it('is refused by a Redis that is away, and goes on by itself where that comes back empty: in a new epoch', async () => {
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url));
    const [channel, other] = [newChannel(), newChannel()];
    for (let i = 1; i <= 3; i++) for (const one of [channel, other]) await log.append(one, message(`m${i}`));
    const [known, knownOther] = [await log.head(channel), await log.head(other)];
    await redis.kill();
    expect(['refused', 'unknown']).toContain(await outcome(log.append(channel, message('m4'), known)));
    await waitFor(async () => (await outcome(log.append(channel, message('m4'), known))) === 'refused', {
      message: 'a refusal',
    });
    await redis.start();
    await waitFor(() => log.connected, { message: 'the connection' });
    const next = stored(await log.append(channel, message('m1'), known));
    expect(next.position.epoch).not.toBe(known.epoch);
    expect(next.previous).toEqual({ epoch: next.position.epoch, seq: 0 });
    const read = await log.read(channel, known, MANY);
    expect(read.start).toEqual(next.previous);
    expect(read.messages.map(({ id }) => id)).toEqual(['"m1"']);
    // nobody knew of the other one any more but a reader
    const gap = await log.read(other, knownOther, MANY);
    expect(gap.start.epoch).not.toBe(knownOther.epoch);
    expect(gap.messages).toEqual([]);
    expect((await log.head(other)).epoch).toBe(gap.start.epoch);
  });

  it('goes on where it was when Redis has kept everything over its restart', async () => {
    await using redis = await startRedis({ persistent: true });
    await using log = disposable(await openRedisLog(redis.url));
    const channel = newChannel();
    for (let i = 1; i <= 3; i++) await log.append(channel, message(`m${i}`));
    const before = await log.head(channel);
    await redis.restart();
    await waitFor(async () => log.connected && (await log.head(channel)), { message: 'the log' });
    expect(await log.append(channel, message('m2'), before)).toMatchObject({ kind: 'duplicate' });
    expect(stored(await log.append(channel, message('m4'), before)).previous).toEqual(before);
    expect(await idsOf(log, channel)).toEqual(['m1', 'm2', 'm3', 'm4']);
  });

  it('says that the outcome is unknown when the connection breaks before the answer', async () => {
    await using redis = await startRedis();
    await using link = await startTcpProxy({ port: redis.port });
    await using log = disposable(await openRedisLog(`redis://127.0.0.1:${link.port}`));
    const channel = newChannel();
    await log.append(channel, message('m0'));
    link.stall();
    const lost = outcome(log.append(channel, message('m1')));
    const lostRead = outcome(log.read(channel, undefined, MANY));
    await waitFor(() => true, { message: 'the end of this turn' });
    link.cut();
    expect(await lost).toBe('unknown');
    expect(await lostRead).toBe('unknown');
    expect(await outcome(log.append(channel, message('m2')))).toBe('refused');
    link.heal();
    await published(log, channel, 'm1');
    expect(await idsOf(log, channel)).toEqual(['m0', 'm1']);
  });

  it('is refused by a full Redis as a whole, reads on, and writes again when there is room', async () => {
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url));
    const channel = newChannel();
    await log.append(channel, message('m0'));
    await redis.command('SET', 'ballast', Buffer.alloc(2_000_000));
    await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
    const both = [message('m1'), message('m0'), message('m2')].map((one) =>
      outcome(log.append(channel, one)),
    );
    expect(await Promise.all(both)).toMatchObject(['refused', { kind: 'duplicate' }, 'refused']);
    expect(await outcome(log.append(newChannel(), message('m1')))).toBe('refused');
    expect(await outcome(log.head(newChannel()))).toBe('refused');
    expect(await idsOf(log, channel)).toEqual(['m0']);
    // and so is a new epoch, which leaves the old one as it was
    const head = await log.head(channel);
    expect(await outcome(log.append(channel, message('m1'), { ...head, seq: 9 }))).toBe('refused');
    expect(await log.head(channel)).toEqual(head);
    await redis.command('DEL', 'ballast');
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    stored(await log.append(channel, message('m1')));
    expect(await idsOf(log, channel)).toEqual(['m0', 'm1']);
  });

  it('is refused by a Redis that lacks the replicas that it is to have', async () => {
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url));
    const channel = newChannel();
    await log.append(channel, message('m0'));
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
    expect(await outcome(log.append(channel, message('m1')))).toBe('refused');
    await redis.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    stored(await log.append(channel, message('m1')));
  });

  it('is refused by one that has become a replica, until it is none any more', async () => {
    await using primary = await startRedis();
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url));
    const channel = newChannel();
    await log.append(channel, message('m0'));
    await redis.command('REPLICAOF', '127.0.0.1', primary.port);
    expect(await outcome(log.append(channel, message('m1')))).toBe('refused');
    await waitFor(() => !log.connected, { message: 'that the replica is left' });
    expect(await outcome(log.read(channel, undefined, MANY))).toBe('refused');
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await published(log, channel, 'm1');
  });

  it('waits for the replicas that it is told to wait for, and for repeats as well', async () => {
    await using primary = await startRedis();
    await using replica = await startRedis({ replicaOf: primary.port });
    await waitFor(async () => Number(await primary.command('WAIT', 1, 100)) === 1, {
      message: 'the replica',
    });
    await using log = disposable(await openRedisLog(primary.url, { replicas: 1, timeoutMs: 2_000 }));
    const channel = newChannel();
    stored(await log.append(channel, message('m0')));
    replica.freeze();
    expect(await outcome(log.append(channel, message('m1')))).toBe('unknown');
    expect(await outcome(log.append(channel, message('m1')))).toBe('unknown');
    // reads do not wait behind
    expect(await idsOf(log, channel)).toEqual(['m0', 'm1']);
    replica.thaw();
    expect(await published(log, channel, 'm1')).toMatchObject({ kind: 'duplicate' });
    stored(await log.append(channel, message('m2')));
    const [base] = (await replica.command('KEYS', '*:s')) as string[];
    expect(await replica.command('XLEN', base ?? '')).toBe(3);
  });

  it('waits for the replicas of the node of a Redis Cluster that has the channel', async () => {
    await using cluster = await startRedisCluster(2);
    const [first, second] = cluster.servers;
    await using _replica = await startRedis({ replicaOf: first?.port ?? 0 });
    await waitFor(async () => Number(await first?.command('WAIT', 1, 100)) === 1, { message: 'the replica' });
    await using log = disposable(await openRedisLog(cluster.urls, { replicas: 1, timeoutMs: 2_000 }));
    // not by chance: of random names all eight fell to one node now and then
    const channels = [...Array(8).keys()].map((n) => `group:${n}`);
    const outcomes = await Promise.all(channels.map((one) => outcome(log.append(one, message('m1')))));
    const replicated = new Set((await first?.command('KEYS', '*:s')) as string[]);
    expect(replicated.size).toBeGreaterThan(0);
    expect(await second?.command('DBSIZE')).toBeGreaterThan(0);
    for (const [i, channel] of channels.entries())
      expect(outcomes[i] === 'unknown').toBe(!replicated.has(`${channelBase('test', channel)}:s`));
  });

  it('gives its scripts to each Redis before it calls them by their names', async () => {
    // what is refused for the lack of one is overtaken by what comes behind it, where another node gives it in between
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url));
    const channel = newChannel();
    const refusals = async (): Promise<unknown> => redis.command('INFO', 'errorstats');
    await Promise.all([1, 2, 3].map((n) => log.append(channel, message(`${n}`))));
    await log.read(channel, undefined, 10);
    expect(await refusals()).not.toContain('NOSCRIPT');
    await redis.restart();
    await published(log, channel, '4');
    expect(await refusals()).not.toContain('NOSCRIPT');
  });

  it('gives its scripts again to a Redis that has forgotten them, and keeps the order', async () => {
    await using redis = await startRedis();
    await using log = disposable(await openRedisLog(redis.url));
    const channel = newChannel();
    const ids: string[] = [];
    for (let round = 0; round < 20; round++) {
      const flushed = redis.command('SCRIPT', 'FLUSH');
      const sent: Promise<unknown>[] = [];
      await waitFor(
        () => {
          const id = `m${ids.length}`;
          ids.push(id);
          sent.push(log.append(channel, message(id)));
          return sent.length === 20;
        },
        { message: 'twenty appends', interval: 1 },
      );
      await Promise.all([flushed, ...sent]);
    }
    expect(await idsOf(log, channel)).toEqual(ids);
  });

  it('answers what is under way when it is closed, and nothing after that', async () => {
    await using redis = await startRedis();
    const log = await openRedisLog(redis.url);
    const channel = newChannel();
    await log.append(channel, message('m0'));
    redis.freeze();
    const sent = outcome(log.append(channel, message('m1')));
    await waitFor(() => true, { message: 'the end of this turn' });
    const unsent = outcome(log.append(channel, message('m2')));
    await log.close();
    expect([await sent, await unsent]).toEqual(['unknown', 'refused']);
    expect(await outcome(log.append(channel, message('m3')))).toBe('refused');
  });

  it('loses with one node of a Redis Cluster that one’s channels alone, and them no longer than it is away', async () => {
    await using cluster = await startRedisCluster(3);
    await using log = disposable(await openRedisLog(cluster.urls, SHORT));
    const channels = [...Array(12).keys()].map(() => newChannel());
    const all = () =>
      Promise.all(channels.map((one) => outcome(log.append(one, message('m1', '"1"', { dedupe: false })))));
    expect((await all()).every((one) => typeof one === 'object')).toBe(true);
    cluster.servers[0]?.freeze();
    const outcomes = await all();
    expect(outcomes.some((one) => typeof one === 'object')).toBe(true);
    expect(outcomes.some((one) => typeof one !== 'object')).toBe(true);
    cluster.servers[0]?.thaw();
    await waitFor(async () => (await all()).every((one) => typeof one === 'object'), {
      message: 'every channel works',
      timeout: 15_000,
    });
  });
});
