import { buildRing } from '@ringway/ring';
import { describe, expect, it } from 'vitest';
import type { TestClient } from './support/client.ts';
import { TestCluster, waitFor } from './support/cluster.ts';
import { numbers, published, Talker } from './support/talk.ts';

/** Says some numbers, each of them confirmed. */
async function say(speaker: TestClient, to: string, count: number, name: string): Promise<void> {
  const talker = new Talker(speaker, to, name);
  for (let i = 0; i < count; i++) talker.say();
  expect(published(await talker.stop())).toHaveLength(count);
}

/** Someone who has heard one message and then goes away, while two more come. */
async function goesAway(cluster: TestCluster, userId: string, speaker: TestClient) {
  const channel = `user:${userId}`;
  const client = await cluster.connect(userId);
  await say(speaker, channel, 1, 'before');
  const { position } = await client.next('message');
  client.socket.close();
  await client.closed;
  await say(speaker, channel, 2, 'away');
  return { channel, position };
}

describe('with the memory log, a client that was away', () => {
  it('while its home left is told a gap that begins where it stands, and goes on behind it', async () => {
    await using cluster = await TestCluster.start(3);
    const bob = cluster.userOn('node-1', 'bob');
    const alice = await cluster.connect(cluster.userOn('node-2', 'alice'));
    const { channel, position } = await goesAway(cluster, bob, alice);
    await cluster.remove('node-1');
    await cluster.settled();
    const back = await cluster.connect(bob);
    back.send({ type: 'resume', positions: { [channel]: position } });
    expect(await back.next('gap')).toMatchObject({ channel, after: position });
    await back.next('resumed');
    expect(back.all('message')).toEqual([]);
    await say(alice, channel, 1, 'after');
    await waitFor(() => numbers(back).length === 1, 'what is said now');
    expect(back.all('gap')).toHaveLength(1);
  });

  it('while a node became its home is given what its former home has kept', async () => {
    await using cluster = await TestCluster.start(2);
    const after = buildRing(['node-1', 'node-2', 'node-3'].map((id) => ({ id, weight: 1 })));
    const users = Array.from({ length: 100 }, (_, i) => `bob-${i}`);
    const bob = users.find((userId) => {
      return after.owner(`user:${userId}`)?.id === 'node-3' && cluster.ownerOf(userId).id === 'node-1';
    }) as string;
    const alice = await cluster.connect(cluster.userOn('node-2', 'alice'));
    const { channel, position } = await goesAway(cluster, bob, alice);
    await cluster.add('node-3');
    await cluster.settled();
    expect(cluster.ownerOf(bob).id).toBe('node-3');
    const back = await cluster.connect(bob);
    back.send({ type: 'resume', positions: { [channel]: position } });
    await back.next('resumed');
    expect(numbers(back)).toEqual([0, 1]);
    expect(back.all('gap')).toEqual([]);
  });
});
