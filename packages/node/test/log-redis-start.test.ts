import { MemoryRegistry, memoryMembership } from '@ringway/membership';
import { createLogger, readSettings, SettingsError } from '@ringway/service';
import { createTestCa, freePort, startRedis, waitFor } from '@ringway/testkit';
import { describe, expect, it } from 'vitest';
import { createNode, nodeSettings } from '../src/index.ts';
import { openLog } from '../src/log/open-log.ts';
import { redisAddress, redisUrlProblem } from '../src/log/redis-url.ts';
import { message, newChannel } from './log-conformance.ts';
import { clusterKeys, metric, metrics, TestCluster, ticketKeys } from './support/cluster.ts';
import { disposable, openRedisLog, outcome, redisLog, stored } from './support/redis-log.ts';

const NODE = {
  RINGWAY_NODE_ID: 'node-1',
  RINGWAY_TICKET_KEYS: 'ticket-key-ticket-key-ticket-key-0001',
  RINGWAY_CLUSTER_KEYS: 'cluster-key-cluster-key-cluster-1',
  RINGWAY_PUBLIC_LISTEN: '127.0.0.1:0',
  RINGWAY_INTERNAL_LISTEN: '127.0.0.1:0',
};

/** A logger that keeps its lines. */
function listening() {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { lines, logger: createLogger({ name: 'test', level: 'trace', pretty: false, destination }) };
}

function count() {
  const counts = { refused: 0, unknown: 0, unfit: 0, answered: 0 };
  const hooks = {
    failed: (result: 'refused' | 'unknown') => void counts[result]++,
    answered: () => void counts.answered++,
    unfit: () => void counts.unfit++,
  };
  return { counts, hooks };
}

describe('a Redis that evicts', () => {
  it('is not taken: the error names what it found and how to set it', async () => {
    await using redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    const { counts, hooks } = count();
    await using log = disposable(redisLog(redis.url, { hooks }));
    await expect(log.start()).rejects.toMatchObject({
      name: 'RedisUnfitError',
      code: 'redis_unfit',
      message: expect.stringMatching(
        new RegExp(`127.0.0.1:${redis.port} .*allkeys-lru.*CONFIG SET maxmemory-policy noeviction`),
      ),
    });
    expect(counts.unfit).toBe(1);
    expect(await outcome(log.append(newChannel(), message('m1')))).toBe('refused');
  });

  it('keeps a node from starting', async () => {
    await using redis = await startRedis({ args: ['--maxmemory-policy', 'volatile-ttl'] });
    const node = createNode({
      settings: readSettings(nodeSettings, { ...NODE, RINGWAY_LOG: 'redis', RINGWAY_REDIS_URL: redis.url }),
      ticketKeys,
      clusterKeys,
      logger: createLogger({ name: 'node-1', level: 'silent', pretty: false }),
      membership: memoryMembership(new MemoryRegistry()),
    });
    await expect(node.start()).rejects.toThrow('volatile-ttl');
    expect(node.state).toBe('Failed');
  });

  it('is told of when it is found at a reconnection, and gone on with', async () => {
    await using redis = await startRedis();
    const { counts, hooks } = count();
    const { lines, logger } = listening();
    await using log = disposable(await openRedisLog(redis.url, { hooks, logger }));
    expect(counts.unfit).toBe(0);
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random');
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await waitFor(() => counts.unfit === 1 && log.connected, { message: 'the finding' });
    expect(lines.find((line) => line.includes('"level":"error"'))).toMatch(/allkeys-random.*noeviction/);
    stored(await log.append(newChannel(), message('m1')));
  });

  it('is told of once when it is set so while the connection stands, and again when it was fit in between', async () => {
    await using redis = await startRedis();
    const { counts, hooks } = count();
    const { lines, logger } = listening();
    await using log = disposable(await openRedisLog(redis.url, { hooks, logger, lookEveryMs: 20 }));
    const set = (policy: string): Promise<unknown> =>
      redis.command('CONFIG', 'SET', 'maxmemory-policy', policy);
    const looks = async (): Promise<number> =>
      Number(/cmdstat_info:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ?? 0);
    /** What was to be found has been, twice over. */
    const lookedTwice = async (): Promise<void> => {
      const before = await looks();
      // each question is a look of its own
      let asked = 0;
      await waitFor(async () => (await looks()) - before > ++asked + 2, { message: 'more looks' });
    };
    await lookedTwice();
    expect(counts.unfit).toBe(0);
    await set('allkeys-lfu');
    await waitFor(() => counts.unfit === 1, { message: 'the finding' });
    expect(lines.find((line) => line.includes('"level":"error"'))).toMatch(/allkeys-lfu.*noeviction/);
    await lookedTwice();
    expect(counts.unfit).toBe(1);
    await set('noeviction');
    await lookedTwice();
    await set('allkeys-lfu');
    await waitFor(() => counts.unfit === 2, { message: 'the second finding' });
    stored(await log.append(newChannel(), message('m1')));
  });
});

describe('a log in Redis', () => {
  it('waits for its Redis, and can be given up meanwhile', async () => {
    const port = await freePort();
    const log = redisLog(`redis://127.0.0.1:${port}`);
    const started = log.start();
    expect(await outcome(log.append(newChannel(), message('m1')))).toBe('refused');
    await using _redis = await startRedis({ port });
    await started;
    stored(await log.append(newChannel(), message('m1')));
    await log.close();
    const other = redisLog(`redis://127.0.0.1:${await freePort()}`);
    const waiting = other.start();
    await other.close();
    await expect(waiting).rejects.toMatchObject({ code: 'log_refused' });
  });

  it('takes user, password and database from the URL, and never logs the password', async () => {
    const password = 's3cret/p@ss';
    await using redis = await startRedis({ args: ['--requirepass', password] });
    const at = `127.0.0.1:${redis.port}`;
    const { lines, logger } = listening();
    await using log = disposable(
      await openRedisLog(`redis://default:${encodeURIComponent(password)}@${at}/3`, { logger }),
    );
    stored(await log.append(newChannel(), message('m1')));
    await using wrong = disposable(
      redisLog(`redis://:${encodeURIComponent(`${password}!`)}@${at}`, { logger }),
    );
    wrong.start().catch(() => {});
    await waitFor(() => lines.some((line) => line.includes('WRONGPASS')), {
      message: 'the refusal in the log',
    });
    expect(lines.join('\n')).not.toContain('s3cret');
    expect(lines.join('\n')).toContain(`redis://${at}`);
  });

  it('speaks TLS with one that it can trust', async () => {
    await using ca = await createTestCa();
    const { certFile, keyFile } = await ca.issue('redis');
    const port = await freePort();
    await using _redis = await startRedis({
      args: ['--tls-port', `${port}`, '--tls-cert-file', certFile, '--tls-key-file', keyFile].concat([
        '--tls-auth-clients',
        'no',
      ]),
    });
    await using log = disposable(await openRedisLog(`rediss://127.0.0.1:${port}`, { ca: ca.ca }));
    stored(await log.append(newChannel(), message('m1')));
    const { lines, logger } = listening();
    await using distrustful = disposable(redisLog(`rediss://127.0.0.1:${port}`, { logger }));
    distrustful.start().catch(() => {});
    await waitFor(() => lines.some((line) => line.includes('certificate')), {
      message: 'the distrust in the log',
    });
    expect(distrustful.connected).toBe(false);
  });

  it('counts what it refuses and what it leaves unknown', async () => {
    await using redis = await startRedis();
    const { counts, hooks } = count();
    await using log = disposable(await openRedisLog(redis.url, { hooks, timeoutMs: 1_000 }));
    await log.append(newChannel(), message('m1'));
    expect(counts).toEqual({ refused: 0, unknown: 0, unfit: 0, answered: 1 });
    redis.freeze();
    await outcome(log.append(newChannel(), message('m2')));
    await waitFor(() => !log.connected, { message: 'that the connection is given up' });
    await outcome(log.append(newChannel(), message('m3')));
    expect(counts).toEqual({ refused: 1, unknown: 1, unfit: 0, answered: 1 });
  });

  it('serves nodes: what one has confirmed, the others read', async () => {
    await using redis = await startRedis();
    await using cluster = await TestCluster.start(3, { RINGWAY_LOG: 'redis', RINGWAY_REDIS_URL: redis.url });
    const bob = cluster.userOn('node-2', 'bob');
    const alice = await cluster.connect(cluster.userOn('node-1', 'alice'));
    const first = cluster.open(cluster.node('node-2'), cluster.ticket(bob, cluster.node('node-2')));
    const { channel, position } = await first.next('welcome');
    for (let i = 1; i <= 3; i++)
      alice.send({ type: 'publish', to: channel, id: `m${i}`, data: { text: 'é😀', i } });
    for (let i = 1; i <= 3; i++) {
      expect(await first.next('message')).toMatchObject({ id: `m${i}`, data: { text: 'é😀', i } });
      expect(await alice.next('published')).toMatchObject({ id: `m${i}` });
    }
    // a guest on another node resumes from a position that this one gave
    const guest = await cluster.connect(bob, cluster.node('node-3'));
    guest.send({ type: 'resume', positions: { [channel]: position } });
    for (let i = 1; i <= 3; i++)
      expect(await guest.next('message')).toMatchObject({ data: { text: 'é😀', i } });
    for (const node of cluster.nodes.values()) {
      expect(metric(await metrics(node), 'ringway_log_connected')).toBe(1);
    }
  });
});

describe('its settings', () => {
  it('need a URL where the log is in Redis, and never show one', () => {
    const open = (env: Record<string, string>) =>
      openLog(readSettings(nodeSettings, { ...NODE, ...env }), {
        epochs: {
          version: 0,
          epochOf: () => 'e',
          tenureOf: () => ({ number: 0, before: undefined, next: undefined, forMs: undefined }),
        },
        logger: createLogger({ name: 'x', level: 'silent', pretty: false }),
        random: Math.random,
        now: () => 0,
      });
    expect(() => open({ RINGWAY_LOG: 'redis' })).toThrow(SettingsError);
    expect(() => open({ RINGWAY_LOG: 'redis' })).toThrow(
      'RINGWAY_REDIS_URL: expected a URL like redis://host:6379',
    );
    for (const url of [
      'http://u:pw@h',
      'redis://u:pw@h/x',
      'redis://u:pw@h?x=1',
      'pw',
      'redis://u:pw@a,redis://u:pw2@b',
    ]) {
      let error: unknown;
      try {
        open({ RINGWAY_LOG: 'redis', RINGWAY_REDIS_URL: url });
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(SettingsError);
      expect(String(error)).toContain('RINGWAY_REDIS_URL');
      expect(String(error)).not.toContain('pw');
    }
    expect(open({}).log.shared).toBe(false);
  });

  it('take one URL, or those of one Redis Cluster', () => {
    for (const good of ['redis://h', 'rediss://u:p@h:1/2', 'redis://[::1]:7000/'])
      expect(redisUrlProblem(good)).toBeUndefined();
    expect(redisAddress(['redis://u:p@a:1', 'redis://u:p@b:2'])).toMatchObject({
      shown: 'redis://a:1,redis://b:2',
    });
  });
});
