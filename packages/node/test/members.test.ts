import { CHANNEL_ALL, type JoinedFrame, type Problem } from '@ringway/protocol';
import { type RedisServer, startRedis } from '@ringway/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import type { TestClient } from './support/client.ts';
import { labelled, metric, metrics, TestCluster, waitFor } from './support/cluster.ts';

/** Rights to nothing: a backend needs none of them. */
const NOTHING = { cap: { publish: [], join: [], presence: [] } };

/** What a backend does, over HTTP. */
class Backend {
  readonly cluster: TestCluster;

  constructor(cluster: TestCluster) {
    this.cluster = cluster;
  }

  async ask(method: string, node: Node, path: string, token = this.cluster.token(node)): Promise<Response> {
    return fetch(`${node.addresses.internalUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
    });
  }

  async put(node: Node, group: string, userId: string): Promise<void> {
    const answer = await this.ask(
      'PUT',
      node,
      `/groups/${encodeURIComponent(group)}/members/${encodeURIComponent(userId)}`,
    );
    expect([answer.status, await answer.json()]).toEqual([200, { group, userId }]);
  }

  async remove(node: Node, group: string, userId: string): Promise<void> {
    const answer = await this.ask(
      'DELETE',
      node,
      `/groups/${encodeURIComponent(group)}/members/${encodeURIComponent(userId)}`,
    );
    expect([answer.status, await answer.json()]).toEqual([200, { group, userId }]);
  }

  async get(node: Node, path: string): Promise<unknown> {
    const answer = await this.ask('GET', node, path);
    expect(answer.status).toBe(200);
    return answer.json();
  }

  async publish(node: Node, group: string, data: unknown): Promise<void> {
    const answer = await fetch(`${node.addresses.internalUrl}/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.cluster.token(node)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ to: `group:${group}`, data }),
    });
    expect(answer.status).toBe(200);
  }
}

/** What came on the channel of a group. */
function heard(client: TestClient, group: string): unknown[] {
  return client.all('message').flatMap(({ channel, data }) => (channel === `group:${group}` ? [data] : []));
}

/** What the client was told of groups that it is in: of `all`, which everyone is in, it is told besides. */
function groupsJoined(client: TestClient): JoinedFrame[] {
  return client.all('joined').filter(({ channel }) => channel !== CHANNEL_ALL);
}

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis[Symbol.asyncDispose]());

for (const kept of ['in the memory of the nodes', 'in Redis']) {
  describe(`whom backends put into groups, kept ${kept}`, () => {
    let cluster: TestCluster;
    let backend: Backend;
    let nodes: [Node, Node, Node];
    beforeAll(async () => {
      const env = kept === 'in Redis' ? { RINGWAY_REDIS_URL: redis.url } : {};
      cluster = await TestCluster.start(3, { ...env, RINGWAY_MAX_GROUPS: '1', RINGWAY_MAX_USER_GROUPS: '3' });
      backend = new Backend(cluster);
      nodes = [...cluster.nodes.values()] as [Node, Node, Node];
    });
    afterAll(() => cluster[Symbol.asyncDispose]());

    it('joins every session of the user, present and later, on every node', async () => {
      const [one, two, three] = nodes;
      const there = await Promise.all([two, three].map((node) => cluster.connect('alice', node, NOTHING)));
      await backend.put(one, 'class 7/b', 'alice');
      for (const client of there)
        expect(await client.next('joined')).toEqual({
          type: 'joined',
          channel: 'group:class 7/b',
          position: expect.objectContaining({ seq: 0 }),
        });
      await backend.publish(three, 'class 7/b', 'hello');
      const later = await cluster.connect('alice', one, NOTHING);
      expect((await later.next('joined')).position.seq).toBe(1);
      expect(later.frames[0]?.type).toBe('welcome');
      expect(groupsJoined(later)).toHaveLength(1);
      await backend.publish(one, 'class 7/b', 'again');
      for (const client of there) {
        await waitFor(() => heard(client, 'class 7/b').length === 2, 'both');
        expect(heard(client, 'class 7/b')).toEqual(['hello', 'again']);
      }
      await waitFor(() => heard(later, 'class 7/b').length === 1, 'the second');
      const [first] = there as [TestClient];
      const { position } = groupsJoined(first)[0] as JoinedFrame;
      later.send({ type: 'resume', positions: { 'group:class 7/b': position } });
      await later.next('resumed');
      expect(heard(later, 'class 7/b')).toEqual(['again', 'hello', 'again']);
      // no second time for what is so already
      await backend.put(two, 'class 7/b', 'alice');
      for (const client of [...there, later]) {
        client.send({ type: 'ping' });
        await client.next('pong');
        expect(groupsJoined(client)).toHaveLength(1);
      }
    });

    it('takes all of them out again, those that joined by themselves too', async () => {
      const [one, two, three] = nodes;
      const [put, own, both] = (await Promise.all(nodes.map((node) => cluster.connect('bob', node)))) as [
        TestClient,
        TestClient,
        TestClient,
      ];
      both.send({ type: 'join', channel: 'group:out' });
      await both.next('joined');
      await backend.put(two, 'out', 'bob');
      await Promise.all([put.next('joined'), own.next('joined')]);
      await backend.remove(three, 'out', 'bob');
      for (const client of [put, own, both])
        expect(await client.next('left')).toEqual({ type: 'left', channel: 'group:out' });
      own.send({ type: 'join', channel: 'group:out' });
      await own.next('joined');
      await backend.remove(one, 'out', 'bob');
      await own.next('left');
      await backend.publish(one, 'out', 'nobody');
      for (const client of [put, own, both]) {
        client.send({ type: 'ping' });
        await client.next('pong');
        expect(heard(client, 'out')).toEqual([]);
      }
      const later = await cluster.connect('bob', one);
      later.send({ type: 'ping' });
      await later.next('pong');
      expect(groupsJoined(later)).toEqual([]);
    });

    it('lets a session leave, until its next connect', async () => {
      const [one] = nodes;
      await backend.put(one, 'optional', 'carol');
      const [leaver, stayer] = [
        await cluster.connect('carol', one, NOTHING),
        await cluster.connect('carol', one, NOTHING),
      ];
      await Promise.all([leaver.next('joined'), stayer.next('joined')]);
      leaver.send({ type: 'leave', channel: 'group:optional' });
      await leaver.next('left');
      await backend.put(one, 'optional', 'carol');
      // another change brings this one back no more than a repetition does
      await backend.put(one, 'other', 'carol');
      await leaver.next('joined');
      await backend.publish(one, 'optional', 1);
      await waitFor(() => heard(stayer, 'optional').length === 1, 'the one who stays');
      expect(groupsJoined(leaver).map(({ channel }) => channel)).toEqual(['group:optional', 'group:other']);
      expect(heard(leaver, 'optional')).toEqual([]);
      const next = await cluster.connect('carol', one, NOTHING);
      for (const _ of ['optional', 'other']) await next.next('joined');
      // of its own will it comes back without a right to join
      leaver.send({ type: 'join', channel: 'group:optional' });
      expect((await leaver.next('joined')).channel).toBe('group:optional');
    });

    it('comes back to whoever has left once the membership was ended and made anew', async () => {
      const [one] = nodes;
      await backend.put(one, 'anew', 'dora');
      const client = await cluster.connect('dora', one, NOTHING);
      await client.next('joined');
      client.send({ type: 'leave', channel: 'group:anew' });
      await client.next('left');
      await backend.remove(one, 'anew', 'dora');
      await backend.put(one, 'anew', 'dora');
      await client.next('joined');
    });

    it('outlives a smaller right, and takes no room among the groups that a session joins itself', async () => {
      const [one] = nodes;
      for (const group of ['x', 'y']) await backend.put(one, group, 'emil');
      const client = await cluster.connect('emil', one);
      for (const _ of ['x', 'y']) await client.next('joined');
      client.send({ type: 'join', channel: 'group:own' });
      expect((await client.next('joined')).channel).toBe('group:own');
      client.send({ type: 'join', channel: 'group:more' });
      expect(await client.next('error')).toMatchObject({ code: 'forbidden', channel: 'group:more' });
      client.send({ type: 'refresh', ticket: cluster.ticket('emil', one, NOTHING) });
      await client.next('refreshed');
      expect(await client.next('left')).toEqual({ type: 'left', channel: 'group:own' });
      await backend.publish(one, 'x', 'still here');
      await waitFor(() => heard(client, 'x').length === 1, 'the message');
      expect(client.all('left')).toHaveLength(1);
    });

    it('outlives a kick', async () => {
      const [one, two] = nodes;
      await backend.put(one, 'kicked', 'fred');
      const client = await cluster.connect('fred', one, NOTHING);
      await client.next('joined');
      expect((await backend.ask('DELETE', two, '/sessions?userId=fred')).status).toBe(202);
      await client.closed;
      const back = await cluster.connect('fred', two, NOTHING);
      expect((await back.next('joined')).channel).toBe('group:kicked');
    });

    it('is listed by group, page by page, and by user', async () => {
      const [one, two, three] = nodes;
      const users = ['b', 'ä', 'a/1', 'a b', '%2F'];
      for (const user of users) await backend.put(one, 'list', user);
      await backend.put(two, 'a second', 'b');
      const sorted = ['%2F', 'a b', 'a/1', 'b', 'ä'];
      const all = { group: 'list', members: sorted, more: false };
      await waitFor(
        async () => JSON.stringify(await backend.get(three, '/groups/list/members')) === JSON.stringify(all),
        'all to be known everywhere',
      );
      expect(await backend.get(one, '/groups/list/members?limit=2')).toEqual({
        group: 'list',
        members: ['%2F', 'a b'],
        more: true,
      });
      expect(await backend.get(one, '/groups/list/members?limit=3&after=a%20b')).toEqual({
        group: 'list',
        members: ['a/1', 'b', 'ä'],
        more: false,
      });
      expect(await backend.get(one, '/groups/nobody%20there/members')).toEqual({
        group: 'nobody there',
        members: [],
        more: false,
      });
      expect(await backend.get(two, '/groups?userId=b')).toEqual({
        userId: 'b',
        groups: ['a second', 'list'],
      });
      expect(await backend.get(two, '/groups?userId=nobody')).toEqual({ userId: 'nobody', groups: [] });
    });

    it('is refused with what was wrong', async () => {
      const [one] = nodes;
      const long = 'x'.repeat(257);
      const cases: [method: string, path: string, status: number, code: string, detail: string][] = [
        ['PUT', `/groups/${long}/members/alice`, 400, 'invalid_channel', 'NAME'],
        ['PUT', '/groups/%07/members/alice', 400, 'invalid_channel', 'NAME'],
        ['PUT', `/groups/a/members/${long}`, 400, 'invalid_user_id', 'userId'],
        ['DELETE', '/groups/a/members/%00', 400, 'invalid_user_id', 'userId'],
        ['DELETE', '/groups/%00/members/a', 400, 'invalid_channel', 'NAME'],
        ['PUT', '/groups/%zz/members/a', 400, 'bad_request', ''],
        ['PUT', '/groups/a/members/', 400, 'invalid_user_id', 'userId'],
        ['GET', '/groups/%00/members', 400, 'invalid_channel', 'NAME'],
        ['GET', '/groups/a/members?limit=0', 400, 'bad_request', 'limit'],
        ['GET', '/groups/a/members?limit=10001', 400, 'bad_request', 'limit'],
        ['GET', '/groups/a/members?limit=x', 400, 'bad_request', 'limit'],
        ['GET', '/groups/a/members?after=%00', 400, 'invalid_user_id', 'userId'],
        ['GET', '/groups', 400, 'invalid_user_id', 'userId'],
        ['GET', '/groups/a', 404, 'not_found', '/groups/a'],
      ];
      for (const [method, path, status, code, detail] of cases) {
        const answer = await backend.ask(method, one, path);
        expect(answer.headers.get('content-type')).toContain('application/problem+json');
        const problem = (await answer.json()) as Problem;
        expect({ path, status: answer.status, code: problem.code }).toEqual({ path, status, code });
        expect(problem.detail).toContain(detail);
      }
      // the longest names there are
      const widest = 'é'.repeat(128);
      await backend.put(one, widest, widest);
      for (const [method, path] of [
        ['PUT', '/groups/a/members/alice'],
        ['DELETE', '/groups/a/members/alice'],
        ['GET', '/groups/a/members'],
        ['GET', '/groups?userId=alice'],
      ] as const) {
        expect((await backend.ask(method, one, path, 'nonsense')).status).toBe(401);
        expect((await backend.ask(method, one, path, cluster.token(one, 'peer'))).status).toBe(403);
        expect((await backend.ask(method, one, path, cluster.token(one, 'admin'))).status).toBe(200);
      }
    });

    it('has a bound, and counts what was made of each change', async () => {
      const [one] = nodes;
      for (const group of ['1', '2', '3']) await backend.put(one, group, 'greta');
      const answer = await backend.ask('PUT', one, '/groups/4/members/greta');
      expect(answer.status).toBe(409);
      const problem = (await answer.json()) as Problem;
      expect(problem).toMatchObject({ code: 'limit_reached', detail: expect.stringContaining('3 groups') });
      const text = await metrics(one);
      const changes = 'ringway_membership_changes_total';
      expect(labelled(text, changes, 'result', 'full')).toBe(1);
      expect(labelled(text, changes, 'result', 'put')).toBeGreaterThan(3);
      if (kept === 'in Redis') expect(metric(text, 'ringway_memberships_connected')).toBe(1);
      else expect(labelled(text, 'ringway_memberships', 'state', 'present')).toBeGreaterThan(3);
    });

    it('is known to a node that is added later', async () => {
      const [one] = nodes;
      await backend.put(one, 'before', 'hugo');
      const env = kept === 'in Redis' ? { RINGWAY_REDIS_URL: redis.url } : {};
      const four = await cluster.add('node-4', env);
      const client = await cluster.connect('hugo', four, NOTHING);
      await client.next('joined');
      await cluster.settled();
      await cluster.remove('node-4');
      await cluster.settled();
    });
  });
}

describe('whom backends put into groups, kept in Redis', () => {
  it('is read once Redis is back: sessions go on meanwhile, and changes are refused or unknown', async () => {
    await using own = await startRedis({ persistent: true });
    await using cluster = await TestCluster.start(2, {
      RINGWAY_REDIS_URL: own.url,
      RINGWAY_LOG_TIMEOUT: '500ms',
    });
    const backend = new Backend(cluster);
    const [one, two] = [...cluster.nodes.values()] as [Node, Node];
    await backend.put(one, 'a', 'alice');
    const there = await cluster.connect('alice', one, NOTHING);
    await there.next('joined');
    await own.kill();
    const answer = await backend.ask('PUT', one, '/groups/b/members/alice');
    expect(answer.status).toBe(503);
    expect(['unavailable', 'unknown']).toContain(((await answer.json()) as Problem).code);
    expect((await backend.ask('GET', one, '/groups/a/members')).status).toBe(503);
    const later = await cluster.connect('alice', two, NOTHING);
    expect(groupsJoined(later)).toEqual([]);
    await backend.publish(two, 'a', 'meanwhile');
    await waitFor(() => heard(there, 'a').length === 1, 'the message');
    await own.start();
    expect((await later.next('joined')).channel).toBe('group:a');
    await waitFor(
      async () => (await backend.ask('PUT', one, '/groups/b/members/alice')).status === 200,
      'changes to be taken',
    );
    await Promise.all([there, later].map((client) => client.next('joined')));
    expect(there.all('left')).toEqual([]);
  });

  it('is what Redis has: sessions leave what it has lost', async () => {
    await using own = await startRedis();
    await using cluster = await TestCluster.start(1, { RINGWAY_REDIS_URL: own.url });
    const backend = new Backend(cluster);
    const node = cluster.node('node-1');
    await backend.put(node, 'lost', 'alice');
    const client = await cluster.connect('alice', node);
    await client.next('joined');
    client.send({ type: 'join', channel: 'group:own' });
    await client.next('joined');
    await own.restartEmpty();
    expect(await client.next('left', 20_000)).toEqual({ type: 'left', channel: 'group:lost' });
    await waitFor(
      async () => (await backend.ask('PUT', node, '/groups/lost/members/alice')).status === 200,
      'changes to be taken',
    );
    expect((await client.next('joined')).channel).toBe('group:lost');
    expect(client.all('left')).toHaveLength(1);
  });
});
