import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsulAgent, startConsulClient, startConsulCluster, startDevConsul } from '@ringway/testkit';
import { describe, expect, test } from 'vitest';
import { memberMeta } from '../src/signed-member.ts';
import { eventually } from './support/eventually.ts';
import { clusterSigner, member } from './support/members.ts';
import { HealthEndpoint, LocalNode, Observed } from './support/nodes.ts';

const SERVICE = 'ringway-node';

/** Three nodes and a watcher on one agent. */
async function threeNodes(agent: ConsulAgent, stack: AsyncDisposableStack) {
  const nodes: LocalNode[] = [];
  for (const id of ['a', 'b', 'c']) nodes.push(stack.use(await LocalNode.start(agent.address, id)));
  const seen = stack.use(await Observed.start(agent.address));
  await eventually('all are in the ring', () => seen.ring === 'a b c');
  seen.rings.length = 0;
  return { nodes, seen };
}

/** Members of a machine that is not there, as an agent that is gone would have left them in the catalogue. */
async function listElsewhere(
  agent: ConsulAgent,
  machine: string,
  service: string,
  ids: string[],
): Promise<void> {
  for (const id of ids) {
    const Service = {
      ID: `${service}:${id}`,
      Service: service,
      Address: '127.0.0.1',
      Port: 9101,
      Meta: memberMeta(service, member(id), clusterSigner()),
    };
    await agent.json('PUT', '/v1/catalog/register', {
      body: { Node: machine, Address: '127.0.0.9', Service },
    });
  }
}

describe.concurrent('faults of real Consul', { timeout: 120_000 }, () => {
  test('the dev agent restarts empty: nodes register again, the ring never shrinks, the watch is not blind', async () => {
    await using stack = new AsyncDisposableStack();
    const agent = stack.use(await startDevConsul());
    const { nodes, seen } = await threeNodes(agent, stack);
    // Lets the index rise well above where an empty Consul begins.
    for (let i = 0; i < 20; i += 1) {
      await nodes[0]?.registration.leave();
      await nodes[0]?.registration.rejoin();
    }
    await eventually('a is back', () => seen.ring === 'a b c');
    await seen.watcher.reread();
    const before = BigInt(seen.watcher.current.version.index);
    seen.rings.length = 0;
    await agent.restart();
    await eventually('all registered again', () =>
      nodes.every(({ said }) => said.join() === 'lost,restored'),
    );
    await eventually('the watch is fresh', () => seen.watcher.stale === undefined);
    const after = BigInt((await seen.watcher.reread()).version.index);
    expect(after).toBeLessThan(before);
    stack.use(await LocalNode.start(agent.address, 'd'));
    await eventually('a new node is seen', () => seen.ring === 'a b c d', 5_000);
    expect(seen.rings).toEqual([['a', 'b', 'c', 'd']]);
  });

  test('the agent freezes for 18 s: the ring stands, and what changed is seen after the thaw', async () => {
    await using stack = new AsyncDisposableStack();
    const agent = stack.use(await startDevConsul());
    const { nodes, seen } = await threeNodes(agent, stack);
    agent.freeze();
    await sleep(18_000);
    expect(seen.ring).toBe('a b c');
    expect(seen.watcher.stale).toBe('unreachable');
    expect(seen.watcher.ageSeconds()).toBeGreaterThan(17);
    agent.thaw();
    await eventually('the watch is fresh', () => seen.watcher.stale === undefined, 20_000);
    expect(seen.rings).toEqual([]);
    await nodes[1]?.registration.leave();
    await eventually('b has left', () => seen.ring === 'a c');
    expect(seen.watcher.ageSeconds()).toBeLessThan(17);
  });

  test('the token loses its policy: the ring stands, and is current again when the policy is back', async () => {
    await using stack = new AsyncDisposableStack();
    const agent = stack.use(await startDevConsul({ files: ['acl.json'] }));
    const management = await agent.bootstrapAcl();
    const token = (await agent.createToken(management, await agent.createPolicy(management, 'node.hcl')))
      .secret;
    const policy = await agent.createPolicy(management, 'locator.hcl');
    const reader = await agent.createToken(management, policy);
    for (const id of ['a', 'b', 'c']) stack.use(await LocalNode.start(agent.address, id, { token }));
    const timings = { waitMs: 2_000 };
    const seen = stack.use(await Observed.start(agent.address, { token: reader.secret, timings }));
    await eventually('all are in the ring', () => seen.ring === 'a b c');
    seen.rings.length = 0;
    await agent.setPolicies(management, reader.accessor);
    await eventually('the watch is told', () => seen.watcher.stale === 'unauthorised', 20_000);
    expect(seen.ring).toBe('a b c');
    await expect(seen.watcher.reread()).rejects.toMatchObject({ code: 'registry_unauthorised' });
    await agent.setPolicies(management, reader.accessor, policy);
    stack.use(await LocalNode.start(agent.address, 'd', { token }));
    await eventually('a new node is seen', () => seen.ring === 'a b c d', 20_000);
    expect(seen.rings).toEqual([['a', 'b', 'c', 'd']]);
  });

  test('three of four members vanish at once: kept for 15 s, said so, then given up', async () => {
    await using stack = new AsyncDisposableStack();
    const agent = stack.use(await startDevConsul());
    const service = 'vanish-node';
    stack.use(await LocalNode.start(agent.address, 'a', { service }));
    await listElsewhere(agent, 'elsewhere', service, ['b', 'c', 'd']);
    const seen = stack.use(await Observed.start(agent.address, { service }));
    expect(seen.ring).toBe('a b c d');
    await agent.json('PUT', '/v1/catalog/deregister', { body: { Node: 'elsewhere' } });
    await eventually('they are held', () => seen.held.join() === '3');
    expect(seen.ring).toBe('a b c d');
    // An arrival is not held back.
    stack.use(await LocalNode.start(agent.address, 'e', { service }));
    await eventually('e is in the ring', () => seen.ring === 'a b c d e', 5_000);
    const heldAt = performance.now();
    await eventually('they are given up', () => seen.ring === 'a e', 20_000);
    expect(performance.now() - heldAt).toBeGreaterThan(5_000);
    expect(seen.rings).toEqual([
      ['a', 'b', 'c', 'd', 'e'],
      ['a', 'e'],
    ]);
    expect(seen.held).toEqual([3, 0]);
    expect(seen.warnings).toContainEqual(expect.stringContaining('too many at once'));
  });

  test('three of four vanish one after the other, or fall ill together, and come back: at most one is missed', async () => {
    await using stack = new AsyncDisposableStack();
    const agent = stack.use(await startDevConsul());
    const vanish = 'blink-node';
    const ids = ['a', 'b', 'c', 'd'];
    await listElsewhere(agent, 'elsewhere', vanish, ids);
    const blinked = stack.use(await Observed.start(agent.address, { service: vanish }));
    const ill = 'ill-node';
    const nodes: LocalNode[] = [];
    for (const id of ids) nodes.push(stack.use(await LocalNode.start(agent.address, id, { service: ill })));
    const doubted = stack.use(await Observed.start(agent.address, { service: ill }));
    for (const node of nodes.slice(1)) node.health.healthy = false;
    for (const id of ids.slice(1)) {
      const body = { Node: 'elsewhere', ServiceID: `${vanish}:${id}` };
      await agent.json('PUT', '/v1/catalog/deregister', { body });
    }
    await eventually('both watchers hold', () => blinked.held.length > 0 && doubted.held.length > 0);
    expect(blinked.smallest).toBeGreaterThanOrEqual(3);
    expect(doubted.ring).toBe('a b c d');
    for (const node of nodes) node.health.healthy = true;
    await listElsewhere(agent, 'elsewhere', vanish, ids);
    await eventually('both are whole', () => blinked.held.at(-1) === 0 && doubted.held.at(-1) === 0);
    await eventually('all are back', () => blinked.ring === 'a b c d');
    expect(blinked.smallest).toBeGreaterThanOrEqual(3);
    expect(doubted.rings).toEqual([]);
  });

  test('a cluster loses its leader, then its quorum: the ring stands, and lives again with the quorum', async () => {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await startConsulCluster());
    const client = stack.use(await startConsulClient(cluster));
    const { nodes, seen } = await threeNodes(client, stack);
    const leader = await cluster.leader();
    const [second, third] = cluster.agents.filter((agent) => agent !== leader);
    if (second === undefined || third === undefined) throw new Error('three servers have two followers');
    await leader.kill();
    // An agent that cannot pass a registration on tries again after 15 to 30 s: not what is looked at here.
    await eventually('there is a new leader', async () => {
      const now = await cluster.leader(second).catch(() => undefined);
      return now !== undefined && now !== leader;
    });
    stack.use(await LocalNode.start(client.address, 'd'));
    await eventually('a new node is seen under the new leader', () => seen.ring === 'a b c d', 45_000);
    expect(seen.rings).toEqual([['a', 'b', 'c', 'd']]);

    await second.kill();
    await eventually('the watch is told', () => seen.watcher.stale === 'leaderless', 30_000);
    // What the agents notice now cannot be written: nobody leaves, whatever a stale answer says.
    for (const node of nodes) node.health.healthy = false;
    await sleep(4_000);
    expect(seen.ring).toBe('a b c d');
    for (const node of nodes) node.health.healthy = true;
    await second.start();
    await eventually('the watch is fresh', () => seen.watcher.stale === undefined, 30_000);
    expect(seen.ring).toBe('a b c d');
    await nodes[0]?.registration.leave();
    await eventually('a has left', () => seen.ring === 'b c d', 20_000);
    expect(seen.rings).toEqual([
      ['a', 'b', 'c', 'd'],
      ['b', 'c', 'd'],
    ]);
  });

  test('a client agent is stopped and started: its nodes were never gone from the catalogue', async () => {
    await using stack = new AsyncDisposableStack();
    const cluster = stack.use(await startConsulCluster());
    const client = stack.use(await startConsulClient(cluster));
    const server = cluster.agents[0];
    if (server === undefined) throw new Error('a cluster has servers');
    const health = stack.use(await HealthEndpoint.open());
    const node = stack.use(
      await LocalNode.start(client.address, 'a', { member: { internalUrl: health.url } }),
    );
    stack.use(await LocalNode.start(server.address, 'b'));
    const seen = stack.use(await Observed.start(server.address));
    await eventually('both are in the ring', () => seen.ring === 'a b');
    seen.rings.length = 0;
    await client.process.stop();
    await client.start();
    await client.led();
    await eventually('the agent has it', async () => {
      const held = (await client.json('GET', '/v1/agent/services')) as Record<string, unknown>;
      return held[`${SERVICE}:a`];
    });
    await seen.watcher.reread();
    expect(node.said).toEqual([]);
    expect(seen.rings).toEqual([]);
  });
});
