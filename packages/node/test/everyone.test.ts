import { buildRing } from '@ringway/ring';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Everyone } from '../src/hub/everyone.ts';
import { LocalChannel, type Waiting } from '../src/hub/local-channel.ts';
import type { TestClient } from './support/client.ts';
import { TestCluster, waitFor } from './support/cluster.ts';
import { Person } from './support/people.ts';
import { ProxiedCluster } from './support/proxied-cluster.ts';
import { SocketBench } from './support/sessions.ts';
import { expectTold, numbers, published, Talker } from './support/talk.ts';

const FAST = {
  RINGWAY_LINK_TIMEOUT: '500',
  RINGWAY_HOME_TIMEOUT: '500',
  RINGWAY_PUBLISHES_PER_SECOND: '10000',
};

/** Waits for the `joined` that comes unasked. */
async function inAll(client: TestClient): Promise<void> {
  await waitFor(() => joins(client).length > 0, 'to be in all');
}

function joins(client: TestClient) {
  return client.all('joined').filter(({ channel }) => channel === 'all');
}

function homeOfAll(cluster: TestCluster): string {
  return cluster.watcher.current.owner('all')?.id ?? '';
}

/** One or two sessions on each node, all of them in `all`. */
async function crowd(cluster: TestCluster): Promise<TestClient[]> {
  const clients: TestClient[] = [];
  for (const node of cluster.nodes.values()) {
    clients.push(await cluster.connect(`first-${node.id}`, node));
    clients.push(await cluster.connect(`second-${node.id}`, node));
  }
  await Promise.all(clients.map(inAll));
  return clients;
}

describe('the channel all', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start(3, { RINGWAY_PUBLISHES_PER_SECOND: '10000' });
    for (const node of cluster.nodes.values()) await inAll(await cluster.connect('somebody', node));
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('is told to a session right behind its welcome, with the position', async () => {
    for (const node of cluster.nodes.values()) {
      const client = await cluster.connect(`new-${node.id}`, node);
      await inAll(client);
      expect(client.frames.slice(0, 2)).toEqual([
        client.all('welcome')[0],
        { type: 'joined', channel: 'all', position: { epoch: expect.any(String), seq: expect.any(Number) } },
      ]);
    }
  });

  it('brings what anybody says, and a backend, to every session on every node, once and in one order', async () => {
    const clients = await crowd(cluster);
    const talkers = clients
      .filter((_, i) => i % 2 === 0)
      .map((client, i) => new Talker(client, 'all', `t${i}`));
    for (let i = 0; i < 30; i++) for (const talker of talkers) talker.say();
    for (const node of cluster.nodes.values()) {
      const answer = await fetch(`${node.addresses.internalUrl}/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
        body: JSON.stringify({ to: 'all', data: node.id }),
      });
      expect(answer.status).toBe(200);
    }
    for (const talker of talkers) expect(published(await talker.stop())).toHaveLength(30);
    const said = 30 * talkers.length + cluster.nodes.size;
    const heard = (client: TestClient) => client.all('message').map(({ from, data }) => [from, data]);
    for (const client of clients) {
      await waitFor(() => heard(client).length >= said, 'all of it');
      expect(heard(client)).toHaveLength(said);
      expect(heard(client)).toEqual(heard(clients[0] as TestClient));
    }
    for (const talker of talkers) {
      const { userId } = talker.speaker.all('welcome')[0] as { userId: string };
      const own = heard(clients[0] as TestClient).filter(([from]) => from === `user:${userId}`);
      expect(own.map(([, data]) => data)).toEqual([...Array(30).keys()]);
    }
  });

  it('counts the sessions of all nodes, and none that were closed or kicked', async () => {
    const speaker = await cluster.connect('speaker');
    const reached = async (): Promise<number> => {
      speaker.send({ type: 'publish', to: 'all', id: `r${Math.random()}`, data: null });
      return (await speaker.next('published')).reached;
    };
    const sessions = () => [...cluster.nodes.values()].reduce((sum, node) => sum + node.sessions, 0);
    await waitFor(async () => (await reached()) === sessions(), 'all to be counted');
    const [gone, kicked] = [await cluster.connect('gone'), await cluster.connect('kicked')];
    await waitFor(async () => (await reached()) === sessions(), 'two more');
    gone.socket.close();
    const node = cluster.ownerOf('kicked');
    await fetch(`${node.addresses.internalUrl}/sessions?userId=kicked`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${cluster.token(node)}` },
    });
    expect((await kicked.closed).reason).toBe('kicked');
    await gone.closed;
    const before = sessions();
    await waitFor(async () => (await reached()) === before, 'two fewer');
  });

  it('is given again from where a client was, and a gap is told where that is not known', async () => {
    const speaker = await cluster.connect('teller');
    const before = await cluster.connect('returns');
    await inAll(before);
    const talker = new Talker(speaker, 'all');
    talker.say();
    await waitFor(() => numbers(before, 'all').length === 1, 'the first');
    const { position } = await before.next('message');
    before.socket.close();
    await before.closed;
    for (let i = 0; i < 20; i++) talker.say();
    await talker.stop();
    const after = await cluster.connect('returns', cluster.node('node-1'));
    await inAll(after);
    after.send({ type: 'resume', positions: { all: position } });
    const { channels } = await after.next('resumed');
    expect(channels).toEqual([{ channel: 'all', position: joins(after)[0]?.position }]);
    talker.say();
    await talker.stop();
    await waitFor(() => numbers(after, 'all').length === 21, 'the rest');
    expect(numbers(after, 'all')).toEqual(Array.from({ length: 21 }, (_, i) => i + 1));
    const lost = { epoch: 'elsewhere', seq: 7 };
    after.send({ type: 'resume', positions: { all: lost } });
    expect(await after.next('gap')).toMatchObject({ channel: 'all', after: lost });
    await after.next('resumed');
  });

  it('asks for the right to publish, and for none to be in it', async () => {
    const receives = await cluster.connect('receives', undefined, {
      cap: { publish: ['user:*'], join: [], presence: [] },
    });
    await inAll(receives);
    receives.send({ type: 'publish', to: 'all', id: 'x', data: 1 });
    expect(await receives.next('error')).toMatchObject({ id: 'x', code: 'forbidden' });
    const allowed = await cluster.connect('allowed', undefined, {
      cap: { publish: ['all'], join: [], presence: [] },
    });
    allowed.send({ type: 'publish', to: 'all', id: 'x', data: 'from one who may' });
    await allowed.next('published');
    await waitFor(() => receives.all('message').some(({ data }) => data === 'from one who may'), 'it');
  });

  it('is joined already, and is not left', async () => {
    const client = await cluster.connect('stays', undefined, {
      cap: { publish: ['all'], join: [], presence: [] },
    });
    await inAll(client);
    client.send({ type: 'join', channel: 'all' });
    await waitFor(() => joins(client).length === 2, 'the answer');
    client.send({ type: 'leave', channel: 'all' });
    expect(await client.next('error')).toMatchObject({ channel: 'all', code: 'invalid_channel' });
    client.send({ type: 'publish', to: 'all', id: 'x', data: 'still here' });
    await waitFor(() => client.all('message').some(({ data }) => data === 'still here'), 'it');
  });

  it('comes to the SDK like any other channel, unasked, and after a reconnect with what was missed', async () => {
    const speaker = await cluster.connect('sdk-teller');
    const person = new Person(cluster, 'sdk', { backoff: () => 50 });
    await person.client.connect();
    await waitFor(() => person.client.position('all') !== undefined, 'to be in all');
    const talker = new Talker(speaker, 'all').start();
    await waitFor(() => person.numbers('all').length > 5, 'the first');
    for (let i = 0; i < 3; i++) {
      const heard = person.numbers('all').length;
      await person.client.close();
      await talker.more(10);
      await person.client.connect();
      await waitFor(() => person.numbers('all').length > heard + 10, 'what was missed');
    }
    await talker.stop();
    await waitFor(() => person.numbers('all').at(-1) === talker.sent - 1, 'the last');
    const [first = 0] = person.numbers('all');
    expect(person.numbers('all')).toEqual(Array.from({ length: talker.sent - first }, (_, i) => first + i));
    expect(person.gaps).toEqual([]);
    await person.client.close();
  });
});

describe('the home of all', () => {
  it.each(['cut', 'stall'] as const)(
    'vanishes (%s) while messages flow: what was confirmed arrives, or a gap is told',
    async (how) => {
      const env = { ...FAST, RINGWAY_HOME_TIMEOUT: '3000' };
      await using cluster = await ProxiedCluster.startProxied(3, env);
      const clients = await crowd(cluster);
      const home = homeOfAll(cluster);
      const staying = clients.filter((client) => client.all('welcome')[0]?.nodeId !== home);
      const talker = new Talker(staying[0] as TestClient, 'all').start();
      await talker.more(40);
      for (const way of cluster.around(home)) way[how]();
      await waitFor(() => [...talker.answers()].some(([n, a]) => n > 60 && a === 'published'), 'answers');
      await talker.more(40);
      for (const way of cluster.around(home)) way.heal();
      await cluster.settled();
      await talker.more(40);
      const answers = await talker.stop();
      // each was answered, and only what went to the lost node at the last may be in doubt
      const others = [...answers.values()].filter((answer) => answer !== 'published' && answer !== 'unknown');
      expect(others).toEqual([]);
      for (const client of clients) {
        await waitFor(() => numbers(client).at(-1) === talker.sent - 1, 'the last');
        expectTold(client, published(answers));
      }
    },
  );

  it('changes as planned, there and back, and nothing is lost, doubled or told as a gap', async () => {
    await using cluster = await TestCluster.start(2, { RINGWAY_PUBLISHES_PER_SECOND: '10000' });
    const clients = await crowd(cluster);
    const members = (id: string) => ['node-1', 'node-2', id].map((one) => ({ id: one, weight: 1 }));
    const id = Array.from({ length: 50 }, (_, i) => `node-${i + 3}`).find(
      (one) => buildRing(members(one)).owner('all')?.id === one,
    ) as string;
    const talker = new Talker(clients[0] as TestClient, 'all').start();
    const flows = async (): Promise<void> => {
      const from = talker.sent;
      for (const client of clients)
        await waitFor(() => (numbers(client).at(-1) ?? -1) > from, 'messages to flow');
    };
    await flows();
    await cluster.add(id, { RINGWAY_PUBLISHES_PER_SECOND: '10000' });
    await cluster.settled();
    expect(homeOfAll(cluster)).toBe(id);
    await flows();
    const late = await cluster.connect('late', cluster.node(id));
    await inAll(late);
    await cluster.remove(id);
    await cluster.settled();
    await flows();
    const answers = await talker.stop();
    expect(published(answers)).toHaveLength(talker.sent);
    for (const client of clients) {
      await waitFor(() => numbers(client).at(-1) === talker.sent - 1, 'the last');
      expect(numbers(client)).toEqual([...Array(talker.sent).keys()]);
      expect(client.all('gap')).toEqual([]);
    }
  });

  it('cannot be reached by a node that starts: it serves all the rest, and is in all once it can', async () => {
    await using cluster = await ProxiedCluster.startProxied(2, FAST, 3);
    const after = buildRing(['node-1', 'node-2', 'node-3'].map((id) => ({ id, weight: 1 })));
    const home = after.owner('all')?.id as string;
    expect(home).not.toBe('node-3');
    for (const way of cluster.between('node-3', home)) way.cut();
    const node = await cluster.add('node-3', FAST);
    const userId = cluster.userOn('node-3');
    const client = await cluster.connect(userId, node);
    expect(joins(client)).toEqual([]);
    const position = { epoch: 'e', seq: 1 };
    client.send({ type: 'resume', positions: { all: position } });
    expect(await client.next('error')).toMatchObject({
      channel: 'all',
      code: 'unavailable',
      retryable: true,
    });
    client.send({ type: 'join', channel: 'all' });
    expect(await client.next('error')).toMatchObject({ channel: 'all', code: 'unavailable' });
    client.send({ type: 'publish', to: `user:${userId}`, id: 'x', data: 1 });
    await client.next('published');
    for (const way of cluster.between('node-3', home)) way.heal();
    await inAll(client);
    client.send({ type: 'publish', to: 'all', id: 'y', data: 2 });
    await waitFor(() => numbers(client, 'all').length === 1, 'what is said to all');
  });
});

describe('a node’s hold on all', () => {
  let bench: SocketBench;
  let waiting: Waiting[];
  let told: number[];
  let released: string[];
  beforeAll(async () => {
    bench = await SocketBench.start();
  });
  afterAll(() => bench[Symbol.asyncDispose]());
  beforeEach(() => {
    waiting = [];
    told = [];
    released = [];
  });

  function everyone(sessions: Parameters<Everyone['enter']>[0][]): Everyone {
    return new Everyone({
      hub: { hold: (_name, one) => waiting.push(one), release: (name) => released.push(name) },
      router: { resubscribe: (_name, count) => told.push(count) },
      sessions: () => sessions,
    });
  }

  function accepted(): LocalChannel {
    const channel = new LocalChannel('all');
    channel.position = { epoch: 'e1', seq: 3 };
    waiting.at(-1)?.joined(channel);
    return channel;
  }

  it('is asked for one at a time, again after it was refused, and not once it stands', () => {
    const all = everyone([]);
    all.tick();
    all.tick();
    expect(waiting).toHaveLength(1);
    waiting[0]?.failed();
    expect(all.channel).toBeUndefined();
    all.tick();
    expect(waiting).toHaveLength(2);
    const channel = accepted();
    all.tick();
    expect(waiting).toHaveLength(2);
    expect(all.channel).toBe(channel);
  });

  it('ends with the node, which waits for no home then', () => {
    const all = everyone([]);
    all.tick();
    all.leave();
    expect(released).toEqual(['all']);
    waiting[0]?.failed();
    all.tick();
    expect(waiting).toHaveLength(1);
  });

  it('takes in those who were welcomed before, and tells their number once a tick', async () => {
    const [joining, open] = [(await bench.session()).session, (await bench.session()).session];
    open.state = 'open';
    const sent: string[] = [];
    for (const session of [joining, open]) session.send = (text) => sent.push(text);
    const all = everyone([joining, open]);
    all.tick();
    all.enter(open);
    expect(sent).toEqual([]);
    const channel = accepted();
    expect([...channel.sessions]).toEqual([open]);
    joining.state = 'open';
    all.enter(joining);
    expect(sent).toHaveLength(2);
    expect(sent[0]).toContain('{"type":"joined","channel":"all","position":{"epoch":"e1","seq":3}}');
    expect(sent[1]).toBe(sent[0]);
    expect(told).toEqual([]);
    all.tick();
    expect(told).toEqual([2]);
    all.exit(open);
    all.exit(joining);
    all.tick();
    expect(told).toEqual([2, 0]);
    channel.position = { epoch: 'e1', seq: 4 };
    all.enter(open);
    expect(sent[2]).toContain('"seq":4}');
  });
});
