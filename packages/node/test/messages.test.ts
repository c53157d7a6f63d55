import type { Problem, PublishAnswer } from '@ringway/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';

describe('messages on three nodes', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.start(3);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it('go from a user of one node to a user of another in one hop, and are answered', async () => {
    const bob = cluster.userOn('node-2', 'bob');
    const alice = await cluster.connect(cluster.userOn('node-1', 'alice'));
    const receiver = await cluster.connect(bob);
    const before = metric(await metrics(cluster.node('node-2')), 'ringway_relay_frames_total');
    alice.send({ type: 'publish', to: `user:${bob}`, id: 'm1', data: { text: 'hello' } });
    const published = await alice.next('published');
    expect(published).toMatchObject({ id: 'm1', reached: 1 });
    const message = await receiver.next('message');
    expect(message).toMatchObject({ id: 'm1', channel: `user:${bob}`, data: { text: 'hello' } });
    expect(message.from).toMatch(/^user:alice-/);
    expect(message.position).toEqual(published.position);
    expect(message.position?.seq).toBe((message.previous?.seq ?? Number.NaN) + 1);
    expect(metric(await metrics(cluster.node('node-2')), 'ringway_relay_frames_total')).toBe(before + 1);
  });

  it('carry data as it was written, to the last digit and letter', async () => {
    const bob = cluster.userOn('node-3', 'digits');
    const receiver = await cluster.connect(bob);
    const alice = await cluster.connect(cluster.userOn('node-1', 'dora'));
    const data = '{ "big": 9007199254740993.10, "é": "\\u00e9 ü 漢字 😀", "deep":[[ ]] }';
    alice.socket.send(`{"type":"publish","to":"user:${bob}","id":"raw","data":${data}}`);
    await receiver.next('message');
    expect(receiver.texts.find((text) => text.includes('"raw"'))).toContain(`"data":${data}}`);
  });

  it('reach users with any name', async () => {
    const name = 'ŋame with "quotes" \\ and 漢字 😀';
    const receiver = await cluster.connect(name);
    const alice = await cluster.connect('alice-any');
    alice.send({ type: 'publish', to: `user:${name}`, id: 'n1', data: 1 });
    expect(await receiver.next('message')).toMatchObject({ channel: `user:${name}`, from: 'user:alice-any' });
    receiver.send({ type: 'publish', to: 'user:alice-any', id: 'ïd "1"', data: 2 });
    expect(await alice.next('message')).toMatchObject({ from: `user:${name}`, id: 'ïd "1"' });
    expect(await receiver.next('published')).toMatchObject({ id: 'ïd "1"', reached: 1 });
  });

  it('are stored once for one id, and refused for the same id with other data', async () => {
    const bob = cluster.userOn('node-2', 'once');
    const receiver = await cluster.connect(bob);
    const alice = await cluster.connect(cluster.userOn('node-3', 'alice'));
    const frame = { type: 'publish', to: `user:${bob}`, id: 'same', data: 1 };
    alice.send(frame);
    const first = await alice.next('published');
    alice.send(frame);
    expect(await alice.next('published')).toMatchObject({ duplicate: true, position: first.position });
    alice.send({ ...frame, data: 2 });
    expect(await alice.next('error')).toMatchObject({ id: 'same', code: 'id_conflict', retryable: false });
    alice.send({ type: 'publish', to: `user:${bob}`, id: 'last', data: 3 });
    await alice.next('published');
    await waitFor(() => receiver.all('message').some((m) => m.id === 'last'), 'the last message');
    expect(receiver.all('message').map((m) => m.id)).toEqual(['same', 'last']);
  });

  it('reach every session of a user, also as a guest on another node, in one order', async () => {
    const bob = cluster.userOn('node-1', 'guest');
    const [home, guest, second] = [
      await cluster.connect(bob),
      await cluster.connect(bob, cluster.node('node-2')),
      await cluster.connect(bob, cluster.node('node-2')),
    ];
    const alice = await cluster.connect(cluster.userOn('node-3', 'alice'));
    await waitFor(
      async () => metric(await metrics(cluster.node('node-2')), 'ringway_guest_channels') >= 1,
      'the interest',
    );
    for (let i = 0; i < 50; i++) alice.send({ type: 'publish', to: `user:${bob}`, id: `o${i}`, data: i });
    const published = await alice.next('published');
    expect(published.reached).toBe(3);
    for (const client of [home, guest, second]) {
      await waitFor(() => client.all('message').length === 50, 'all messages');
      expect(client.all('message').map((m) => m.data)).toEqual([...Array(50).keys()]);
    }
    guest.socket.close();
    second.socket.close();
    await Promise.all([guest.closed, second.closed]);
    await waitFor(async () => {
      alice.send({ type: 'publish', to: `user:${bob}`, id: `after${Math.random()}`, data: 0 });
      return (await alice.next('published')).reached === 1 && alice.all('published').at(-1)?.reached === 1;
    }, 'the interest to end');
  });

  it('go to a list with one frame a home and a result for each user', async () => {
    const users = ['node-1', 'node-2', 'node-3'].flatMap((id) => [
      cluster.userOn(id, 'la'),
      cluster.userOn(id, 'lb'),
    ]);
    const receivers = await Promise.all(users.slice(1).map((user) => cluster.connect(user)));
    const alice = await cluster.connect(cluster.userOn('node-1', 'alice'));
    const before = metric(await metrics(cluster.node('node-3')), 'ringway_relay_frames_total');
    alice.send({ type: 'publish', to: { users }, id: 'list', data: { n: 1 } });
    const published = await alice.next('published');
    expect(published.reached).toBe(5);
    expect(published.results?.map((r) => r.to)).toEqual(users);
    expect(published.results?.map((r) => r.reached)).toEqual([0, 1, 1, 1, 1, 1]);
    for (const receiver of receivers)
      expect(await receiver.next('message')).toMatchObject({ id: 'list', data: { n: 1 } });
    expect(metric(await metrics(cluster.node('node-3')), 'ringway_relay_frames_total')).toBe(before + 1);
    alice.send({ type: 'publish', to: { users }, id: 'list', data: { n: 1 } });
    expect((await alice.next('published')).results?.every((r) => r.duplicate)).toBe(true);
  });

  it('go to a list of 10,000 with a result for each, and to no longer one', async () => {
    const present = [cluster.userOn('node-2', 'long'), cluster.userOn('node-3', 'long')] as const;
    const receivers = await Promise.all(present.map((user) => cluster.connect(user)));
    const node = cluster.node('node-1');
    const publish = async (users: readonly string[]) => {
      const answer = await fetch(`${node.addresses.internalUrl}/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
        body: JSON.stringify({ to: { users }, data: users.length, id: 'long' }),
      });
      return { status: answer.status, body: (await answer.json()) as PublishAnswer & Problem };
    };
    const others = Array.from({ length: 9_999 }, (_, i) => `away-${i}`);
    const tooLong = await publish([...present, ...others]);
    expect(tooLong).toMatchObject({ status: 400, body: { code: 'list_too_long' } });
    const users = [present[0], ...others.slice(1), present[1]];
    const { status, body } = await publish(users);
    expect(status).toBe(200);
    expect(body.reached).toBe(2);
    expect(body.results?.map(({ to }) => to)).toEqual(users);
    expect(body.results?.filter(({ position, error }) => !position || error)).toEqual([]);
    expect(body.results?.flatMap(({ to, reached }) => (reached === 1 ? [to] : []))).toEqual(present);
    for (const receiver of receivers) {
      expect(await receiver.next('message')).toMatchObject({ id: 'long', data: 10_000 });
      expect(receiver.all('message')).toHaveLength(1);
    }
  });

  it('that are ephemeral have no position and are not kept', async () => {
    const bob = cluster.userOn('node-2', 'eph');
    const receiver = await cluster.connect(bob);
    const alice = await cluster.connect(cluster.userOn('node-1', 'alice'));
    alice.send({ type: 'publish', to: `user:${bob}`, id: 'e1', data: 1, ephemeral: true });
    expect(await alice.next('published')).toEqual({ type: 'published', id: 'e1', reached: 1 });
    expect((await receiver.next('message')).position).toBeUndefined();
    receiver.send({ type: 'resume', last: 10 });
    await receiver.next('resumed');
    expect(receiver.all('message')).toHaveLength(1);
  });

  it('of a group reach whoever joined, wherever, and only them', async () => {
    const clients = await Promise.all(
      ['node-1', 'node-2', 'node-3'].map((id) => cluster.connect(cluster.userOn(id, 'member'))),
    );
    const outsider = await cluster.connect(cluster.userOn('node-2', 'outsider'));
    for (const client of clients) {
      client.send({ type: 'join', channel: 'group:class-7' });
      expect((await client.next('joined')).channel).toBe('group:class-7');
    }
    outsider.send({ type: 'publish', to: 'group:class-7', id: 'g1', data: 'all of you' });
    expect((await outsider.next('published')).reached).toBe(3);
    for (const client of clients) expect((await client.next('message')).channel).toBe('group:class-7');
    clients[0]?.send({ type: 'leave', channel: 'group:class-7' });
    await clients[0]?.next('left');
    await waitFor(async () => {
      outsider.send({ type: 'publish', to: 'group:class-7', id: `g${Math.random()}`, data: 2 });
      return (await outsider.next('published')).reached === 2;
    }, 'two members');
    expect(outsider.all('message')).toEqual([]);
  });
});

describe('resume', () => {
  it('gives what was missed, in order, and tells a gap where that is not known', async () => {
    await using cluster = await TestCluster.start(2, { RINGWAY_LOG_MESSAGES: '5' });
    const bob = cluster.userOn('node-1', 'bob');
    const alice = await cluster.connect(cluster.userOn('node-2', 'alice'));
    const first = await cluster.connect(bob);
    const at = first.all('welcome')[0]?.position;
    expect(at).toBeDefined();
    first.socket.close();
    await first.closed;
    for (let i = 0; i < 3; i++) alice.send({ type: 'publish', to: `user:${bob}`, id: `r${i}`, data: i });
    await waitFor(() => alice.all('published').length === 3, 'three answers');
    for (const node of ['node-1', 'node-2']) {
      const again = await cluster.connect(bob, cluster.node(node));
      again.send({ type: 'resume', positions: { [`user:${bob}`]: at } });
      const resumed = await again.next('resumed');
      expect(again.all('message').map((m) => m.data)).toEqual([0, 1, 2]);
      expect(resumed.channels).toEqual([
        { channel: `user:${bob}`, position: again.all('message').at(-1)?.position },
      ]);
      expect(again.all('gap')).toEqual([]);
    }
    for (let i = 3; i < 10; i++) alice.send({ type: 'publish', to: `user:${bob}`, id: `r${i}`, data: i });
    await waitFor(() => alice.all('published').length === 10, 'ten answers');
    const late = await cluster.connect(bob);
    late.send({ type: 'resume', positions: { [`user:${bob}`]: at } });
    await late.next('resumed');
    expect(late.all('gap')).toEqual([
      { type: 'gap', channel: `user:${bob}`, after: at, upTo: { epoch: at?.epoch, seq: (at?.seq ?? 0) + 5 } },
    ]);
    expect(late.all('message').map((m) => m.data)).toEqual([5, 6, 7, 8, 9]);
    const foreign = await cluster.connect(bob);
    foreign.send({ type: 'resume', positions: { [`user:${bob}`]: { epoch: 'elsewhere', seq: 7 } } });
    await foreign.next('resumed');
    expect(foreign.all('gap')).toHaveLength(1);
    expect(foreign.all('message')).toHaveLength(5);
    const last = await cluster.connect(bob);
    last.send({ type: 'resume', last: 2 });
    await last.next('resumed');
    expect(last.all('message').map((m) => m.data)).toEqual([8, 9]);
  });
});
