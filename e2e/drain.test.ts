import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DrainAnswer } from '@ringway/protocol';
import { type ClusterProcess, waitFor } from '@ringway/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { consulHealth } from './support/consul-health.ts';
import type { Person } from './support/person.ts';
import { ringway } from './support/run.ts';
import { useStage } from './support/stage.ts';
import { Stream, streamProblem } from './support/stream.ts';

// What Consul asks about node-1: alive for as long as the test says so.
let alive = true;
const eyes = createServer((_request, response) => response.writeHead(alive ? 200 : 503).end());

const stage = useStage(async () => {
  eyes.listen(0, '127.0.0.1');
  await once(eyes, 'listening');
  eyes.unref();
  const { port } = eyes.address() as AddressInfo;
  return { envOf: { 'node-1': { RINGWAY_CHECK_URL: `http://127.0.0.1:${port}/` } } };
});

// what a test has drained is there again for the next
afterEach(async () => {
  alive = true;
  const { nodes } = stage().cluster;
  await Promise.all(nodes.filter(({ running }) => !running).map((node) => node.start()));
  await stage().settled();
});

/** Asks a node about its drain; rejects once it has ended. */
async function drain(node: ClusterProcess, method: 'GET' | 'POST' | 'DELETE'): Promise<DrainAnswer> {
  const authorization = `Bearer ${stage().cluster.clusterToken(node.id, 'admin')}`;
  const response = await node.fetch('internal', '/drain', { method, headers: { authorization } });
  if (!response.ok) throw new Error(`${method} /drain: ${response.status} ${await response.text()}`);
  return (await response.json()) as DrainAnswer;
}

/** What `consul maint -enable -service=…` does on the node's machine, and its end. */
function maintenance(nodeId: string, enable: boolean): Promise<unknown> {
  const { consul, name } = stage().cluster;
  const service = encodeURIComponent(`${name}-node:${nodeId}`);
  return consul.json('PUT', `/v1/agent/service/maintenance/${service}?enable=${enable}&reason=operator`);
}

/** Some people whose home this node is, one of them spoken to without a pause from another node. */
async function peopleOn(
  nodeId: string,
  count = 8,
): Promise<{ people: readonly Person[]; stream: Stream; listener: Person }> {
  const people = await Promise.all(
    Array.from({ length: count }, () => stage().person(stage().userOn(nodeId))),
  );
  const [listener] = people as [Person];
  const other = nodeId === 'node-3' ? 'node-2' : 'node-3';
  const stream = new Stream(await stage().person(stage().userOn(other)), listener.userId);
  await listener.hears(5);
  return { people, stream, listener };
}

/** They have moved on without noticing, and heard all that was said meanwhile, or of what they have missed. */
async function moved(nodeId: string, { people, stream, listener }: Awaited<ReturnType<typeof peopleOn>>) {
  const rest = stage().ring(['node-1', 'node-2', 'node-3'].filter((id) => id !== nodeId));
  await Promise.all(people.map((one) => one.arrives(rest.owner(`user:${one.userId}`)?.id ?? '')));
  await listener.hears(stream.sent + 1);
  await stream.end();
  await listener.hears(stream.sent);
  expect(streamProblem(listener, stream.sent)).toBeUndefined();
  for (const { states, errors } of people) {
    expect(states.map((change) => change.new)).toEqual(['connecting', 'connected']);
    expect(errors).toEqual([]);
  }
}

/** It has said goodbye, and nobody lists it. */
async function left(node: ClusterProcess): Promise<void> {
  expect(await node.process.exited).toEqual({ code: 0, signal: null });
  expect((await consulHealth(stage().cluster)).has(node.id)).toBe(false);
  expect(node.output).toMatch(/"moved":\d+,"left":\d+,"seconds":/);
}

describe('a node drains', () => {
  it('by SIGTERM', async () => {
    const node = stage().cluster.node('node-2');
    const there = await peopleOn(node.id);
    node.process.signal('SIGTERM');
    await moved(node.id, there);
    await left(node);
  });

  it('by POST /drain, refuses new sessions meanwhile, and tells how far it is', async () => {
    const { cluster } = stage();
    const node = cluster.node('node-2');
    const there = await peopleOn(node.id);
    const { url } = await cluster.route(stage().userOn(node.id));
    const begun = await drain(node, 'POST');
    expect(begun).toMatchObject({ nodeId: node.id, state: 'draining', causes: ['request'], total: 8 });
    expect((await node.fetch('internal', '/readyz')).status).toBe(503);
    expect((await stage().socket(url).closed).code).toBe(4508);
    await waitFor(async () => (await drain(node, 'GET').catch(() => undefined))?.moved !== 0, {
      message: 'somebody has moved',
    });
    await moved(node.id, there);
    await left(node);
  });

  it('by ringway drain, which says how far it is until the node has left', async () => {
    const { cluster, ca } = stage();
    const node = cluster.node('node-3');
    const there = await peopleOn(node.id);
    const env = {
      RINGWAY_CLUSTER: cluster.name,
      RINGWAY_CLUSTER_KEYS: cluster.keys.cluster,
      NODE_EXTRA_CA_CERTS: ca.caFile,
    };
    const where = ['--locator', cluster.locator.internalUrl];
    const unknown = await ringway(['drain', 'node-9', ...where], env);
    expect(unknown).toMatchObject({ code: 1, output: expect.stringContaining('there is no node node-9') });
    const { code, output } = await ringway(['drain', node.id, ...where], env);
    expect(output).toMatch(/^node-3 draining: 0 moved, 8 left, 0(\.\d)? s of 25 s\n/);
    expect(output).toMatch(/node-3 has left, after \S+ s or little more\n$/);
    expect(code).toBe(0);
    await moved(node.id, there);
    await left(node);
  });

  it('by maintenance in Consul', async () => {
    const node = stage().cluster.node('node-2');
    const there = await peopleOn(node.id);
    await maintenance(node.id, true);
    await moved(node.id, there);
    await left(node);
  });

  it('by a check that stays critical', async () => {
    const node = stage().cluster.node('node-1');
    const there = await peopleOn(node.id);
    alive = false;
    await moved(node.id, there);
    await left(node);
  });

  it('while Consul stands still: later out of the ring, but not later gone', async () => {
    const { consul, nodes } = stage().cluster;
    const node = stage().cluster.node('node-3');
    const there = await peopleOn(node.id);
    consul.freeze();
    try {
      node.process.signal('SIGTERM');
      await moved(node.id, there);
      expect(await node.process.exited).toEqual({ code: 0, signal: null });
    } finally {
      consul.thaw();
    }
    // those who have it in their ring still do not send anyone back
    for (const other of nodes)
      if (other !== node) expect(await other.metric('ringway_moves_pending')).toBe(0);
  });
});

describe('a drain that is cancelled', () => {
  /** One more node, that takes its time; the people that it is the home of. */
  async function slowNode(): Promise<{ node: ClusterProcess; people: readonly Person[] }> {
    const { cluster } = stage();
    const known = cluster.nodes.find(({ id }) => id === 'node-4');
    const node =
      known ??
      (await cluster.addNode({
        RINGWAY_NODE_ID: 'node-4',
        RINGWAY_MOVE_SPREAD: '1m',
        RINGWAY_STOP_GRACE: '15s',
      }));
    await stage().settled();
    const ring = stage().ring(['node-1', 'node-2', 'node-3', 'node-4']);
    const people: Person[] = [];
    while (people.length < 16) {
      const user = `user-${crypto.randomUUID()}`;
      if (ring.owner(`user:${user}`)?.id === 'node-4') people.push(await stage().person(user));
    }
    for (const person of people) expect(person.nodeId).toBe('node-4');
    return { node, people };
  }

  /** It serves as before: those who had gone come back, new ones are taken, and nobody has noticed anything. */
  async function serves(node: ClusterProcess, people: readonly Person[]): Promise<void> {
    await waitFor(async () => (await node.fetch('internal', '/readyz')).status === 200, {
      message: 'it is ready again',
    });
    await stage().settled();
    await Promise.all(people.map((person) => person.arrives('node-4', 30_000)));
    for (const { states } of people) {
      expect(states.map((change) => change.new)).toEqual(['connecting', 'connected']);
    }
    const { url } = await stage().cluster.route((people[0] as Person).userId);
    await stage().socket(url).frame('welcome');
  }

  it('by the end of the maintenance that caused it', async () => {
    const { node, people } = await slowNode();
    await maintenance(node.id, true);
    await waitFor(() => people.some(({ nodeId }) => nodeId !== 'node-4'), {
      message: 'the first has moved',
      timeout: 20_000,
    });
    expect(people.some(({ nodeId }) => nodeId === 'node-4')).toBe(true);
    await maintenance(node.id, false);
    await serves(node, people);
  });

  it('by DELETE /drain, where a request has caused it, which outlives what Consul says', async () => {
    const { node, people } = await slowNode();
    await drain(node, 'POST');
    await waitFor(() => people.some(({ nodeId }) => nodeId !== 'node-4'), {
      message: 'the first has moved',
      timeout: 20_000,
    });
    // somebody takes back in Consul what the node has said of itself: it says so again
    await maintenance(node.id, false);
    await waitFor(async () => (await consulHealth(stage().cluster)).get('node-4')?.includes('critical'), {
      message: 'it is in maintenance again',
    });
    await waitFor(async () => !(await stage().cluster.ringMembers()).includes('node-4'), {
      message: 'it is out of the ring',
    });
    expect(await drain(node, 'GET')).toMatchObject({ state: 'draining' });
    expect(await drain(node, 'DELETE')).toMatchObject({ state: 'serving' });
    await serves(node, people);
    // it is not needed any more: the ring of the other tests is without it
    const { nodes } = stage().cluster;
    await node.stop();
    nodes.splice(nodes.indexOf(node), 1);
  });
});

describe('a second signal', () => {
  it('ends the node at once', async () => {
    const node = stage().cluster.node('node-3');
    const stubborn = await stage().session(stage().userOn(node.id));
    node.process.signal('SIGTERM');
    await stubborn.frame('move');
    expect(node.running).toBe(true);
    node.process.signal('SIGTERM');
    expect(await node.process.exited).toEqual({ code: 143, signal: null });
    expect(node.output).toContain('second signal, ending at once');
    expect((await stubborn.closed).code).toBe(1006);
  });
});
