import { RingwayPush } from '@ringway/push';
import { redisSource } from '@ringway/push/redis';
import { type RedisServer, startRedis, waitFor } from '@ringway/testkit';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { ringway } from './support/run.ts';
import { useStage } from './support/stage.ts';

let redis: RedisServer;

// The locators read Consul and share what they read. node-3 registers with Consul, but sees its peers by Redis alone.
const stage = useStage(async () => {
  redis = await startRedis();
  const env = { RINGWAY_RING_REDIS_URL: redis.url };
  return { locatorEnv: env, envOf: { 'node-3': { ...env, RINGWAY_MEMBERSHIP: 'redis' } } };
});

afterAll(() => redis[Symbol.asyncDispose]());

/** A backend that is told of nothing but Redis, and has the cluster's keys. */
function backend(): RingwayPush {
  const { cluster, ca } = stage();
  const push = new RingwayPush({
    source: redisSource({ url: redis.url }),
    name: 'billing',
    cluster: cluster.name,
    clusterKeys: cluster.keys.cluster,
    tls: { ca: ca.ca },
  });
  onTestFinished(() => push.close());
  return push;
}

/** Frames between nodes so far. */
async function relayed(): Promise<number> {
  const { nodes } = stage().cluster;
  const counts = await Promise.all(nodes.map((node) => node.metric('ringway_relay_frames_total')));
  return counts.reduce((sum, count) => sum + count, 0);
}

describe('a backend that reaches Redis, but neither Consul nor a locator', () => {
  it('pushes straight to the owner, before and after a node is added, and while Redis is down', {
    timeout: 120_000,
  }, async () => {
    const push = backend();
    await push.ready();
    expect(push.ringVersion()?.checksum).toBe(stage().ring().version.checksum);
    const alice = await stage().person(stage().userOn('node-1'));
    const bob = await stage().person(stage().userOn('node-3'));
    const before = await relayed();
    expect((await push.publish(`user:${alice.userId}`, 'one')).reached).toBe(1);
    expect((await push.publish(`user:${bob.userId}`, 'one')).reached).toBe(1);
    expect(await relayed()).toBe(before);

    const four = ['node-1', 'node-2', 'node-3', 'node-4'];
    const { cluster } = stage();
    const added = await cluster.addNode({ RINGWAY_NODE_ID: 'node-4' });
    await stage().settled();
    const checksum = stage().ring(four).version.checksum;
    await waitFor(() => push.ringVersion()?.checksum === checksum, { message: 'the backend has four nodes' });
    const carol = await stage().person(userOf('node-4', four));
    const hops = await relayed();
    expect((await push.publish(`user:${carol.userId}`, 'two')).reached).toBe(1);
    await carol.hears('two');
    expect(await relayed()).toBe(hops);

    // From here on it has nothing but its copy.
    await redis.kill();
    for (const [person, said] of [
      [alice, 'three'],
      [bob, 'three'],
      [carol, 'three'],
    ] as const) {
      expect((await push.publish(`user:${person.userId}`, said)).reached).toBe(1);
      await person.hears(said);
    }
    await added.stop();
    await stage().person(stage().userOn('node-2'));
    expect(push.ringVersion()?.checksum).toBe(checksum);
    // Empty, as it comes back: the locators fill it, and the ring without node-4 is taken.
    await redis.start();
    await stage().settled();
    const three = stage().ring().version.checksum;
    await waitFor(() => push.ringVersion()?.checksum === three, {
      message: 'the backend has three nodes',
      timeout: 30_000,
    });
    const dave = await stage().person(stage().userOn('node-2'));
    expect((await push.publish(`user:${dave.userId}`, 'four')).reached).toBe(1);
  });
});

describe('the ring in Redis', () => {
  it('is what Consul says, and a forged one is kept out and counted', async () => {
    const { cluster } = stage();
    const env = {
      RINGWAY_CLUSTER: cluster.name,
      RINGWAY_CLUSTER_KEYS: cluster.keys.cluster,
      RINGWAY_RING_REDIS_URL: redis.url,
    };
    const { code, output } = await ringway(['ring', '--redis', '--json'], env);
    expect(code).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ checksum: stage().ring().version.checksum });

    const node = cluster.node('node-3');
    const rejected = (): Promise<number> =>
      node.metric('ringway_members_rejected_total', { reason: 'bad_signature' });
    const before = await rejected();
    const connection = new Redis(redis.url);
    onTestFinished(() => connection.disconnect());
    const key = `${cluster.name}:ring`;
    const ring = (await connection.hget(key, 'ring')) ?? '';
    await connection.hset(key, { sig: 'forged', ring: ring.replaceAll('"up"', '"leaving"') });
    await connection.publish(key, 'forged');
    await waitFor(async () => (await rejected()) > before, { message: 'the node counts it' });
    await waitFor(async () => (await connection.hget(key, 'sig')) !== 'forged', {
      message: 'a locator puts it right',
      timeout: 20_000,
    });
    expect(await node.metric('ringway_ring_members')).toBe(3);
    const offers = await Promise.all(
      cluster.locators.map((locator) => locator.metric('ringway_ring_offers_total', { result: 'accepted' })),
    );
    expect(offers.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  });
});

/** A user whose home is that node on the ring of these. */
function userOf(home: string, ids: readonly string[]): string {
  const ring = stage().ring(ids);
  for (;;) {
    const user = `user-${crypto.randomUUID().slice(0, 8)}`;
    if (ring.owner(`user:${user}`)?.id === home) return user;
  }
}
