import { waitFor } from '@ringway/testkit';
import { describe, expect, it } from 'vitest';
import { amidTalk } from './support/company.ts';
import { useStage } from './support/stage.ts';

const stage = useStage();

describe('a deploy, one node after the other', () => {
  it('with the memory log loses nothing and tells no gap, and everyone stays connected', async () => {
    const { cluster } = stage();
    const flaws = await amidTalk(cluster, { gaps: 'none' }, async (crowd) => {
      for (const node of cluster.nodes) {
        expect(await node.stop()).toEqual({ code: 0, signal: null });
        await stage().settled();
        await node.start();
        await stage().settled();
        // as docs/operations.md says: until nobody is on the way any more
        await waitFor(
          async () => {
            const counts = await Promise.all(
              cluster.nodes.flatMap((each) => [
                each.metric('ringway_moves_left'),
                each.metric('ringway_moves_pending'),
              ]),
            );
            return counts.every((count) => count === 0);
          },
          { message: 'all have moved', timeout: 30_000 },
        );
      }
      for (const { client } of crowd.people) {
        expect(client.state).toBe('connected');
        const { userId, nodeId } = client.session ?? {};
        expect(nodeId).toBe(stage().ring().owner(`user:${userId}`)?.id);
      }
      // by their own goodbye to a node that they had left, and in no other way
      expect([...crowd.ledger.closes.keys()]).toEqual([1000]);
    });
    expect(flaws).toEqual([]);
  });
});
