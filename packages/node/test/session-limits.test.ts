import { CLOSE } from '@ringway/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { labelled, metric, metrics, TestCluster, waitFor } from './support/cluster.ts';

describe('the number of sessions', () => {
  it('of the node is bounded, and whoever comes too late is told to avoid it', async () => {
    await using cluster = await TestCluster.start(1, { RINGWAY_MAX_SESSIONS: '2' });
    const node = cluster.node('node-1');
    const first = await cluster.connect('a');
    await cluster.connect('b');
    const late = cluster.open(node, cluster.ticket('c', node));
    expect(await late.closed).toEqual({ code: CLOSE.node_full.code, reason: 'node_full' });
    first.socket.close();
    await first.closed;
    await waitFor(() => node.sessions === 1, 'room');
    await cluster.connect('c');
  });

  it('of a user is bounded, on that node and for that user alone', async () => {
    await using cluster = await TestCluster.start(1, { RINGWAY_MAX_USER_SESSIONS: '2' });
    const node = cluster.node('node-1');
    const first = await cluster.connect('a');
    await cluster.connect('a');
    const third = cluster.open(node, cluster.ticket('a', node));
    expect(await third.closed).toEqual({ code: CLOSE.user_sessions.code, reason: 'user_sessions' });
    await cluster.connect('b');
    first.socket.terminate();
    await waitFor(() => node.sessions === 2, 'room');
    await cluster.connect('a');
  });
});

describe('a client that does not read', () => {
  let cluster: TestCluster;
  let node: Node;
  beforeAll(async () => {
    cluster = await TestCluster.start(1, {
      RINGWAY_WAITING_BYTES: '262144',
      RINGWAY_PUBLISHES_PER_SECOND: '1000000',
    });
    node = cluster.node('node-1');
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('is closed as too slow, with bounded memory, and nobody else is', async () => {
    const slow = await cluster.connect('slow');
    const quick = await cluster.connect('quick');
    const sender = await cluster.connect('sender');
    slow.socket.pause();
    const data = 'x'.repeat(20_000);
    let most = 0;
    let sent = 0;
    await waitFor(async () => {
      for (let i = 0; i < 100; i++) {
        const to = { users: ['slow', 'quick'] };
        sender.send({ type: 'publish', to, id: `s${sent++}`, data, ephemeral: true });
      }
      await waitFor(() => sender.all('published').length === sent, 'all answers');
      const text = await metrics(node);
      most = Math.max(most, metric(text, 'ringway_send_buffer_bytes'));
      return labelled(text, 'ringway_closes_total', 'code', CLOSE.slow_consumer.code) === 1;
    }, 'the slow one to be closed');
    // the bound, and what one turn of the loop may add to it
    expect(most).toBeLessThan(262_144 + 200_000);
    expect(node.sessions).toBe(2);
    slow.socket.resume();
    expect([CLOSE.slow_consumer.code, 1006]).toContain((await slow.closed).code);
    await waitFor(() => quick.all('message').length === sent, 'all messages');
  });

  it('leaves the live stream for the log when it lags, and comes back to it with nothing missing', async () => {
    const lagging = await cluster.connect('lagging');
    const sender = await cluster.connect('sender');
    lagging.socket.pause();
    const data = 'x'.repeat(20_000);
    const count = 500;
    let most = 0;
    for (let i = 0; i < count; i++) {
      sender.send({ type: 'publish', to: 'user:lagging', id: `l${i}`, data });
      if (i % 50 > 0) continue;
      await waitFor(() => sender.all('published').length === i + 1, 'the answer');
      most = Math.max(most, metric(await metrics(node), 'ringway_send_buffer_bytes'));
    }
    await waitFor(() => sender.all('published').length === count, 'all answers');
    expect(most).toBeLessThan(262_144);
    expect(metric(await metrics(node), 'ringway_lags_total')).toBeGreaterThan(0);
    lagging.socket.resume();
    await waitFor(() => lagging.all('message').length === count, 'all messages');
    sender.send({ type: 'publish', to: 'user:lagging', id: 'live', data: 'live' });
    await waitFor(() => lagging.all('message').at(-1)?.id === 'live', 'the live one');
    const ids = [...Array(count).keys()].map((i) => `l${i}`);
    expect(lagging.all('message').map(({ id }) => id)).toEqual([...ids, 'live']);
    const frames = lagging.all('message');
    for (const [i, frame] of frames.entries())
      if (i > 0) expect(frame.previous).toEqual(frames[i - 1]?.position);
    expect(lagging.all('gap')).toEqual([]);
  });

  it('is given a backlog as it drains, however much that is, and is not taken for slow meanwhile', async () => {
    const sender = await cluster.connect('sender');
    const before = await cluster.connect('back');
    const position = before.all('welcome')[0]?.position;
    before.socket.close();
    await before.closed;
    const data = 'x'.repeat(50_000);
    const count = 400;
    for (let i = 0; i < count; i++) sender.send({ type: 'publish', to: 'user:back', id: `b${i}`, data });
    await waitFor(() => sender.all('published').length === count, 'all answers');
    const ids = [...Array(count).keys()].map((i) => `b${i}`);
    for (const resume of [{ positions: { 'user:back': position } }, { last: count }]) {
      const client = await cluster.connect('back');
      client.send({ type: 'resume', ...resume });
      await client.next('message');
      client.socket.pause();
      let waiting = Number.NaN;
      await waitFor(async () => {
        const was = waiting;
        waiting = metric(await metrics(node), 'ringway_send_buffer_bytes');
        expect(waiting).toBeLessThan(262_144 + 100_000);
        return waiting === was && waiting > 0;
      }, 'the client to be as full as it may be');
      client.socket.resume();
      await client.next('resumed');
      expect(client.all('message').map(({ id }) => id)).toEqual(ids);
      expect(client.all('gap')).toEqual([]);
      sender.send({ type: 'publish', to: 'user:back', id: 'live', data: 'live', ephemeral: true });
      await waitFor(() => client.all('message').at(-1)?.id === 'live', 'the live one');
      client.socket.close();
      await client.closed;
    }
  });
});

describe('a guest with a backlog that is more than a link may hold', () => {
  it('is given all of it by its home, and the link stands', async () => {
    await using cluster = await TestCluster.start(2, {
      RINGWAY_PEER_WAITING_BYTES: '1048576',
      RINGWAY_PUBLISHES_PER_SECOND: '100000',
    });
    const bob = cluster.userOn('node-1', 'bob');
    const count = 100;
    const sender = await cluster.connect(cluster.userOn('node-1', 'sender'));
    const before = await cluster.connect(bob);
    const position = before.all('welcome')[0]?.position;
    const data = 'x'.repeat(50_000);
    for (let i = 0; i < count; i++) sender.send({ type: 'publish', to: `user:${bob}`, id: `b${i}`, data });
    await waitFor(() => sender.all('published').length === count, 'all answers');
    const ids = [...Array(count).keys()].map((i) => `b${i}`);
    for (const resume of [{ positions: { [`user:${bob}`]: position } }, { last: count }]) {
      const guest = await cluster.connect(bob, cluster.node('node-2'));
      guest.send({ type: 'resume', ...resume });
      await guest.next('resumed');
      expect(guest.all('message').map(({ id }) => id)).toEqual(ids);
      expect(guest.all('gap')).toEqual([]);
    }
    for (const node of cluster.nodes.values()) {
      expect(labelled(await metrics(node), 'ringway_refused_total', 'reason', 'peer')).toBe(0);
    }
  });
});

describe('pings', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start(1, { RINGWAY_PING_INTERVAL: '200', RINGWAY_PING_TIMEOUT: '100' });
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('keep who answers, and close who does not', async () => {
    const [lively, quiet] = [await cluster.connect('lively'), await cluster.connect('quiet')];
    expect(lively.all('welcome')[0]?.ping).toEqual({ intervalMs: 200, timeoutMs: 100 });
    quiet.answerPings = false;
    expect(await quiet.closed).toEqual({ code: CLOSE.ping_timeout.code, reason: 'ping_timeout' });
    await waitFor(() => lively.all('ping').length >= 5, 'five pings');
    expect(lively.socket.readyState).toBe(1);
  });

  it('are not needed by who talks anyway', async () => {
    const talker = await cluster.connect('talker');
    talker.answerPings = false;
    await waitFor(() => {
      talker.send({ type: 'ping' });
      return talker.all('ping').length >= 4;
    }, 'four pings');
    expect(talker.socket.readyState).toBe(1);
  });

  it('come after the welcome', async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => cluster.connect(`early-${i}`)));
    for (const client of clients) expect(client.frames[0]?.type).toBe('welcome');
  });
});
