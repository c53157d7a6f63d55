import { type RedisServer, startRedis } from '@ringway/testkit';
import { afterAll, beforeAll, describe } from 'vitest';
import { routerConformance } from './router-conformance.ts';
import { KEPT, RingRouters } from './support/ring-routers.ts';

for (const count of [1, 3]) {
  routerConformance('the ring', count, { resume: true, counts: true, kept: KEPT }, (nodes) =>
    RingRouters.start(nodes),
  );
}

describe('with the log in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  routerConformance('the ring', 3, { resume: true, counts: true, kept: KEPT }, (nodes) =>
    RingRouters.start(nodes, { redisUrl: redis.url }),
  );
});
