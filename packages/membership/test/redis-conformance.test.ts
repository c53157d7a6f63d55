import { afterAll, beforeAll } from 'vitest';
import { membershipConformance } from './conformance.ts';
import { type RedisServer, RelayedRegistry, startRedis } from './support/redis.ts';

let redis: RedisServer;
let clusters = 0;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis[Symbol.asyncDispose]());

// A cluster of its own for each test, within one Redis: what one cluster offers, the others must not see.
membershipConformance('redis', async () => {
  clusters += 1;
  const relayed = new RelayedRegistry(redis.url, `cluster-${clusters}`);
  return {
    open: () => relayed.open(),
    internalUrl: 'http://127.0.0.1:9101',
    lose: async (id) => relayed.registry.lose(id),
    [Symbol.asyncDispose]: () => relayed[Symbol.asyncDispose](),
  };
});
