import {
  type Cluster,
  createTestCa,
  type RedisServer,
  startCluster,
  startRedis,
  waitFor,
} from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Person } from './support/person.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

const env = (router: string, log = 'redis') => ({
  RINGWAY_ROUTER: router,
  RINGWAY_LOG: log,
  RINGWAY_REDIS_URL: redis.url,
  RINGWAY_DIRECTORY_TTL: '3s',
});

/** Somebody on every node, by the node's id. */
async function everywhere(cluster: Cluster): Promise<Map<string, Person>> {
  const people = new Map<string, Person>();
  for (let i = 0; people.size < cluster.nodes.filter(({ running }) => running).length; i++) {
    const person = new Person(cluster, `user-${i}`);
    await person.client.connect();
    if (people.has(person.nodeId ?? '')) await person.leave();
    else people.set(person.nodeId ?? '', person);
  }
  return people;
}

for (const router of ['directory', 'broadcast']) {
  describe(`a cluster with the ${router}`, () => {
    it('carries messages, lists and groups, through a drain and a crash, and loses nothing', async () => {
      await using cluster = await startCluster({ nodes: 3, nodeEnv: env(router) });
      const people = await everywhere(cluster);
      const [alice, bob, carol] = ['node-1', 'node-2', 'node-3'].map((id) => people.get(id) as Person) as [
        Person,
        Person,
        Person,
      ];
      const all = [alice, bob, carol];
      await alice.tell(bob, 'one to one');
      await bob.hears('one to one');
      await alice.client.publish({ users: all.map(({ userId }) => userId) }, 'a list');
      await Promise.all(all.map((person) => person.client.join('group:class-7')));
      await bob.client.publish('group:class-7', 'a group');
      await Promise.all(all.map((person) => Promise.all([person.hears('a list'), person.hears('a group')])));
      const held = (person: Person): boolean => person.client.position('all') !== undefined;
      await waitFor(() => all.every(held), { message: 'everyone to be in all' });
      await carol.client.publish('all', 'everyone');
      await Promise.all(all.map((person) => person.hears('everyone')));

      for (const node of cluster.nodes) expect(await node.metric('ringway_router_connected')).toBe(1);
      const foreign = await cluster.node('node-3').metric('ringway_router_foreign_total');
      if (router === 'broadcast') expect(foreign).toBeGreaterThan(0);
      else expect(foreign).toBe(0);

      await cluster.node('node-2').stop();
      await alice.tell(bob, 'behind the drain');
      await bob.hears('behind the drain');
      await cluster.node('node-3').kill();
      await alice.tell(carol, 'while away');
      await alice.client.publish('group:class-7', 'a group again');
      await alice.client.publish('all', 'everyone again');
      await Promise.all([carol.hears('while away', 30_000), carol.hears('a group again', 30_000)]);
      await Promise.all([alice.hears('a group again'), bob.hears('a group again')]);
      await Promise.all(all.map((person) => person.hears('everyone again', 30_000)));
      expect(all.map(({ nodeId }) => nodeId)).toEqual(['node-1', 'node-1', 'node-1']);
      expect(all.flatMap(({ gaps }) => gaps)).toEqual([]);
      expect(new Set(carol.heard)).toEqual(
        new Set(['a list', 'a group', 'everyone', 'while away', 'a group again', 'everyone again']),
      );
      expect(carol.heard).toHaveLength(6);
      const keys = async (): Promise<boolean> =>
        ((await redis.command('KEYS', `*${cluster.name}:router}:*node-3#*`)) as string[]).length === 0;
      await waitFor(keys, { message: 'nothing of the dead node to be left in Redis', timeout: 30_000 });
      await Promise.all(all.map((person) => person.leave()));
    });
  });
}

for (const router of ['directory', 'broadcast']) {
  describe(`a cluster with the ${router} and no log`, () => {
    it('carries messages, and tells everyone what may be missing', async () => {
      await using cluster = await startCluster({ nodes: 2, nodeEnv: env(router, 'memory') });
      const people = await everywhere(cluster);
      const [alice, bob] = ['node-1', 'node-2'].map((id) => people.get(id) as Person) as [Person, Person];
      expect(await alice.tell(bob, 1)).toMatchObject({ duplicate: false });
      expect((await alice.tell(bob, 2)).position).toBeUndefined();
      await bob.hears(2);
      expect(bob.messages.map(({ position }) => position?.seq)).toEqual([1, 2]);
      await waitFor(() => alice.client.position('all') !== undefined, { message: 'alice to be in all' });
      expect(await bob.client.publish('all', 'everyone')).toMatchObject({ duplicate: false });
      await Promise.all([alice.hears('everyone'), bob.hears('everyone')]);
      expect(bob.gaps).toEqual([]);
      await cluster.node('node-2').kill();
      await waitFor(() => bob.gaps.length > 0, { message: 'the gap', timeout: 30_000 });
      expect(bob.nodeId).toBe('node-1');
      await alice.tell(bob, 3);
      await bob.hears(3);
      expect(bob.heard).toEqual([1, 2, 'everyone', 3]);
      await Promise.all([alice.leave(), bob.leave()]);
    });
  });
}

describe('a mixed cluster', () => {
  it('refuses a node with another router, another log or groups elsewhere, before it is in the ring, and says why', async () => {
    await using ca = await createTestCa();
    const nodeEnv = { RINGWAY_REDIS_URL: redis.url };
    await using cluster = await startCluster({ nodes: 1, nodeEnv, ca, internalTls: true });
    const without = { ...env('ring', 'memory'), RINGWAY_REDIS_URL: undefined };
    for (const other of [env('broadcast', 'memory'), env('directory', 'memory'), env('ring'), without]) {
      await expect(cluster.addNode(other)).rejects.toThrow();
      const refused = cluster.nodes.at(-1);
      expect(refused?.running).toBe(false);
      expect(refused?.output).toContain(
        'node-1 runs with RINGWAY_ROUTER=ring, RINGWAY_LOG=memory and a RINGWAY_REDIS_URL, this node is set to ' +
          `RINGWAY_ROUTER=${other.RINGWAY_ROUTER}, RINGWAY_LOG=${other.RINGWAY_LOG} and ${other.RINGWAY_REDIS_URL ? 'a' : 'no'} RINGWAY_REDIS_URL`,
      );
      expect(await cluster.ringMembers()).toEqual(['node-1']);
    }
    await cluster.addNode();
    await cluster.settled();
  });

  it('ends the later of two that had not seen each other when they started', async () => {
    await using cluster = await startCluster({ nodes: 1, nodeEnv: env('broadcast', 'memory') });
    const first = cluster.node('node-1');
    // while it is frozen nobody can ask it
    first.process.freeze();
    const second = await cluster.addNode({ RINGWAY_ROUTER: 'directory' });
    first.process.thaw();
    await waitFor(() => !second.running, { message: 'the later one to end', timeout: 30_000 });
    expect(second.output).toContain('node-1 runs with RINGWAY_ROUTER=broadcast');
    await cluster.settled();
    expect(first.running).toBe(true);
  });
});
