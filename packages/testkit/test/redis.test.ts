import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { startRedis } from '../src/redis.ts';
import { startRedisCluster } from '../src/redis-cluster.ts';
import { startTcpProxy } from '../src/tcp-proxy.ts';
import { waitFor } from '../src/wait-for.ts';

describe('redis', () => {
  it('keeps what it acknowledged over a kill when persistent, on the same port', async () => {
    await using server = await startRedis({ persistent: true });
    const client = new Redis(server.url, { retryStrategy: () => 20 });
    try {
      await client.set('k', 'v');
      await server.restart();
      expect(await client.get('k')).toBe('v');
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    } finally {
      client.disconnect();
    }
  });

  it('answers nothing while frozen', async () => {
    await using server = await startRedis();
    const client = new Redis(server.url, { commandTimeout: 100, maxRetriesPerRequest: 0 });
    try {
      await client.ping();
      server.freeze();
      await expect(client.ping()).rejects.toThrow('timed out');
      server.thaw();
      expect(await client.ping()).toBe('PONG');
    } finally {
      client.disconnect();
    }
  });

  it('forgets everything when it is to start empty', async () => {
    await using server = await startRedis({ persistent: true });
    await server.command('SET', 'k', 'v');
    await server.restartEmpty();
    expect(await server.command('GET', 'k')).toBeNull();
  });

  it('has replicas, whose link can be stalled', async () => {
    await using primary = await startRedis();
    await using link = await startTcpProxy({ port: primary.port });
    await using replica = await startRedis({ replicaOf: link.port });
    await waitFor(async () => Number(await primary.command('WAIT', 1, 100)) === 1, {
      message: 'the replica',
    });
    await primary.command('SET', 'k', 'before');
    await waitFor(async () => (await replica.command('GET', 'k')) === 'before', {
      message: 'k at the replica',
    });
    link.stall();
    await primary.command('SET', 'k', 'after');
    await primary.kill();
    await replica.command('REPLICAOF', 'NO', 'ONE');
    expect(await replica.command('GET', 'k')).toBe('before');
  });

  it('makes a cluster that serves all slots', async () => {
    await using cluster = await startRedisCluster(3);
    const [first] = cluster.servers;
    expect(await first?.command('CLUSTER', 'INFO')).toContain('cluster_slots_ok:16384');
  });
});
