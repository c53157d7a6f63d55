import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsulAgent, startDevConsul } from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { consulServiceId, type MemberSigner } from '../src/index.ts';
import { memberMeta } from '../src/signed-member.ts';
import { eventually } from './support/eventually.ts';
import { clusterSigner, member } from './support/members.ts';
import { LocalNode, launchNode, Observed } from './support/nodes.ts';

let agent: ConsulAgent;

beforeAll(async () => {
  agent = await startDevConsul();
});

afterAll(async () => {
  await agent[Symbol.asyncDispose]();
});

/** What Consul itself says of a service: critical or passing, per member. */
async function consulSays(service: string): Promise<Record<string, string>> {
  const rows = (await agent.json('GET', `/v1/health/service/${service}`)) as {
    Service: { Meta: Record<string, string> };
    Checks: { Status: string }[];
  }[];
  return Object.fromEntries(
    rows.map(({ Service, Checks }) => [
      Service.Meta['id'] ?? '',
      Checks.some(({ Status }) => Status === 'critical') ? 'critical' : 'passing',
    ]),
  );
}

/** Three nodes in this process, in a cluster of their own, and a watcher that sees them. */
async function threeNodes(service: string, stack: AsyncDisposableStack) {
  const { address } = agent;
  const start = async (id: string) => stack.use(await LocalNode.start(address, id, { service }));
  const nodes = { a: await start('a'), b: await start('b'), c: await start('c') };
  const seen = stack.use(await Observed.start(address, { service }));
  await eventually('all are in the ring', () => seen.ring === 'a b c');
  seen.rings.length = 0;
  return { ...nodes, seen };
}

describe.concurrent('members in real Consul', { timeout: 40_000 }, () => {
  test('a node comes and, told to stop, goes', async () => {
    const service = 'come-node';
    await using stack = new AsyncDisposableStack();
    const seen = stack.use(await Observed.start(agent.address, { service }));
    expect(seen.ring).toBe('');
    stack.use(await LocalNode.start(agent.address, 'a', { service }));
    await eventually('a is in the ring', () => seen.ring === 'a');
    const b = stack.use(await launchNode(agent.address, 'b', service));
    await eventually('b is in the ring', () => seen.ring === 'a b');
    expect((await b.stop()).code).toBe(0);
    await eventually('b is no longer listed', () => seen.listed === 'a:up');
    expect(seen.rings).toEqual([['a'], ['a', 'b'], ['a']]);
    expect(seen.held).toEqual([]);
  });

  test('a node that turns critical is dropped once that has lasted, and is back when it heals', async () => {
    const service = 'critical-node';
    await using stack = new AsyncDisposableStack();
    const { b, seen } = await threeNodes(service, stack);
    b.health.healthy = false;
    await eventually('Consul says so', async () => (await consulSays(service))['b'] === 'critical');
    expect(seen.ring).toBe('a b c');
    await eventually('b is dropped', () => seen.ring === 'a c');
    expect(seen.listed).toBe('a:up b:critical c:up');
    b.health.healthy = true;
    await eventually('b is back', () => seen.ring === 'a b c');
    expect(seen.rings).toEqual([
      ['a', 'c'],
      ['a', 'b', 'c'],
    ]);
  });

  test('a node that flaps for 0.8 s stays in the ring', async () => {
    const service = 'flap-node';
    await using stack = new AsyncDisposableStack();
    const { seen } = await threeNodes(service, stack);
    const ServiceID = consulServiceId(service, 'b');
    const body = { ID: 'flapper', Name: 'flapper', ServiceID, TTL: '60s', Status: 'passing' };
    await agent.json('PUT', '/v1/agent/check/register', { body });
    await agent.json('PUT', '/v1/agent/check/fail/flapper');
    await eventually('Consul says so', async () => (await consulSays(service))['b'] === 'critical');
    await sleep(800);
    await agent.json('PUT', '/v1/agent/check/pass/flapper');
    await eventually('Consul says it is over', async () => (await consulSays(service))['b'] === 'passing');
    // Two flaps do not add up to one long one.
    await agent.json('PUT', '/v1/agent/check/fail/flapper');
    await sleep(800);
    await agent.json('PUT', '/v1/agent/check/pass/flapper');
    await seen.watcher.reread();
    expect(seen.ring).toBe('a b c');
    expect(seen.rings).toEqual([]);
  });

  test('maintenance takes a node out at once and back at once, whoever says it', async () => {
    const service = 'maintenance-node';
    await using stack = new AsyncDisposableStack();
    const { b, seen } = await threeNodes(service, stack);
    const path = `/v1/agent/service/maintenance/${consulServiceId(service, 'b')}`;
    await agent.json('PUT', `${path}?enable=true&reason=disk`);
    await eventually('b is leaving', () => seen.listed === 'a:up b:leaving c:up');
    await agent.json('PUT', `${path}?enable=false`);
    await eventually('b is back', () => seen.ring === 'a b c');
    await b.registration.leave();
    await eventually('b is leaving by itself', () => seen.listed === 'a:up b:leaving c:up');
    await b.registration.rejoin();
    await eventually('b is back again', () => seen.ring === 'a b c');
  });

  test('all but one may leave at once when they say so themselves', async () => {
    const service = 'scale-in-node';
    await using stack = new AsyncDisposableStack();
    const { b, c, seen } = await threeNodes(service, stack);
    await Promise.all([b.registration.leave(), c.registration.leave()]);
    await eventually('only a is left', () => seen.ring === 'a');
    await Promise.all([b.registration.deregister(), c.registration.deregister()]);
    await eventually('only a is listed', () => seen.listed === 'a:up');
    expect(seen.held).toEqual([]);
  });

  test('a node killed by SIGKILL is dropped; its next start is in the ring with its new incarnation', async () => {
    const service = 'kill-node';
    await using stack = new AsyncDisposableStack();
    const { seen } = await threeNodes(service, stack);
    const d = stack.use(await launchNode(agent.address, 'd', service));
    await eventually('d is in the ring', () => seen.ring === 'a b c d');
    await d.kill();
    await eventually('d is dropped', () => seen.ring === 'a b c');
    stack.use(await launchNode(agent.address, 'd', service, 'd-start-2'));
    await eventually('d is back', () => seen.watcher.current.member('d')?.incarnation === 'd-start-2');
  });

  test('a frozen node is dropped, and is back once it thaws', async () => {
    const service = 'freeze-node';
    await using stack = new AsyncDisposableStack();
    const { seen } = await threeNodes(service, stack);
    const d = stack.use(await launchNode(agent.address, 'd', service));
    await eventually('d is in the ring', () => seen.ring === 'a b c d');
    d.freeze();
    await eventually('d is dropped', () => seen.ring === 'a b c', 15_000);
    d.thaw();
    await eventually('d is back', () => seen.ring === 'a b c d', 15_000);
  });

  test('a node that the agent has lost registers again', async () => {
    const service = 'lost-node';
    await using stack = new AsyncDisposableStack();
    const { b, seen } = await threeNodes(service, stack);
    await agent.json('PUT', `/v1/agent/service/deregister/${consulServiceId(service, 'b')}`);
    await eventually('b was restored', () => b.said.join() === 'lost,restored');
    await eventually('b is in the ring', () => seen.ring === 'a b c');
  });

  test('what was not signed by the cluster never enters the ring, and is counted', async () => {
    const service = 'foreign-node';
    await using stack = new AsyncDisposableStack();
    const { seen } = await threeNodes(service, stack);
    const register = (ID: string, Meta: Record<string, string>) =>
      agent.json('PUT', '/v1/agent/service/register', {
        body: { Name: service, ID, Address: '127.0.0.1', Port: 9, Meta },
      });
    const signed = (id: string, own: string, signer: MemberSigner) => memberMeta(own, member(id), signer);
    await register('bare', {});
    await register('unsigned', { ...signed('x', service, clusterSigner()), sig: '' });
    await register('forged', signed('x', service, clusterSigner('a key of somebody else, 32 bytes or more')));
    await register('replayed', signed('x', 'other-node', clusterSigner()));
    await register('heavier', { ...signed('x', service, clusterSigner()), weight: '9' });
    await register('odd', { ...signed('x', service, clusterSigner()), weight: '-1' });
    await eventually('all are counted', () => seen.rejected.length === 6);
    expect([...seen.rejected].sort()).toEqual([
      ...['bad_signature', 'bad_signature', 'bad_signature'],
      ...['malformed', 'unsigned', 'unsigned'],
    ]);
    await register('proper', signed('x', service, clusterSigner()));
    await eventually('a signed one is in the ring', () => seen.ring === 'a b c x');
    expect(seen.rings).toEqual([['a', 'b', 'c', 'x']]);
    // Counted once, not with each answer.
    expect(seen.rejected).toHaveLength(6);
  });

  test('a registration that a stranger overwrites is put right by its node', async () => {
    const service = 'overwritten-node';
    await using stack = new AsyncDisposableStack();
    const { b, seen } = await threeNodes(service, stack);
    const ID = consulServiceId(service, 'b');
    const meta = { ...memberMeta(service, b.member, clusterSigner()), publicUrl: 'wss://evil.example.com/' };
    const body = { Name: service, ID, Address: '127.0.0.1', Port: 9, Meta: meta };
    await agent.json('PUT', '/v1/agent/service/register', { body });
    await eventually('the agent holds what b said', async () => {
      const held = (await agent.json('GET', `/v1/agent/service/${ID}`)) as { Meta: Record<string, string> };
      return held.Meta['publicUrl'] === b.member.publicUrl;
    });
    await eventually('b is in the ring', () => seen.ring === 'a b c');
    expect(seen.watcher.current.member('b')?.publicUrl).toBe(b.member.publicUrl);
  });

  test("maintenance outlives a restart when it is an operator's, not when it was the node's own", async () => {
    const service = 'restart-node';
    await using stack = new AsyncDisposableStack();
    const { a, seen } = await threeNodes(service, stack);
    await a.registration.leave();
    const path = `/v1/agent/service/maintenance/${consulServiceId(service, 'b')}`;
    await agent.json('PUT', `${path}?enable=true&reason=disk`);
    await eventually('only c is left', () => seen.ring === 'c');
    const next = { service, member: { incarnation: 'start-2' } };
    stack.use(await LocalNode.start(agent.address, 'a', next));
    stack.use(await LocalNode.start(agent.address, 'b', next));
    await eventually('a is back', () => seen.ring === 'a c');
    await eventually('b is listed anew', () => seen.watcher.snapshot?.members[1]?.incarnation === 'start-2');
    expect(seen.listed).toBe('a:up b:leaving c:up');
  });

  test('a node signs again when the newest key of its cluster has changed', async () => {
    const service = 'rotation-node';
    await using stack = new AsyncDisposableStack();
    const [old, next] = [clusterSigner(), clusterSigner('the next key of the test cluster, of 32 bytes')];
    let signing = old;
    const signer: MemberSigner = {
      sign: (text) => signing.sign(text),
      verify: (text, signature) => old.verify(text, signature) || next.verify(text, signature),
    };
    const timings = { waitMs: 1_000 };
    stack.use(await LocalNode.start(agent.address, 'a', { service, signer, timings }));
    const strict = stack.use(await Observed.start(agent.address, { service, signer: next }));
    expect(strict.rejected).toEqual(['bad_signature']);
    signing = next;
    await eventually('a is in the ring of one who knows the new key alone', () => strict.ring === 'a');
  });

  test('members of an unknown ring format are listed but kept out of the ring', async () => {
    const service = 'format-node';
    await using stack = new AsyncDisposableStack();
    const { seen } = await threeNodes(service, stack);
    stack.use(await LocalNode.start(agent.address, 'd', { service, member: { ringFormat: 2 } }));
    await eventually('d is listed', () => seen.listed === 'a:up b:up c:up d:up');
    expect(seen.ring).toBe('a b c');
    expect(seen.rejected).toEqual(['ring_format']);
  });
});
