import { waitFor } from '@ringway/testkit';
import { describe, expect, it } from 'vitest';
import { amidTalk } from './support/company.ts';
import { useStage } from './support/stage.ts';

const stage = useStage();

/** Beyond the link timeout of 3 s, so that its successor speaks for it; too short for Consul and its clients to leave it. */
const FROZEN_MS = 4_000;

describe('a node that is frozen for longer than the link timeout, and back before Consul lets it go', () => {
  it('does not speak for its channels before its successor has stopped to: nothing confirmed is missing untold', async () => {
    const { cluster } = stage();
    const node = cluster.node('node-1');
    const flaws = await amidTalk(cluster, {}, async (crowd) => {
      for (let round = 0; round < 3; round++) {
        const before = crowd.ledger.publishes.length;
        node.freeze();
        const frozenAt = performance.now();
        await waitFor(() => performance.now() - frozenAt > FROZEN_MS, { message: 'four seconds of it' });
        node.thaw();
        await stage().settled();
        await waitFor(() => crowd.ledger.publishes.length > before + 700, {
          message: 'a while of talk',
          timeout: 30_000,
        });
      }
    });
    expect(flaws).toEqual([]);
  });
});
