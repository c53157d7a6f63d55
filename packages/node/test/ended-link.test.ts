import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Peers } from '../src/peers/peers.ts';
import { encodePublish } from '../src/peers/wire.ts';
import { clusterKeys, TestCluster, waitFor } from './support/cluster.ts';
import { batch, Dialler, peerHeaders } from './support/dialler.ts';

describe('a link that has ended', () => {
  it('does nothing of what came behind a batch that is none', async () => {
    await using cluster = await TestCluster.start(1);
    const node = cluster.node('node-1');
    const peer = new Dialler(node, peerHeaders(node, 'node-9'));
    await peer.answered;
    await waitFor(() => peer.control('hello').length === 1, 'the greeting');
    const client = await cluster.connect('behind');
    const late = { from: '"user:a"', id: '"late"', data: '1', ephemeral: false };
    const socket = (peer.socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
    socket.cork();
    peer.socket.send(Buffer.from([9, 0]));
    peer.socket.send(batch(encodePublish('user:behind', late, true, 1, false)));
    socket.uncork();
    await peer.closed;
    client.send({ type: 'publish', to: 'user:behind', id: 'first', data: 1 });
    expect(await client.next('published')).toMatchObject({ position: { seq: 1 } });
  });
});

describe('a node that does not run', () => {
  it('serves no peer', async () => {
    const peers = new Peers({
      self: { id: 'node-1', incarnation: 'i1' },
      cluster: 'ringway',
      keys: clusterKeys,
      linkTimeoutMs: 600,
      highWaterBytes: 1_000,
      maxWaitingBytes: 1_000,
      maxFrameBytes: 1_000,
      checksum: () => 'c',
      awake: () => true,
      now: () => performance.now(),
      nonce: () => 'nonce',
      onMismatch: () => {},
      onRefused: () => {},
    });
    const server = createServer().listen(0, '127.0.0.1');
    server.on('upgrade', (request, socket, head) => peers.accept(request, socket, head));
    await once(server, 'listening');
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const [error] = await once(socket, 'error').catch((thrown: Error) => [thrown]);
    expect(error.message).toContain('503');
    await peers.stop();
    await new Promise((resolve) => server.close(resolve));
  });
});
