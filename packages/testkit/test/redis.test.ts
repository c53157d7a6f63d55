import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { startRedis } from '../src/redis.ts';

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
});
