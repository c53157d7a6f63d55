import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '@ringway/testkit';
import { afterAll, beforeAll, describe } from 'vitest';
import { routerConformance } from './router-conformance.ts';
import { BusRouters } from './support/bus-routers.ts';
import { KEPT } from './support/ring-routers.ts';

for (const log of ['memory', 'redis'] as const) {
  describe(log === 'redis' ? 'with the log in Redis' : 'without a log', () => {
    let redis: RedisServer;
    beforeAll(async () => {
      redis = await startRedis();
    });
    afterAll(() => redis[Symbol.asyncDispose]());

    for (const scheme of ['directory', 'broadcast'] as const) {
      for (const count of [1, 3]) {
        const abilities = { resume: log === 'redis', counts: scheme === 'directory', kept: KEPT };
        routerConformance(`the ${scheme}`, count, abilities, async (nodes) => {
          await redis.command('FLUSHALL');
          return BusRouters.start(nodes, { scheme, log, redisUrl: redis.url });
        });
      }
    }
  });
}

describe('over a Redis Cluster, with the log there', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster(3);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  for (const scheme of ['directory', 'broadcast'] as const) {
    const abilities = { resume: true, counts: scheme === 'directory', kept: KEPT };
    routerConformance(`the ${scheme}`, 3, abilities, async (nodes) => {
      await Promise.all(cluster.servers.map((server) => server.command('FLUSHALL')));
      return BusRouters.start(nodes, { scheme, log: 'redis', redisUrl: cluster.urls });
    });
  }
});
