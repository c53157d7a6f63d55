import { memoryMembership } from '@ringway/membership';
import { describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import {
  encodeControl,
  encodeList,
  encodePublish,
  KIND,
  type PeerRecord,
  type PublishRecord,
} from '../src/peers/wire.ts';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { batch, Dialler, peerHeaders } from './support/dialler.ts';
import { hello, impostor } from './support/impostor.ts';

describe('a publish between nodes that see different rings', () => {
  /** A node of which `node-2`, in the hands of the test, is a peer: it takes what the node sends it and answers nothing. */
  async function between(
    test: (made: {
      cluster: TestCluster;
      node: Node;
      peer: Dialler;
      /** What the node has sent to its peer. */
      sent: PeerRecord[];
      /** A channel whose home is the peer. */
      theirs: string;
      /** Leaves the peer so small a share that nearly all is this node's. */
      shrink: () => Promise<void>;
    }) => Promise<void>,
    homeTimeout = '300',
  ): Promise<void> {
    await using cluster = await TestCluster.start(1, {
      RINGWAY_HOME_TIMEOUT: homeTimeout,
      RINGWAY_STOP_GRACE: '1000',
    });
    const node = cluster.node('node-1');
    const sent: PeerRecord[] = [];
    const fake = await impostor(
      (nonce, { id, incarnation }) => [hello(nonce, id, incarnation)],
      (record) => sent.push(record),
    );
    const membership = memoryMembership(cluster.registry);
    const peer = new Dialler(node, peerHeaders(node, 'node-2'));
    try {
      await membership.register(fake.member);
      await peer.answered;
      await waitFor(async () => metric(await metrics(node), 'ringway_peer_links') === 1, 'the link');
      await waitFor(() => cluster.watcher.current.size === 2, 'the ring');
      const theirs = `user:${cluster.userOn('node-2')}`;
      const shrink = async () => {
        await membership.register({ ...fake.member, weight: 0.01 });
        await waitFor(() => cluster.watcher.current.owner(theirs)?.id === 'node-1', 'the ring');
      };
      await test({ cluster, node, peer, sent, theirs, shrink });
    } finally {
      peer.socket.terminate();
      await membership.close();
      await fake.close();
    }
  }

  const isPublish = (record: PeerRecord) => record.kind === KIND.publish;
  const message = { from: '"user:a"', id: '"1"', data: '1', ephemeral: false };

  it('is sent on once, and says so', async () => {
    await between(async ({ peer, sent, theirs }) => {
      peer.socket.send(batch(encodePublish(theirs, message, true, 1, false)));
      await waitFor(() => sent.some(isPublish), 'the publish');
      expect(sent.filter(isPublish)).toMatchObject([{ channel: theirs, forwarded: true, dedupe: true }]);
    });
  });

  it('is not sent on a second time: it goes back to whoever sent it on, and what is behind it does, until it comes again', async () => {
    await between(async ({ peer, sent, theirs, shrink }) => {
      const answers = () => peer.records.filter(({ kind }) => kind === KIND.answer);
      peer.socket.send(batch(encodePublish(theirs, message, true, 7, true)));
      await waitFor(() => answers().length === 1, 'the answer');
      await shrink();
      // had been on its way when the first went back
      const next = { ...message, id: '"2"' };
      peer.socket.send(batch(encodePublish(theirs, next, true, 8, true)));
      await waitFor(() => answers().length === 2, 'the second answer');
      peer.socket.send(
        batch(
          encodePublish(theirs, message, true, 9, true, true),
          encodePublish(theirs, next, true, 10, true),
        ),
      );
      await waitFor(() => answers().length === 4, 'the answers');
      expect(answers()).toMatchObject([
        { correlation: 7, code: 'not_home' },
        { correlation: 8, code: 'not_home' },
        { correlation: 9, code: undefined, position: { seq: 1 } },
        { correlation: 10, code: undefined, position: { seq: 2 } },
      ]);
      expect(sent.filter(isPublish)).toEqual([]);
    });
  });

  it('as a list is sent on once for each channel that is not here', async () => {
    await between(async ({ cluster, peer, sent, theirs }) => {
      const ours = `user:${cluster.userOn('node-1')}`;
      peer.socket.send(batch(encodeList([theirs, ours], message, true, 3)));
      await waitFor(() => sent.some(isPublish), 'the publish');
      expect(sent.filter(isPublish)).toMatchObject([{ channel: theirs, forwarded: true }]);
      expect(sent.some(({ kind }) => kind === KIND.list)).toBe(false);
    });
  });

  it('that comes back is stored at once, past what waits for it', async () => {
    await between(async ({ cluster, node, peer, sent, theirs, shrink }) => {
      const client = await cluster.connect(cluster.userOn('node-1'), node);
      for (const id of ['1', '2']) client.send({ type: 'publish', to: theirs, id, data: 1 });
      await waitFor(() => sent.filter(isPublish).length === 2, 'both publishes');
      await shrink();
      // waits for the two that are with the peer
      client.send({ type: 'publish', to: theirs, id: '3', data: 1 });
      client.send({ type: 'ping' });
      await client.next('pong');
      for (const [i, record] of sent.filter(isPublish).entries()) {
        peer.socket.send(batch(encodePublish(theirs, record as PublishRecord, true, i + 1, true)));
      }
      const answers = () => peer.records.filter(({ kind }) => kind === KIND.answer);
      await waitFor(() => answers().length === 2, 'the answers', 3_000);
      expect(answers()).toMatchObject([1, 2].map((n) => ({ correlation: n, position: { seq: n } })));
    }, '20000');
  });

  it('is dropped when who sent it is gone before it can be stored: it asks elsewhere', async () => {
    await between(async ({ cluster, node, peer, theirs }) => {
      peer.socket.send(batch(encodePublish(theirs, message, true, 1, true)));
      peer.socket.send(batch(encodeControl({ t: 'heartbeat', unheard: [], echo: true })));
      await waitFor(() => peer.control('heartbeat').length === 1, 'both to be taken');
      peer.socket.terminate();
      await peer.closed;
      cluster.registry.fail('node-2');
      await waitFor(async () => metric(await metrics(node), 'ringway_ring_members') === 1, 'the ring');
      const client = await cluster.connect(theirs.slice(5), node);
      client.send({ type: 'resume', last: 10 });
      await client.next('resumed');
      expect(client.all('message')).toEqual([]);
    });
  });
});
