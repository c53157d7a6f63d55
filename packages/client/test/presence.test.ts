import { JoinRefusedError, type RingwayClient } from '@ringway/client';
import { type PresenceState, watchPresence } from '@ringway/client/presence';
import { expect, test } from 'vitest';
import { cluster, watch } from './support/clients.ts';
import type { TestCluster } from './support/cluster.ts';
import { until } from './support/until.ts';

const BOB = 'presence:user:bob';

/** Nodes that say, right behind `joined` and in a message without a position, how things stand. */
async function presence(): Promise<{
  ringway: TestCluster;
  online: Set<string>;
  say(online: boolean): void;
}> {
  const ringway = await cluster(2);
  const online = new Set<string>();
  let ids = 0;
  for (const node of ringway.nodes) {
    node.intercept = (frame, session) => {
      if (frame.type !== 'join') return false;
      const userId = frame.channel.replace('presence:user:', '');
      ringway.handle(frame, session);
      session.send({
        type: 'message',
        channel: frame.channel,
        id: `now-${ids++}`,
        from: 'service:ringway',
        data: { userId, online: online.has(userId) },
      });
      return true;
    };
  }
  const say = (isOnline: boolean): void => {
    if (isOnline) online.add('bob');
    else online.delete('bob');
    ringway.publish(BOB, 'service:ringway', `p${ids++}`, { userId: 'bob', online: isOnline });
  };
  return { ringway, online, say };
}

async function connected(ringway: TestCluster): Promise<RingwayClient> {
  const { client } = watch(ringway);
  await client.connect();
  return client;
}

test('a watch tells how things stand, and then what changes, each once', async () => {
  const { ringway, online, say } = await presence();
  online.add('carol');
  const client = await connected(ringway);
  const told: PresenceState[] = [];
  const held = await watchPresence(client, ['bob', 'carol', 'bob'], (state) => told.push(state));
  await until(() => expect(told).toHaveLength(2));
  expect(told).toContainEqual({ userId: 'bob', online: false });
  expect(told).toContainEqual({ userId: 'carol', online: true });
  // a home that has changed says it again
  say(false);
  say(true);
  say(true);
  say(false);
  await until(() => expect(told.slice(2).map((one) => one.online)).toEqual([true, false]));
  held.close();
  held.close();
  expect(ringway.node(0).session.sent('leave').length).toBeLessThanOrEqual(2);
  await until(() => expect(ringway.node(0).session.sent('leave')).toHaveLength(2));
  say(true);
  await client.publish('user:alice', 'behind it');
  expect(told).toHaveLength(4);
});

test('after a reconnect what was missed is told in its order, and nothing where nothing changed', async () => {
  const { ringway, say } = await presence();
  const client = await connected(ringway);
  const told: boolean[] = [];
  await watchPresence(client, ['bob'], (state) => told.push(state.online));
  await until(() => expect(told).toEqual([false]));
  const before = ringway.node(0).session;
  before.socket.terminate();
  await until(() => expect(ringway.node(0).session).not.toBe(before));
  await until(() => expect(ringway.node(0).session.sent('join')).toHaveLength(1));
  say(true);
  await until(() => expect(told).toEqual([false, true]));
  await ringway.node(0).kill();
  say(false);
  say(true);
  say(false);
  await ringway.node(0).start();
  await until(() => expect(told).toEqual([false, true, false, true, false]));
});

test('behind a gap it asks how things stand now', async () => {
  const { ringway, say } = await presence();
  const { client, gaps } = watch(ringway);
  await client.connect();
  const told: boolean[] = [];
  await watchPresence(client, ['bob'], (state) => told.push(state.online));
  say(true);
  await until(() => expect(told).toEqual([false, true]));
  await ringway.node(0).kill();
  // said and lost, as with a node that had it in memory
  say(false);
  ringway.log(BOB).trim(100);
  ringway.log(BOB).newEpoch('e2');
  await ringway.node(0).start();
  await until(() => expect(told).toEqual([false, true, false]));
  expect(gaps.map(({ channel }) => channel)).toEqual([BOB]);
  say(true);
  await until(() => expect(told).toEqual([false, true, false, true]));
});

test('two watches of one user are one channel, left with the second', async () => {
  const { ringway, say } = await presence();
  const client = await connected(ringway);
  const told: boolean[][] = [[], []];
  const first = await watchPresence(client, ['bob'], (state) => told[0]?.push(state.online));
  await until(() => expect(told[0]).toEqual([false]));
  const second = await watchPresence(client, ['bob'], (state) => told[1]?.push(state.online));
  expect(told[1]).toEqual([false]);
  expect(ringway.node(0).session.sent('join')).toHaveLength(1);
  first.close();
  say(true);
  await until(() => expect(told).toEqual([[false], [false, true]]));
  expect(ringway.node(0).session.sent('leave')).toEqual([]);
  second.close();
  await until(() => expect(ringway.node(0).session.sent('leave')).toEqual([{ type: 'leave', channel: BOB }]));
});

test('one user that may not be watched, and none is', async () => {
  const { ringway } = await presence();
  const { intercept } = ringway.node(0);
  ringway.node(0).intercept = (frame, session) => {
    if (frame.type !== 'join' || frame.channel !== 'presence:user:mallory') return intercept(frame, session);
    const { channel } = frame;
    session.send({ type: 'error', code: 'forbidden', message: 'no', retryable: false, channel });
    return true;
  };
  const client = await connected(ringway);
  const refused = await watchPresence(client, ['bob', 'mallory'], () => {}).catch((error) => error);
  expect(refused).toBeInstanceOf(JoinRefusedError);
  expect(refused).toMatchObject({ channel: 'presence:user:mallory' });
  await until(() => expect(ringway.node(0).session.sent('leave')).toEqual([{ type: 'leave', channel: BOB }]));
});

test('a watch is silent after close(), and goes on with the next connect()', async () => {
  const { ringway, say } = await presence();
  const client = await connected(ringway);
  const told: boolean[] = [];
  await watchPresence(client, ['bob'], (state) => told.push(state.online));
  await until(() => expect(told).toEqual([false]));
  await client.close();
  say(true);
  await client.connect();
  await until(() => expect(told).toEqual([false, true]));
});
