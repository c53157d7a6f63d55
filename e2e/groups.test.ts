import { locatorSource, RingwayPush } from '@ringway/push';
import {
  type Cluster,
  type ClusterProcess,
  type RedisServer,
  startCluster,
  startRedis,
  waitFor,
} from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Person } from './support/person.ts';
import { ringway } from './support/run.ts';

/** Nobody here may join anything: what they are in, a backend has put them in. */
const NO_RIGHTS = { cap: { publish: [], join: [], presence: [] } };

function backend(cluster: Cluster): RingwayPush {
  const push = new RingwayPush({
    source: locatorSource({ urls: cluster.locators.map(({ internalUrl }) => internalUrl) }),
    name: 'school',
    cluster: cluster.name,
    clusterKeys: cluster.keys.cluster,
    timeoutMs: 30_000,
  });
  onTestFinished(() => push.close());
  return push;
}

/** One request to one node, as a backend without the SDK makes it. */
async function put(cluster: Cluster, node: ClusterProcess, group: string, userId: string): Promise<number> {
  const answer = await node.fetch('internal', `/groups/${group}/members/${userId}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${cluster.clusterToken(node.id, 'push')}` },
  });
  return answer.status;
}

/** A user without rights whose session is on that node. */
async function somebodyOn(cluster: Cluster, nodeId: string, prefix: string): Promise<Person> {
  for (let i = 0; ; i++) {
    const person = new Person(cluster, `${prefix}-${i}`, NO_RIGHTS);
    onTestFinished(() => person.leave());
    await person.client.connect();
    if (person.nodeId === nodeId) return person;
    await person.leave();
  }
}

/** The node has the person's session in the group. */
async function isIn(person: Person, group: string): Promise<void> {
  await waitFor(() => person.client.position(`group:${group}`) !== undefined, {
    message: `${person.userId} to be in ${group}: ${person.story()}`,
    timeout: 20_000,
  });
}

describe('groups that backends fill, without Redis', () => {
  it('keep everyone when the node that was asked is killed at its answer, and are known to nodes that come later', async () => {
    await using cluster = await startCluster({ nodes: 3 });
    const push = backend(cluster);
    const alice = await somebodyOn(cluster, 'node-1', 'alice');
    const bob = await somebodyOn(cluster, 'node-2', 'bob');
    await push.addToGroup('class-7', bob.userId);
    await isIn(bob, 'class-7');

    expect(await put(cluster, cluster.node('node-1'), 'class-7', alice.userId)).toBe(200);
    await cluster.node('node-1').kill();
    await waitFor(() => alice.nodeId !== 'node-1', { message: 'alice to be elsewhere', timeout: 20_000 });
    await isIn(alice, 'class-7');
    await push.publish('group:class-7', 'after the crash');
    await Promise.all([alice.hears('after the crash'), bob.hears('after the crash')]);
    expect(await push.groupMembers('class-7')).toEqual([alice.userId, bob.userId].sort());

    // one after the other all are replaced; each has them from those that were there
    await cluster.addNode();
    await cluster.node('node-2').stop();
    await cluster.addNode();
    await cluster.node('node-3').stop();
    await cluster.settled();
    const [four, five] = [cluster.node('node-4'), cluster.node('node-5')];
    for (const node of [four, five])
      expect(await node.metric('ringway_memberships', { state: 'present' })).toBe(2);
    const carol = await somebodyOn(cluster, 'node-4', 'carol');
    expect(await put(cluster, five, 'class-7', carol.userId)).toBe(200);
    await isIn(carol, 'class-7');
    await push.publish('group:class-7', 'among strangers');
    await Promise.all([alice.hears('among strangers'), bob.hears('among strangers')]);

    await push.removeFromGroup('class-7', alice.userId);
    await waitFor(() => alice.client.position('group:class-7') === undefined, { message: 'alice to be out' });
    await push.publish('group:class-7', 'without alice');
    await bob.hears('without alice');
    expect(alice.heard).not.toContain('without alice');
    expect(bob.heard.filter((one) => typeof one === 'string')).toEqual([
      'after the crash',
      'among strangers',
      'without alice',
    ]);
  });

  it('are seen and changed by the ringway command', async () => {
    await using cluster = await startCluster({ nodes: 1 });
    const env = { RINGWAY_CLUSTER: cluster.name, RINGWAY_CLUSTER_KEYS: cluster.keys.cluster };
    const locator = ['--locator', cluster.locator.internalUrl];
    const group = (...args: string[]) => ringway(['group', 'class-7', ...args, ...locator], env);
    expect(await group('--add', 'bob', '--add', 'alice')).toEqual({
      code: 0,
      output: 'class-7: put in 2, taken out 0\n',
    });
    expect(await group()).toEqual({ code: 0, output: 'alice\nbob\n' });
    expect((await group('--remove', 'bob')).code).toBe(0);
    expect(await group('--json')).toEqual({ code: 0, output: '["alice"]\n' });
    expect((await ringway(['group', '', ...locator], env)).output).toContain('group: expected a name');
  });
});

describe('groups that backends fill, in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis({ persistent: true });
  });
  afterAll(() => redis[Symbol.asyncDispose]());

  describe.each(['ring', 'directory', 'broadcast'])('with the %s', (router) => {
    it('keep everyone when all nodes and Redis are started anew', async () => {
      const nodeEnv = { RINGWAY_ROUTER: router, RINGWAY_LOG: 'redis', RINGWAY_REDIS_URL: redis.url };
      await using cluster = await startCluster({ nodes: 2, nodeEnv });
      const push = backend(cluster);
      const people = await Promise.all(
        ['node-1', 'node-2'].map((id) => somebodyOn(cluster, id, `${router}-${id}`)),
      );
      for (const { userId } of people) await push.addToGroup('class-7', userId);
      await Promise.all(people.map((person) => isIn(person, 'class-7')));
      await push.publish('group:class-7', 'first');
      await Promise.all(people.map((person) => person.hears('first')));

      await redis.restart();
      for (const node of cluster.nodes)
        await waitFor(async () => (await node.metric('ringway_memberships_connected')) === 1, {
          message: `Redis to be back for ${node.id}`,
          timeout: 20_000,
        });
      await push.publish('group:class-7', 'second');
      await Promise.all(people.map((person) => person.hears('second')));

      await Promise.all(cluster.nodes.map((node) => node.kill()));
      await Promise.all(cluster.nodes.map((node) => node.start()));
      await cluster.settled();
      // said before anyone may be back: it is in the log, and they resume there
      await push.publish('group:class-7', 'third');
      await Promise.all(people.map((person) => person.hears('third', 30_000)));
      for (const person of people) {
        expect(person.heard).toEqual(['first', 'second', 'third']);
        expect(person.gaps.filter(({ channel }) => channel === 'group:class-7')).toEqual([]);
      }
      await push.removeFromGroup('class-7', people[0]?.userId ?? '');
      expect(await push.groupMembers('class-7')).toEqual([people[1]?.userId]);
    });
  });
});
