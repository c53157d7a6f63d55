import { createLogger } from '@ringway/service';
import { type RedisServer, startRedis } from '@ringway/testkit';
import { afterAll, beforeAll } from 'vitest';
import { RedisLog, type RedisLogOptions } from '../src/log/redis.ts';
import { redisAddress } from '../src/log/redis-url.ts';
import { logConformance } from './log-conformance.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

export async function openRedisLog(url: string, options: Partial<RedisLogOptions> = {}): Promise<RedisLog> {
  const log = new RedisLog({
    address: redisAddress([url]),
    cluster: 'test',
    bounds: { messages: 1000, bytes: 100_000_000, ageMs: 60_000 },
    replicas: 0,
    timeoutMs: 10_000,
    name: 'test',
    logger: createLogger({ name: 'test', level: 'silent', pretty: false }),
    hooks: { failed() {}, answered() {}, unfit() {} },
    random: Math.random,
    now: () => performance.now(),
    ...options,
  });
  await log.start();
  return log;
}

logConformance('redis', async ({ messages, ageMs }) => {
  const open = (): Promise<RedisLog> =>
    openRedisLog(redis.url, { bounds: { messages, ageMs, bytes: 100_000_000 } });
  return { log: await open(), again: open };
});
