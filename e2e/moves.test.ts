import { startTcpProxy, type TcpProxy, waitFor } from '@ringway/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { Person } from './support/person.ts';
import { useStage } from './support/stage.ts';
import { Stream, streamProblem } from './support/stream.ts';

const stage = useStage();
const ALL = ['node-1', 'node-2', 'node-3', 'node-4'];
const PEOPLE = 60;

const proxies: TcpProxy[] = [];
afterAll(() => Promise.all(proxies.map((proxy) => proxy[Symbol.asyncDispose]())));

/** The sum of a metric over all nodes that run. */
async function sum(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const nodes = stage().cluster.nodes.filter(({ running }) => running);
  const values = await Promise.all(nodes.map((node) => node.metric(name, labels)));
  return values.reduce((a, b) => a + b, 0);
}

function homeOf({ userId }: Person, ids: readonly string[]): string {
  return stage().ring(ids).owner(`user:${userId}`)?.id ?? '';
}

describe('a fourth node comes and goes', () => {
  it('its share of the sessions goes there and back, and the application notices nothing', async () => {
    const { cluster } = stage();
    const people = await Promise.all(
      Array.from({ length: PEOPLE }, () => stage().person(`user-${crypto.randomUUID()}`)),
    );
    const streams = people.slice(0, 12).map((listener, i) => {
      return { listener, stream: new Stream(people[PEOPLE - 1 - i] as Person, listener.userId) };
    });
    const flowing = (): Promise<unknown> =>
      Promise.all(streams.map(({ listener, stream }) => listener.hears(stream.sent + 1)));
    const atHome = async (ids: readonly string[]): Promise<void> => {
      await Promise.all(people.map((person) => person.arrives(homeOf(person, ids), 30_000)));
      await waitFor(async () => (await sum('ringway_moves_pending')) === 0, {
        message: 'nobody is on the way',
        timeout: 20_000,
      });
    };
    await flowing();
    const before = await sum('ringway_moves_total', { result: 'sent' });
    await cluster.addNode({ RINGWAY_NODE_ID: 'node-4' });
    await atHome(ALL);
    const moved = people.filter((person) => homeOf(person, ALL) === 'node-4');
    expect(moved.length).toBeGreaterThan(0);
    expect((await sum('ringway_moves_total', { result: 'sent' })) - before).toBe(moved.length);
    await flowing();

    const leaving = cluster.node('node-4');
    expect(await leaving.stop()).toEqual({ code: 0, signal: null });
    cluster.nodes.splice(cluster.nodes.indexOf(leaving), 1);
    await atHome(ALL.slice(0, 3));
    await flowing();
    for (const { listener, stream } of streams) {
      await stream.end();
      await listener.hears(stream.sent);
      expect(streamProblem(listener, stream.sent)).toBeUndefined();
      expect(listener.gaps).toEqual([]);
    }
    for (const { states, errors } of people) {
      expect(states.map((change) => change.new)).toEqual(['connecting', 'connected']);
      expect(errors).toEqual([]);
    }
    await stage().settled();
  });
});

describe('a locator that does not hear of a change', () => {
  it('sends people to their former home, from where they go to the new one, once', async () => {
    const { cluster } = stage();
    const proxy = await startTcpProxy({ port: Number(new URL(cluster.consul.address).port) });
    proxies.push(proxy);
    const stale = await cluster.addLocator({ RINGWAY_CONSUL_URL: `http://127.0.0.1:${proxy.port}` });
    proxy.stall();
    const fourth = await cluster.addNode({ RINGWAY_NODE_ID: 'node-4' });
    await waitFor(async () => (await fourth.metric('ringway_peer_links')) === 3, {
      message: 'node-4 knows its peers',
    });
    await waitFor(async () => (await cluster.ringMembers()).length === 4, { message: 'the others know it' });
    const people: Person[] = [];
    while (people.length < 8) {
      const person = new Person(cluster, `user-${crypto.randomUUID()}`, {
        sdk: { locator: stale.publicUrl },
      });
      if (homeOf(person, ALL) !== 'node-4') continue;
      people.push(person);
      await person.client.connect();
    }
    const before = await sum('ringway_moves_total', { result: 'sent' });
    await Promise.all(people.map((person) => person.arrives('node-4')));
    // whoever comes back by that locator is sent on once more, and nobody on their own
    await Promise.all(people.map((person) => person.leave()));
    expect((await sum('ringway_moves_total', { result: 'sent' })) - before).toBeLessThanOrEqual(8);
    for (const { states } of people) {
      const named = states.map((change) => change.new);
      expect(named).toEqual(['connecting', 'connected', 'disconnected']);
    }
    proxy.heal();
    await stale.stop();
    cluster.locators.splice(cluster.locators.indexOf(stale), 1);
    await fourth.stop();
    cluster.nodes.splice(cluster.nodes.indexOf(fourth), 1);
    await stage().settled();
  });
});

describe('a client that cannot get to its home', () => {
  it('stays a guest, is asked again later and later, and is never closed for it', async () => {
    const { cluster } = stage();
    // where clients reach node-4 nothing listens
    const fourth = await cluster.addNode({
      RINGWAY_NODE_ID: 'node-4',
      RINGWAY_PUBLIC_URL: 'wss://127.0.0.1:1',
      RINGWAY_MOVE_DEADLINE: '2s',
    });
    await stage().settled();
    const users: string[] = [];
    for (let i = 0; users.length < 4; i++) {
      const userId = `user-${i}`;
      if (stage().ring(ALL).owner(`user:${userId}`)?.id === 'node-4') users.push(userId);
    }
    const people = await Promise.all(users.map((userId) => stage().person(userId)));
    for (const { nodeId } of people) expect(nodeId).not.toBe('node-4');
    // their tickets say so, and nobody is asked at all while the ring is the same
    expect(await sum('ringway_moves_pending')).toBe(0);
    const fifth = await cluster.addNode({ RINGWAY_NODE_ID: 'node-5' });
    await stage().settled();
    const five = [...ALL, 'node-5'];
    const still = people.filter((each) => homeOf(each, five) === 'node-4');
    await waitFor(async () => (await sum('ringway_moves_total', { result: 'failed' })) >= still.length, {
      message: 'those who were asked say that it failed',
      timeout: 30_000,
    });
    // one of them belongs on node-5 now: while it is under way it is counted twice, or not at all
    await waitFor(async () => (await sum('ringway_guest_channels')) === still.length, {
      message: 'the others are at home',
      timeout: 30_000,
    });
    for (const each of people) {
      expect(each.states.map((change) => change.new)).toEqual(['connecting', 'connected']);
      expect((await each.tell(each, 'still here')).reached).toBe(1);
    }
    for (const node of [fourth, fifth]) {
      await node.stop();
      cluster.nodes.splice(cluster.nodes.indexOf(node), 1);
    }
    await stage().settled();
  });
});
