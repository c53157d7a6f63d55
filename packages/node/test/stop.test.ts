import { CLOSE } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';

describe('a node that is stopped', () => {
  it.each(['0', '1', '5000'])('with a grace of %s ms ends its sessions and is done', async (grace) => {
    await using cluster = await TestCluster.start(1, {
      RINGWAY_STOP_GRACE: grace,
      RINGWAY_STOP_SPREAD: '20',
    });
    const clients = [await cluster.connect('a'), await cluster.connect('b')];
    await cluster.remove('node-1');
    for (const client of clients) {
      expect(await client.closed).toEqual({ code: CLOSE.going_away.code, reason: 'going_away' });
    }
  });
});
