import { type Member, MemoryRegistry, memoryMembership } from '@ringway/membership';
import { sharedWatching } from '@ringway/membership/redis';
import { PROTOCOL } from '@ringway/protocol';
import { RING_FORMAT } from '@ringway/ring';
import { hmacSigner, KeyFamily } from '@ringway/service';
import { type RedisServer, startRedis } from '@ringway/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OptionError, RingwayPush } from '../src/index.ts';
import { redisSource } from '../src/redis.ts';
import { FakeNode, KEYS } from './fake-cluster.ts';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis[Symbol.asyncDispose]());

function asMember({ id, url }: FakeNode): Member {
  return {
    id,
    incarnation: 'i1',
    publicUrl: 'ws://127.0.0.1:1',
    internalUrl: url,
    weight: 1,
    ringFormat: RING_FORMAT,
    protocol: PROTOCOL,
  };
}

test('the ring from Redis: a publish finds its node, and the ring stands when Redis is gone', async () => {
  await using node = await FakeNode.start('node-1');
  const registry = memoryMembership(new MemoryRegistry());
  await registry.register(asMember(node));
  const signer = hmacSigner(KeyFamily.parse('test', KEYS));
  const shared = sharedWatching(registry, { url: redis.url, signer });
  shared.watch({ snapshot() {} });
  const push = new RingwayPush({
    source: redisSource({ url: redis.url }),
    name: 'billing',
    clusterKeys: KEYS,
  });
  try {
    await expect(push.publish('user:alice', 1)).resolves.toMatchObject({ reached: 1 });
    await redis.kill();
    await expect(push.publish('user:alice', 2)).resolves.toMatchObject({ reached: 1 });
  } finally {
    await push.close();
    await shared.close();
  }
});

test('what it cannot work with is named', () => {
  const make = (url: string, clusterKeys?: string) => () =>
    new RingwayPush({
      source: redisSource({ url }),
      name: 'billing',
      ...(clusterKeys !== undefined && { clusterKeys }),
    });
  expect(make('http://127.0.0.1', KEYS)).toThrow(OptionError);
  expect(make('http://127.0.0.1', KEYS)).toThrow(/url.*redis:\/\//);
  expect(make(redis.url)).toThrow(/clusterKeys/);
});
