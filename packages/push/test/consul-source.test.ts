import { consulMembership } from '@ringway/membership';
import { PROTOCOL } from '@ringway/protocol';
import { RING_FORMAT } from '@ringway/ring';
import { hmacSigner, KeyFamily } from '@ringway/service';
import { type ConsulAgent, startDevConsul } from '@ringway/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { consulSource, RingwayPush } from '../src/index.ts';
import { FakeNode, KEYS } from './fake-cluster.ts';

let consul: ConsulAgent;

beforeAll(async () => {
  consul = await startDevConsul();
});

afterAll(async () => {
  await consul[Symbol.asyncDispose]();
});

test('the ring from Consul: a publish finds its node, and the ring stands when Consul is gone', async () => {
  await using node = await FakeNode.start('node-1');
  const membership = consulMembership({
    address: consul.address,
    signer: hmacSigner(KeyFamily.parse('test', KEYS)),
  });
  const registration = await membership.register({
    id: node.id,
    incarnation: 'i1',
    publicUrl: 'ws://127.0.0.1:1',
    internalUrl: node.url,
    weight: 1,
    ringFormat: RING_FORMAT,
    protocol: PROTOCOL,
  });
  const push = new RingwayPush({
    source: consulSource({ address: consul.address }),
    name: 'billing',
    clusterKeys: KEYS,
  });
  try {
    await expect(push.publish('user:alice', 1)).resolves.toMatchObject({ reached: 1 });
    consul.freeze();
    await expect(push.publish('user:alice', 2)).resolves.toMatchObject({ reached: 1 });
    consul.thaw();
    await vi.waitFor(() => registration.deregister());
  } finally {
    await push.close();
    await membership.close();
  }
});
