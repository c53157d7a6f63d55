import { startRedis } from '@ringway/testkit';
import { expect, it } from 'vitest';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';

it('while Redis is away what is logged is refused or unknown, what is ephemeral and sessions go on; then all is well', async () => {
  await using redis = await startRedis({ persistent: true });
  const env = {
    RINGWAY_LOG: 'redis',
    RINGWAY_REDIS_URL: redis.url,
    RINGWAY_LOG_TIMEOUT: '1s',
    RINGWAY_PUBLISHES_PER_SECOND: '10000',
  };
  await using cluster = await TestCluster.start(2, env);
  const bob = await cluster.connect(cluster.userOn('node-2', 'bob'));
  const alice = await cluster.connect(cluster.userOn('node-1', 'alice'));
  const to = bob.all('welcome')[0]?.channel;
  alice.send({ type: 'publish', to, id: 'before', data: 1 });
  await alice.next('published');
  await redis.kill();
  for (const node of cluster.nodes.values()) {
    await waitFor(
      async () => metric(await metrics(node), 'ringway_log_connected') === 0,
      'Redis to be missed',
    );
  }
  alice.send({ type: 'publish', to, id: 'during', data: 2 });
  const refused = await alice.next('error', 15_000);
  expect(refused).toMatchObject({ id: 'during', retryable: true });
  expect(['unavailable', 'unknown']).toContain(refused.code);
  alice.send({ type: 'publish', to, id: 'passing', data: 3, ephemeral: true });
  expect(await alice.next('published')).toMatchObject({ id: 'passing', reached: 1 });
  await redis.start();
  // again under the same id, as every client does
  await waitFor(
    () => {
      alice.send({ type: 'publish', to, id: 'during', data: 2 });
      return alice.all('published').some(({ id }) => id === 'during');
    },
    'it to be stored',
    15_000,
  );
  await waitFor(() => bob.all('message').some(({ id }) => id === 'during'), 'it to arrive');
  alice.send({ type: 'publish', to, id: 'after', data: 4 });
  await waitFor(() => bob.all('message').some(({ id }) => id === 'after'), 'the last one');
  expect(bob.all('message').map(({ id }) => id)).toEqual(['before', 'passing', 'during', 'after']);
  expect(bob.all('gap')).toEqual([]);
  for (const client of [alice, bob]) expect(client.socket.readyState).toBe(1);
});
