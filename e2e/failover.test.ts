import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { locatorSource, RingwayPush } from '@ringway/push';
import { describe, expect, it, onTestFinished } from 'vitest';
import { consulHealth } from './support/consul-health.ts';
import { useStage } from './support/stage.ts';
import { Stream, streamProblem } from './support/stream.ts';

// What Consul asks about node-1: alive for as long as the test says so. It makes Consul as slow as it can be anywhere.
let alive = true;
const eyes = createServer((_request, response) => response.writeHead(alive ? 200 : 503).end());

const stage = useStage(async () => {
  eyes.listen(0, '127.0.0.1');
  await once(eyes, 'listening');
  eyes.unref();
  const { port } = eyes.address() as AddressInfo;
  return { envOf: { 'node-1': { RINGWAY_CHECK_URL: `http://127.0.0.1:${port}/` } } };
});

/** What Consul's checks say of a node at this moment. */
async function consulSays(nodeId: string): Promise<readonly string[] | undefined> {
  return (await consulHealth(stage().cluster)).get(nodeId);
}

function backend(): RingwayPush {
  const { cluster, ca } = stage();
  const push = new RingwayPush({
    source: locatorSource({ urls: cluster.locators.map(({ internalUrl }) => internalUrl) }),
    name: 'billing',
    cluster: cluster.name,
    clusterKeys: cluster.keys.cluster,
    tls: { ca: ca.ca },
  });
  onTestFinished(() => push.close());
  return push;
}

describe('a node that is killed', () => {
  it('has its client back on the successor while Consul still believes in it', async () => {
    const { cluster } = stage();
    const alice = await stage().person(stage().userOn('node-1', 'node-2'));
    const bob = await stage().person(stage().userOn('node-3'));
    const push = backend();
    await push.ready();
    const stream = new Stream(bob, alice.userId);
    await alice.hears(5);
    const ring = await cluster.ring();

    await cluster.node('node-1').kill();
    await alice.arrives('node-2');
    expect(await consulSays('node-1')).toEqual(['passing', 'passing']);
    expect((await cluster.ring()).checksum).toBe(ring.checksum);

    // what others say reaches it, what a backend pushes too, and it can speak itself
    const first = stream.sent + 1;
    await alice.hears(first);
    expect((await push.publish(`user:${alice.userId}`, 'pushed')).reached).toBe(1);
    await alice.hears('pushed');
    await alice.tell(bob, 'still here');
    await bob.hears('still here');
    // and who comes only now is sent on as well
    const carol = await stage().person(stage().userOn('node-1', 'node-3'));
    expect(carol.nodeId).toBe('node-3');
    expect((await bob.tell(carol, 'welcome')).reached).toBe(1);
    await carol.hears('welcome');
    expect(await consulSays('node-1')).toEqual(['passing', 'passing']);

    // Consul opens its eyes: the ring shrinks, and nobody notices
    const changes = alice.states.length;
    alive = false;
    await stage().settled();
    expect((await cluster.ring()).checksum).toBe(stage().ring(['node-2', 'node-3']).version.checksum);
    const later = stream.sent + 1;
    await alice.hears(later);
    expect(alice.states).toHaveLength(changes);
    await stream.end();
    await alice.hears(stream.sent);
    expect(streamProblem(alice, stream.sent)).toBeUndefined();

    alive = true;
    await cluster.node('node-1').start();
    await stage().settled();
    // how many it reached is a hint, and she may be on her way just now
    await bob.tell(alice, 'after it came back');
    await alice.hears('after it came back');
  });

  it('loses no client, and none of those who stay notices', async () => {
    const { cluster } = stage();
    const lost = await Promise.all(
      Array.from({ length: 10 }, () => stage().person(stage().userOn('node-2'))),
    );
    const staying = await stage().person(stage().userOn('node-3'));
    const successors = new Map(
      lost.map(({ userId }) => [userId, stage().ring().owners(`user:${userId}`, 2)[1]?.id ?? '']),
    );
    await cluster.node('node-2').kill();
    await Promise.all(lost.map((person) => person.arrives(successors.get(person.userId) ?? '')));
    await Promise.all(
      lost.map(async (person) => {
        expect((await staying.tell(person, 'back?')).reached).toBe(1);
        await person.hears('back?');
      }),
    );
    expect(staying.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
    await stage().settled();
    await cluster.node('node-2').start();
    await stage().settled();
  });
});

describe('a node that is stopped', () => {
  it('ends with 0, its clients have moved by then, and nothing is missed untold', async () => {
    const { cluster } = stage();
    const alice = await stage().person(stage().userOn('node-3', 'node-1'));
    const bob = await stage().person(stage().userOn('node-2'));
    const stream = new Stream(bob, alice.userId);
    await alice.hears(5);
    const ended = cluster.node('node-3').stop();
    await alice.arrives('node-1', 5_000);
    const first = stream.sent + 1;
    await alice.hears(first);
    expect(await ended).toEqual({ code: 0, signal: null });
    await stream.end();
    await alice.hears(stream.sent);
    expect(streamProblem(alice, stream.sent)).toBeUndefined();
    expect(alice.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
    // it said so to Consul too: nobody had to wait for a check
    await stage().settled();
    expect(await consulSays('node-3')).toBeUndefined();
    await cluster.node('node-3').start();
    await stage().settled();
  });
});
