import { describe, expect, it } from 'vitest';
import { encodePublish } from '../src/peers/wire.ts';
import { TestCluster, waitFor } from './support/cluster.ts';
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
