import type { Position } from '@ringway/protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { encodeControl, KIND } from '../src/peers/wire.ts';
import { labelled, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { batch, Dialler, peerHeaders } from './support/dialler.ts';

describe('the home of a channel with a long backlog', () => {
  let cluster: TestCluster;
  let node: Node;
  const diallers: Dialler[] = [];
  const position = { epoch: 'another', seq: 0 };
  const publish = async (body: object[]) => {
    const answer = await fetch(`${node.addresses.internalUrl}/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as { reached: number }[];
  };
  beforeAll(async () => {
    cluster = await TestCluster.start(1, { RINGWAY_PEER_WAITING_BYTES: '1048576' });
    node = cluster.node('node-1');
    const long = Array.from({ length: 20 }, () => ({ to: 'group:long', data: 'x'.repeat(45_000) }));
    for (let i = 0; i < 15; i++) await publish(long);
  });

  afterEach(() => {
    for (const dialler of diallers.splice(0)) dialler.socket.terminate();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  async function dial(): Promise<Dialler> {
    const dialler = new Dialler(node, peerHeaders(node, 'node-9'));
    diallers.push(dialler);
    await dialler.answered;
    return dialler;
  }

  it('gives a holder its beginning and the newest message, for the rest to be read as a hole', async () => {
    const peer = await dial();
    // who is elsewhere reads what there is; where it ends
    const control = encodeControl({
      t: 'read',
      correlation: 1,
      channel: 'group:long',
      since: position,
      limit: 0,
    });
    peer.socket.send(batch(control));
    await waitFor(() => peer.control('readEnd').length === 1, 'the place where the log begins');
    const epoch = peer.control('readEnd')[0]?.start?.epoch ?? '';
    const start = 0;
    peer.socket.send(
      batch(
        encodeControl({
          t: 'interest',
          correlation: 2,
          channel: 'group:long',
          sessions: 1,
          position: { epoch, seq: start },
        }),
      ),
    );
    const delivered = () => peer.records.filter(({ kind }) => kind === KIND.deliver);
    await waitFor(() => delivered().length === 3, 'the messages');
    expect(peer.control('interested')[0]).toMatchObject({ start: { epoch, seq: start }, goesOn: true });
    expect(delivered().map((record) => 'position' in record && record.position?.seq)).toEqual([
      start + 1,
      start + 2,
      start + 300,
    ]);
  });

  it('tells a holder that checks where it is behind, and what it is not registered for', async () => {
    await publish([{ to: 'group:checked', data: 1 }]);
    const peer = await dial();
    peer.socket.send(
      batch(encodeControl({ t: 'interest', correlation: 1, channel: 'group:checked', sessions: 1 })),
    );
    await waitFor(() => peer.control('interested').length === 1, 'the answer');
    const head = peer.control('interested')[0]?.start ?? { epoch: '', seq: 0 };
    const behind = { ...head, seq: head.seq - 1 };
    const check = (at: Position) =>
      encodeControl({
        t: 'check',
        items: [
          { channel: 'group:checked', sessions: 1, at },
          { channel: 'group:unknown', sessions: 1, at },
        ],
      });
    peer.socket.send(batch(check(behind)));
    await waitFor(() => peer.control('checked').length === 1, 'what is wrong');
    expect(peer.control('checked')).toEqual([
      { t: 'checked', lost: ['group:unknown'], behind: [{ channel: 'group:checked', head }] },
    ]);
  });

  it('takes no interest any more from a link that it has given up over that', async () => {
    const givenUp = async () => labelled(await metrics(node), 'ringway_refused_total', 'reason', 'peer');
    const before = await givenUp();
    const peer = await dial();
    peer.socket.pause();
    // the answers to the reads are more than may wait, so that the link ends before the interest is looked at
    const reads = Array.from({ length: 40 }, (_, i) =>
      encodeControl({ t: 'read', correlation: i + 1, channel: 'group:long', since: position, limit: 300 }),
    );
    const interest = encodeControl({ t: 'interest', correlation: 99, channel: 'group:late', sessions: 1 });
    peer.socket.send(batch(...reads, interest));
    await waitFor(async () => (await givenUp()) > before, 'the link to be given up');
    expect(await publish([{ to: 'group:late', data: 1 }])).toMatchObject([{ reached: 0 }]);
    peer.socket.resume();
    await peer.closed;
  });
});
