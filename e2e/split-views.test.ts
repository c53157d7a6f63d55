import { startTcpProxy, waitFor } from '@ringway/testkit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { amidTalk } from './support/company.ts';
import { useStage } from './support/stage.ts';

const stage = useStage({ parting: true });

/** Waits until a node hears so many of its peers. */
async function hears(nodeId: string, peers: number): Promise<void> {
  await waitFor(async () => (await stage().cluster.node(nodeId).metric('ringway_peer_links')) === peers, {
    message: `${nodeId} hears ${peers} peers`,
    timeout: 20_000,
  });
}

describe('a link that is cut between two nodes while a third hears both', () => {
  for (const way of ['cut', 'stall'] as const) {
    it(`(${way}) moves no home: what is said goes through the third, and nothing is lost, doubled or even told as a gap`, async () => {
      const { network, cluster } = stage();
      const flaws = await amidTalk(cluster, { gaps: 'none' }, async (crowd) => {
        const moved = cluster.nodes.map((node) => node.output.length);
        network[way]('node-1', 'node-2');
        await Promise.all([hears('node-1', 1), hears('node-2', 1)]);
        const alice = await stage().person(stage().userOn('node-1'));
        const bob = await stage().person(stage().userOn('node-2'));
        expect((await alice.tell(bob, 'by way of another')).reached).toBe(1);
        await bob.hears('by way of another');
        expect((await bob.tell(alice, 'and back')).reached).toBe(1);
        await alice.hears('and back');
        network.heal('node-1', 'node-2');
        await stage().settled();
        // nobody had to go anywhere
        expect(crowd.people.map(({ client }) => client.state)).toEqual(crowd.people.map(() => 'connected'));
        expect([...crowd.ledger.closes]).toEqual([]);
        for (const [i, node] of cluster.nodes.entries()) {
          expect(node.output.slice(moved[i])).not.toMatch(/the ring changed/);
        }
      });
      expect(flaws).toEqual([]);
    });
  }
});

describe('a node that is cut off from all but Consul and its clients', () => {
  it('speaks for nobody: its successor does, and what it is told meanwhile is refused, not lost', async () => {
    const { network, cluster } = stage();
    const inside = await stage().person(stage().userOn('node-1'), { sdk: { publishTimeoutMs: 60_000 } });
    const outside = await stage().person(stage().userOn('node-3'));
    const flaws = await amidTalk(cluster, {}, async () => {
      const ring = await cluster.ring();
      for (const other of ['node-2', 'node-3']) network.stall('node-1', other);
      await hears('node-1', 0);
      // Consul believes in it all the while
      expect((await cluster.ring()).checksum).toBe(ring.checksum);
      // it is in the minority: nothing that it is told may be confirmed, not even to its own
      let answered = false;
      const said = inside.tell(inside, 'to myself').then((answer) => {
        answered = true;
        return answer;
      });
      // the others know the successor by now
      const owned = stage().userOn('node-1');
      const { position } = await outside.tell(owned, 'to someone of node-1');
      expect(position?.seq).toBe(1);
      expect(answered).toBe(false);
      for (const other of ['node-2', 'node-3']) network.heal('node-1', other);
      await stage().settled();
      expect((await said).duplicate).toBe(false);
      await inside.hears('to myself');
      await outside.tell(inside, 'after it');
      await inside.hears('after it');
    });
    expect(flaws).toEqual([]);
  });
});

describe('a node that is cut off while all talk in groups', () => {
  it('stops to speak for a channel before its successor begins', async () => {
    const { network, cluster } = stage();
    const flaws = await amidTalk(
      cluster,
      {},
      async () => {
        for (const round of ['node-1', 'node-2', 'node-3']) {
          const others = cluster.nodes.map(({ id }) => id).filter((id) => id !== round);
          for (const other of others) network.stall(round, other);
          await hears(round, 0);
          for (const other of others) network.heal(round, other);
          await stage().settled();
        }
      },
      { groups: 12, members: 8, rate: 200, toGroups: 1 },
    );
    expect(flaws).toEqual([]);
  });
});

describe('a locator that sees another ring for ten seconds', () => {
  it('sends some to the wrong node, and nobody there misses anything', async () => {
    const { cluster } = stage();
    const before = cluster.nodes.map(({ id }) => id);
    await using consul = await startTcpProxy({ port: Number(new URL(cluster.consul.address).port) });
    const stale = await cluster.addLocator({ RINGWAY_CONSUL_URL: `http://127.0.0.1:${consul.port}` });
    onTestFinished(async () => {
      await stale.stop();
    });
    await stage().settled();
    const flaws = await amidTalk(cluster, {}, async () => {
      consul.stall();
      const parted = performance.now();
      const added = await cluster.addNode({ RINGWAY_NODE_ID: 'node-4' });
      const [fresh = stale] = cluster.locators;
      const all = [...before, 'node-4'].sort();
      await waitFor(async () => (await cluster.ringMembers(fresh)).sort().join() === all.join(), {
        message: 'the others know the new node',
        timeout: 20_000,
      });
      // whose home is the new node, and whom the stale locator sends to the old one: a guest there
      const ring = stage().ring(all);
      const guests: string[] = [];
      while (guests.length < 4) {
        const user = `guest-${crypto.randomUUID().slice(0, 8)}`;
        if (ring.owner(`user:${user}`)?.id === 'node-4') guests.push(user);
      }
      const [speaker, ...listeners] = await Promise.all(
        guests.map((user) => stage().person(user, { sdk: { locator: stale.publicUrl } })),
      );
      let said = 0;
      // ten seconds of it, as the two rings part
      while (performance.now() - parted < 10_000) {
        said += 1;
        const words = `words ${said}`;
        await Promise.all(listeners.map((listener) => speaker?.tell(listener, words)));
        await Promise.all(listeners.map((listener) => listener.hears(words)));
      }
      expect(await cluster.ringMembers(stale)).toHaveLength(before.length);
      for (const { heard, gaps } of listeners) {
        expect(heard).toEqual(Array.from({ length: said }, (_, i) => `words ${i + 1}`));
        expect(gaps).toEqual([]);
      }
      consul.heal();
      await stage().settled();
      await added.stop();
      await stage().settled();
    });
    expect(flaws).toEqual([]);
  });
});

describe('the network under test', () => {
  it('parts two nodes and no others', async () => {
    const { network } = stage();
    await waitFor(() => network.connections('node-1', 'node-2') === 2, { message: 'a link of each' });
    network.cut('node-1', 'node-2');
    expect(network.connections('node-1', 'node-3')).toBe(2);
    await Promise.all([hears('node-1', 1), hears('node-2', 1), hears('node-3', 2)]);
    network.heal('node-1', 'node-2');
    await stage().settled();
  });
});
