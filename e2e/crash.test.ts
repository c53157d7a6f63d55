import { freePorts, startTcpProxy, type TcpProxy, waitFor } from '@ringway/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { amidTalk } from './support/company.ts';
import { useStage } from './support/stage.ts';

// Clients reach node-2 by a wire that can be pulled out; and everyone notices a silence soon.
let wire: TcpProxy | undefined;
const stage = useStage(async () => {
  const [port = 0] = await freePorts(1);
  wire = await startTcpProxy({ port });
  return {
    nodeEnv: { RINGWAY_PING_INTERVAL: '1s', RINGWAY_PING_TIMEOUT: '1s' },
    envOf: {
      'node-2': {
        RINGWAY_PUBLIC_LISTEN: `127.0.0.1:${port}`,
        RINGWAY_PUBLIC_URL: `wss://127.0.0.1:${wire.port}`,
      },
    },
  };
});
afterAll(() => wire?.[Symbol.asyncDispose]());

const FROZEN_MS = 8_000;

describe('a node that is frozen for eight seconds, then thawed', () => {
  it('finds itself out of the ring, and nothing that was confirmed meanwhile or after is lost or doubled', async () => {
    const { cluster } = stage();
    const node = cluster.node('node-1');
    // it does not come back by itself as the SDK does: whatever the node does with its words, it must do to all
    const raw = await stage().session(stage().userOn('node-1'));
    const listener = await stage().person(stage().userOn('node-1'));
    const flaws = await amidTalk(cluster, {}, async (crowd) => {
      const frozenAt = performance.now();
      node.freeze();
      // said into the frozen node's ear, to be found there when it wakes
      for (let i = 0; i < 10; i++) {
        raw.send({ type: 'publish', to: `user:${listener.userId}`, id: `raw-${i}`, data: `raw ${i}` });
      }
      await listener.arrives(stage().ring().owners(`user:${listener.userId}`, 2)[1]?.id ?? '');
      await waitFor(async () => (await cluster.ringMembers()).length === 2, {
        message: 'Consul has noticed',
        timeout: 20_000,
      });
      await waitFor(() => crowd.people.every(({ client }) => client.session?.nodeId !== 'node-1'), {
        message: 'everyone is elsewhere',
        timeout: 30_000,
      });
      await waitFor(() => performance.now() - frozenAt > FROZEN_MS, { message: 'eight seconds of it' });
      node.thaw();
      await stage().settled();
    });
    expect(flaws).toEqual([]);
    // and of those words each was either confirmed and heard, or told as a gap, or not confirmed
    const confirmed = raw.frames.flatMap((frame) => (frame.type === 'published' ? [frame.id] : []));
    await waitFor(
      () =>
        listener.gaps.length > 0 ||
        confirmed.every((id) => listener.messages.some((message) => message.id === id)),
      { message: `what was confirmed (${confirmed.join(', ')}) is heard, or told: ${listener.story()}` },
    );
  });
});

describe('a cable that is pulled between a node and its clients', () => {
  it('is noticed by the silence alone: they come back elsewhere, and miss nothing untold', async () => {
    const { cluster } = stage();
    const alice = await stage().person(stage().userOn('node-2'));
    const flaws = await amidTalk(cluster, {}, async (crowd) => {
      const cutOff = crowd.people.filter(({ client }) => client.session?.nodeId === 'node-2');
      expect(cutOff.length).toBeGreaterThan(0);
      wire?.stall();
      // no packet comes back: the pings tell
      await waitFor(() => alice.states.some(({ old }) => old === 'connected'), {
        message: 'alice notices the silence',
        timeout: 20_000,
      });
      await waitFor(() => cutOff.every(({ client }) => (client.session?.nodeId ?? 'node-2') !== 'node-2'), {
        message: 'everyone of node-2 is elsewhere',
        timeout: 45_000,
      });
      await alice.arrives(stage().ring().owners(`user:${alice.userId}`, 2)[1]?.id ?? '');
      // the node has noticed as well, and holds nobody
      await waitFor(async () => (await cluster.node('node-2').metric('ringway_sessions')) === 0, {
        message: 'node-2 has given them up',
        timeout: 20_000,
      });
      wire?.heal();
    });
    expect(flaws).toEqual([]);
  });
});
