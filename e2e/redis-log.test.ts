import { type RedisServer, startRedis, waitFor } from '@ringway/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import type { Crowd } from './chaos/crowd.ts';
import { amidTalk } from './support/company.ts';
import { useStage } from './support/stage.ts';

let redis: RedisServer;

const stage = useStage(async () => {
  redis = await startRedis({ persistent: true });
  return { nodeEnv: { RINGWAY_LOG: 'redis', RINGWAY_REDIS_URL: redis.url, RINGWAY_LOG_TIMEOUT: '1s' } };
});
afterAll(() => redis[Symbol.asyncDispose]());

/** Until so much more has been said. */
async function talk({ ledger }: Crowd, more = 200): Promise<void> {
  const { length } = ledger.publishes;
  await waitFor(() => ledger.publishes.length > length + more, { message: 'some talk', timeout: 30_000 });
}

describe('with the log in Redis', () => {
  it('a node that is killed takes nothing that was confirmed with it, and no gap is told', async () => {
    const { cluster } = stage();
    const node = cluster.node('node-2');
    const flaws = await amidTalk(cluster, { gaps: 'none' }, async (crowd) => {
      await talk(crowd);
      expect(crowd.people.some(({ client }) => client.session?.nodeId === node.id)).toBe(true);
      await node.kill();
      await waitFor(
        () =>
          crowd.people.every(
            ({ client }) => client.session !== undefined && client.session.nodeId !== node.id,
          ),
        { message: 'everyone is elsewhere', timeout: 30_000 },
      );
      await talk(crowd);
      await node.start();
      await stage().settled();
      await talk(crowd);
    });
    expect(flaws).toEqual([]);
  });

  it('a node that comes and one that leaves cost nothing, and no gap is told', async () => {
    const { cluster } = stage();
    const flaws = await amidTalk(cluster, { gaps: 'none' }, async (crowd) => {
      const added = await cluster.addNode({ RINGWAY_NODE_ID: 'node-4' });
      await stage().settled();
      await talk(crowd);
      expect(await added.stop()).toEqual({ code: 0, signal: null });
      cluster.nodes.splice(cluster.nodes.indexOf(added), 1);
      await stage().settled();
      await talk(crowd);
    });
    expect(flaws).toEqual([]);
  });

  it('a Redis that is killed and keeps what it acknowledged costs nothing, and no gap is told', async () => {
    const flaws = await amidTalk(stage().cluster, { gaps: 'none' }, async (crowd) => {
      await talk(crowd);
      await redis.kill();
      await talk(crowd);
      await redis.start();
      await talk(crowd);
    });
    expect(flaws).toEqual([]);
  });

  it('a Redis that comes back empty costs nothing untold', async () => {
    const flaws = await amidTalk(stage().cluster, { gaps: 'told' }, async (crowd) => {
      await talk(crowd);
      await redis.restartEmpty();
      await talk(crowd);
    });
    expect(flaws).toEqual([]);
  });
});
