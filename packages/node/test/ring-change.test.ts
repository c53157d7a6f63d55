import { CLOSE } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import type { TestClient } from './support/client.ts';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { expectTold, numbers, published, Talker } from './support/talk.ts';

const ENV = { RINGWAY_PUBLISHES_PER_SECOND: '100000', RINGWAY_LINK_TIMEOUT: '1000' };

interface Talk {
  readonly channel: string;
  readonly talker: Talker;
  readonly listeners: TestClient[];
}

/** Users and groups all over the ring, each spoken to without a pause by somebody on some node. */
async function talks(cluster: TestCluster): Promise<Talk[]> {
  const made: Talk[] = [];
  for (let i = 0; i < 12; i++) {
    const listeners = [await cluster.connect(`listener-${i}`)];
    const nodes = [...cluster.nodes.values()];
    const speaker = await cluster.connect(`speaker-${i}`, nodes[i % nodes.length]);
    let channel = `user:listener-${i}`;
    if (i % 3 === 0) {
      channel = `group:g-${i}`;
      listeners.push(await cluster.connect(`member-${i}`, nodes[(i + 1) % nodes.length]));
      for (const listener of listeners) {
        listener.send({ type: 'join', channel });
        await listener.next('joined');
      }
    }
    made.push({ channel, talker: new Talker(speaker, channel, channel).start(10), listeners });
  }
  return made;
}

/** All talks go on and reach everyone who is still there. */
async function flowing(all: readonly Talk[]): Promise<void> {
  for (const { talker, listeners, channel } of all) {
    const from = talker.sent;
    for (const listener of listeners) {
      if (listener.socket.readyState !== 1) continue;
      await waitFor(() => (numbers(listener, channel).at(-1) ?? -1) >= from, `${channel} to go on`);
    }
  }
}

/** Every publish was answered, and everyone got what they should, or was told; at most so many gaps a channel. */
async function settledAndTold(all: readonly Talk[], gaps: number): Promise<void> {
  for (const { talker, listeners, channel } of all) {
    const answers = await talker.stop();
    const stored = published(answers);
    expect(stored, `${channel}: ${[...new Set(answers.values())]}`).toHaveLength(talker.sent);
    for (const listener of listeners) {
      if (listener.socket.readyState !== 1) continue;
      await waitFor(() => numbers(listener, channel).at(-1) === talker.sent - 1, `the last of ${channel}`);
      expectTold(listener, stored);
      expect(listener.all('gap').filter((gap) => gap.channel === channel).length).toBeLessThanOrEqual(gaps);
    }
  }
}

describe('a node that is added under load', () => {
  it('becomes the home of its share: messages go on reaching everyone, none twice, a gap told at most once', async () => {
    await using cluster = await TestCluster.start(3, ENV);
    const all = await talks(cluster);
    await flowing(all);
    await cluster.add('node-4', ENV);
    await cluster.settled();
    const moved = all.filter(({ channel }) => cluster.watcher.current.owner(channel)?.id === 'node-4');
    expect(moved.length).toBeGreaterThan(0);
    await waitFor(async () => {
      const guests = await Promise.all(
        ['node-1', 'node-2', 'node-3'].map(async (id) =>
          metric(await metrics(cluster.node(id)), 'ringway_guest_channels'),
        ),
      );
      return guests.reduce((a, b) => a + b, 0) >= moved.length;
    }, 'the moved sessions to be guests');
    await flowing(all);
    for (const { listeners } of all)
      for (const listener of listeners) expect(listener.socket.readyState).toBe(1);
    await settledAndTold(all, 0);
    // what did not move was not touched
    for (const { listeners, channel } of all) {
      if (moved.some((one) => one.channel === channel)) continue;
      for (const listener of listeners) {
        expect(listener.all('gap').filter((gap) => gap.channel === channel)).toEqual([]);
      }
    }
  });

  it('and taken away again: nobody is given again what it had before', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const all = await talks(cluster);
    await flowing(all);
    for (let i = 0; i < 2; i++) {
      await cluster.add('node-3', ENV);
      await cluster.settled();
      await flowing(all);
      await cluster.remove('node-3');
      await cluster.settled();
      await flowing(all);
    }
    await settledAndTold(all, 0);
  });
});

describe('a node that is stopped gracefully under load', () => {
  it('asks its sessions to go elsewhere, and what it was home of goes on without it', async () => {
    await using cluster = await TestCluster.start(3, ENV);
    const all = await talks(cluster);
    await flowing(all);
    const leaving = cluster.node('node-2');
    const on = (client: TestClient) => client.all('welcome')[0]?.nodeId;
    const theirs = cluster.clients.filter((client) => on(client) === 'node-2');
    expect(theirs.length).toBeGreaterThan(0);
    // who speaks from there stops before, so that each of its publishes is answered
    const staying = all.filter(({ talker }) => on(talker.speaker) !== 'node-2');
    for (const talk of all) if (!staying.includes(talk)) await talk.talker.stop();
    await cluster.remove('node-2');
    expect(leaving.state).toBe('Terminated');
    for (const client of theirs) {
      expect(await client.closed).toEqual({ code: CLOSE.going_away.code, reason: 'going_away' });
    }
    await cluster.settled();
    const there = cluster.clients.filter((client) => on(client) !== 'node-2');
    for (const client of there) expect(client.socket.readyState).toBe(1);
    await flowing(staying);
    await settledAndTold(staying, 0);
    // who came from there comes to the new home, with what it has
    for (const { listeners, channel, talker } of staying) {
      const gone = listeners.find((listener) => on(listener) === 'node-2');
      const last = gone?.all('message').at(-1)?.position;
      if (!gone || !last || !channel.startsWith('user:')) continue;
      const again = await cluster.connect(channel.slice(5));
      again.send({ type: 'resume', positions: { [channel]: last } });
      await again.next('resumed');
      const had = numbers(gone);
      const got = numbers(again);
      expect(got.at(-1) ?? had.at(-1)).toBe(talker.sent - 1);
      if (got.length > 0 && got[0] !== (had.at(-1) ?? 0) + 1) expect(again.all('gap')).toHaveLength(1);
    }
  });

  it('takes no new session meanwhile, and is done within its grace', async () => {
    await using cluster = await TestCluster.start(2, { ...ENV, RINGWAY_STOP_SPREAD: '600' });
    const node = cluster.node('node-1');
    const ticket = cluster.ticket('late', node);
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, i) => cluster.connect(`some-${i}`, node)),
    );
    const stopped = cluster.remove('node-1');
    const late = cluster.open(node, ticket);
    expect((await late.closed).code).toBe(CLOSE.draining.code);
    // they are asked one after another, not in a burst
    await clients[0]?.closed;
    expect(clients.at(-1)?.socket.readyState).toBe(1);
    await stopped;
    for (const client of clients) expect((await client.closed).code).toBe(CLOSE.going_away.code);
  });
});
