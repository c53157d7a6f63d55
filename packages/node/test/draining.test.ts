import { CLOSE, type DrainAnswer } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { labelled, metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { Person } from './support/people.ts';

const ENV = { RINGWAY_MOVE: 'overlap', RINGWAY_MOVE_SPREAD: '200' };

async function ask(
  cluster: TestCluster,
  node: Node,
  method: 'GET' | 'POST' | 'DELETE',
  scope: 'admin' | 'push' | 'none' = 'admin',
): Promise<{ status: number; answer: DrainAnswer }> {
  const headers: Record<string, string> =
    scope === 'none' ? {} : { authorization: `Bearer ${cluster.token(node, scope)}` };
  const response = await fetch(`${node.addresses.internalUrl}/drain`, { method, headers });
  return { status: response.status, answer: (await response.json()) as DrainAnswer };
}

async function readiness(node: Node): Promise<number> {
  return (await fetch(`${node.addresses.internalUrl}/readyz`)).status;
}

/** SDK clients whose home is this node, connected there. */
async function peopleOn(cluster: TestCluster, id: string, count: number): Promise<Person[]> {
  const people: Person[] = [];
  for (let i = 0; people.length < count; i++) {
    if (cluster.ownerOf(`person-${i}`).id === id) people.push(new Person(cluster, `person-${i}`));
  }
  await Promise.all(people.map(({ client }) => client.connect()));
  return people;
}

function unbroken({ states, errors }: Person): void {
  expect(states.map(({ new: state }) => state)).toEqual(['connecting', 'connected']);
  expect(errors).toEqual([]);
}

describe('a drain', () => {
  it('by a request moves everyone, tells how far it is, and ends the node', async () => {
    await using cluster = await TestCluster.start(3, { ...ENV, RINGWAY_MOVE_SPREAD: '1500' });
    const node = cluster.node('node-2');
    const people = await peopleOn(cluster, 'node-2', 12);
    expect((await ask(cluster, node, 'GET')).answer).toMatchObject({ state: 'serving', left: 12 });
    expect(await readiness(node)).toBe(200);
    const late = cluster.ticket('late', node);
    const begun = await ask(cluster, node, 'POST');
    expect(begun).toMatchObject({
      status: 202,
      answer: { nodeId: 'node-2', state: 'draining', causes: ['request'], total: 12, graceSeconds: 25 },
    });
    expect(await readiness(node)).toBe(503);
    expect(metric(await metrics(node), 'ringway_draining')).toBe(1);
    expect(await cluster.open(node, late).closed).toEqual({ code: CLOSE.draining.code, reason: 'draining' });
    await waitFor(() => !cluster.watcher.current.has('node-2'), 'it to be out of the ring');
    await waitFor(async () => {
      const { answer } = await ask(cluster, node, 'GET').catch(() => ({ answer: { moved: 12 } }));
      return answer.moved > 0;
    }, 'somebody to have moved');
    expect(await node.ended).toBeUndefined();
    cluster.nodes.delete('node-2');
    for (const person of people) {
      await waitFor(() => person.nodeId === cluster.ownerOf(person.userId).id, `${person.userId} at home`);
      unbroken(person);
      await person.client.close();
    }
    expect(cluster.registry.snapshot.members.map(({ id }) => id)).toEqual(['node-1', 'node-3']);
  });

  it('by a stop moves everyone too', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const people = await peopleOn(cluster, 'node-1', 10);
    await cluster.remove('node-1');
    for (const person of people) {
      expect(person.nodeId).toBe('node-2');
      unbroken(person);
      await person.client.close();
    }
  });

  it('of the last node has nowhere to send them: they are asked to go, and it ends', async () => {
    await using cluster = await TestCluster.start(1, ENV);
    const client = await cluster.connect('alice');
    await cluster.remove('node-1');
    expect(await client.closed).toEqual({ code: CLOSE.going_away.code, reason: 'going_away' });
  });

  it('closes in its grace those that do not go', async () => {
    await using cluster = await TestCluster.start(2, { ...ENV, RINGWAY_STOP_GRACE: '1500' });
    const clients = await Promise.all(
      Array.from({ length: 5 }, (_, i) => cluster.connect(cluster.userOn('node-1', `stubborn-${i}`))),
    );
    await cluster.remove('node-1');
    for (const client of clients) {
      expect(client.all('move')).toHaveLength(1);
      expect(await client.closed).toEqual({ code: CLOSE.going_away.code, reason: 'going_away' });
    }
  });

  it('is for administrators', async () => {
    await using cluster = await TestCluster.start(1, ENV);
    const node = cluster.node('node-1');
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      expect((await ask(cluster, node, method, 'none')).status, method).toBe(401);
      expect((await ask(cluster, node, method, 'push')).status, method).toBe(403);
    }
    expect(await readiness(node)).toBe(200);
  });

  it('that is cancelled takes the node back, and those of its sessions that have gone', async () => {
    await using cluster = await TestCluster.start(2, { ...ENV, RINGWAY_MOVE_SPREAD: '3000' });
    const node = cluster.node('node-1');
    const people = await peopleOn(cluster, 'node-1', 12);
    await ask(cluster, node, 'POST');
    await waitFor(() => people.some(({ nodeId }) => nodeId === 'node-2'), 'the first to have moved');
    const cancelled = await ask(cluster, node, 'DELETE');
    expect(cancelled).toMatchObject({ status: 200, answer: { state: 'serving', causes: [] } });
    expect(cancelled.answer.left).toBeGreaterThan(0);
    expect(await readiness(node)).toBe(200);
    await waitFor(() => cluster.watcher.current.has('node-1'), 'it to be in the ring again');
    await waitFor(() => people.every(({ nodeId }) => nodeId === 'node-1'), 'everyone to be back', 30_000);
    for (const person of people) {
      unbroken(person);
      await person.client.close();
    }
    expect(node.state).toBe('Running');
  }, 60_000);

  it('that nobody asked for is cancelled by a request to, and changes nothing', async () => {
    await using cluster = await TestCluster.start(1, ENV);
    const { answer } = await ask(cluster, cluster.node('node-1'), 'DELETE');
    expect(answer.state).toBe('serving');
    expect(cluster.watcher.current.has('node-1')).toBe(true);
  });
});

describe('a check that stays critical', () => {
  it('drains the node, which ends', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const node = cluster.node('node-1');
    const people = await peopleOn(cluster, 'node-1', 6);
    cluster.registry.fail('node-1');
    expect(await node.ended).toBeUndefined();
    cluster.nodes.delete('node-1');
    for (const person of people) {
      expect(person.nodeId).toBe('node-2');
      unbroken(person);
      await person.client.close();
    }
  });

  it('and passes again before that moves nobody', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const node = cluster.node('node-1');
    const client = await cluster.connect(cluster.userOn('node-1'));
    cluster.registry.fail('node-1');
    await waitFor(
      async () => metric(await metrics(node), 'ringway_ring_members') === 1,
      'the node to see itself out of the ring',
    );
    cluster.registry.recover('node-1');
    await cluster.settled();
    expect([await readiness(node), client.all('move'), client.socket.readyState]).toEqual([200, [], 1]);
    expect(labelled(await metrics(node), 'ringway_moves_total', 'result', 'sent')).toBe(0);
  });

  it('and passes again meanwhile takes the node back', async () => {
    await using cluster = await TestCluster.start(2, { ...ENV, RINGWAY_MOVE_SPREAD: '60000' });
    const node = cluster.node('node-1');
    const people = await peopleOn(cluster, 'node-1', 10);
    cluster.registry.fail('node-1');
    await waitFor(async () => (await readiness(node)) === 503, 'the drain to begin');
    cluster.registry.recover('node-1');
    await waitFor(async () => (await readiness(node)) === 200, 'the drain to be cancelled');
    await cluster.settled();
    await cluster.connect(cluster.userOn('node-1', 'new'));
    for (const person of people) unbroken(person);
    await Promise.all(people.map(({ client }) => client.close()));
  });
});
