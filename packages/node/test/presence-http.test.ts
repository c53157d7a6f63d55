import { HTTP } from '@ringway/protocol';
import { describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { metric, metrics, TestCluster, waitFor } from './support/cluster.ts';
import { EventReader } from './support/events.ts';

const DEBOUNCE = 500;
const ENV = { RINGWAY_PRESENCE_DEBOUNCE: String(DEBOUNCE) };

interface Request {
  readonly method?: 'POST';
  readonly path?: string;
  readonly token?: string;
  readonly body?: string;
}

async function problem(
  cluster: TestCluster,
  node: Node,
  request: Request,
): Promise<[number, string, string]> {
  const { method = 'GET', path = HTTP.presence, token = cluster.token(node), body } = request;
  const answer = await fetch(node.addresses.internalUrl + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body }),
  });
  const { code, detail } = (await answer.json()) as { code: string; detail: string };
  return [answer.status, code, detail];
}

describe('GET and POST /presence', () => {
  it('name what was wrong with a request', async () => {
    await using cluster = await TestCluster.start(1, { ...ENV, RINGWAY_MAX_LIST_USERS: '2' });
    const node = cluster.node('node-1');
    const long = 'x'.repeat(257);
    const cases: [Request, number, string, RegExp][] = [
      [{ token: 'no' }, 401, 'unauthenticated', /refused/],
      [{ token: cluster.token(node, 'peer') }, 403, 'forbidden', /scope/],
      [{ path: '/presence/events', token: 'no' }, 401, 'unauthenticated', /refused/],
      [{}, 400, 'bad_request', /userId.*or group/],
      [{ path: '/presence?userId=a&group=g' }, 400, 'bad_request', /userId.*or group/],
      [{ path: '/presence?userId=' }, 400, 'invalid_user_id', /userId/],
      [{ path: `/presence?userId=a&userId=${long}` }, 400, 'invalid_user_id', /userId/],
      [{ path: '/presence?userId=a&userId=b&userId=c' }, 400, 'list_too_long', /3 users, at most 2/],
      [{ path: '/presence?group=' }, 400, 'bad_request', /group/],
      [{ path: '/presence?group=a&group=b' }, 400, 'bad_request', /group/],
      [{ method: 'POST' }, 400, 'bad_request', /"users"/],
      [{ path: '/presence?userId=a&debounced=1' }, 400, 'bad_request', /debounced/],
      [{ method: 'POST', body: '{' }, 400, 'bad_request', /"users"/],
      [{ method: 'POST', body: '[]' }, 400, 'bad_request', /"users"/],
      [{ method: 'POST', body: '{"users":"a"}' }, 400, 'bad_request', /"users"/],
      [{ method: 'POST', body: '{"users":["a",7]}' }, 400, 'invalid_user_id', /users/],
      [{ method: 'POST', body: '{"users":["a","b","c"]}' }, 400, 'list_too_long', /3 users, at most 2/],
      [{ method: 'POST', body: '{"users":["a"],"debounced":1}' }, 400, 'bad_request', /debounced/],
      [{ path: '/presence/events?userId=' }, 400, 'invalid_user_id', /userId/],
      [
        { path: `/presence/events?${Array.from({ length: 101 }, (_, i) => `userId=${i}`).join('&')}` },
        400,
        'list_too_long',
        /101 users, at most 100/,
      ],
    ];
    for (const [request, status, code, detail] of cases) {
      const told = await problem(cluster, node, request);
      expect(told.slice(0, 2), JSON.stringify(request)).toEqual([status, code]);
      expect(told[2]).toMatch(detail);
    }
    const empty = await fetch(node.addresses.internalUrl + HTTP.presence, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.token(node)}`, 'content-type': 'application/json' },
      body: '{"users":[]}',
    });
    expect(await empty.json()).toEqual({ users: [] });
  });
});

describe('GET /presence/events', () => {
  it('begins with who is online at this home, then tells who comes and goes', async () => {
    await using cluster = await TestCluster.start(2, ENV);
    const node = cluster.node('node-1');
    const [alice, bob] = [cluster.userOn('node-1', 'alice'), cluster.userOn('node-1', 'bob')];
    const far = cluster.userOn('node-2', 'far');
    const guest = await cluster.connect(alice, cluster.node('node-2'));
    await cluster.connect(far);
    await using events = await EventReader.open(cluster, node);
    await waitFor(() => events.synced, 'the snapshot');
    expect(events.events).toEqual([
      {
        name: 'state',
        data: { userId: alice, online: true, since: expect.any(Number), snapshot: true },
      },
      { name: 'synced', data: { nodeId: 'node-1' } },
    ]);
    await using later = await EventReader.open(cluster, node);
    await waitFor(() => later.synced, 'the snapshot');
    expect(later.said(alice)).toEqual([true]);
    const session = await cluster.connect(bob);
    await waitFor(() => events.said(bob).length === 1, 'bob to have come');
    expect(events.events.at(-1)).toEqual({
      name: 'state',
      data: { userId: bob, online: true, since: expect.any(Number) },
    });
    // a reconnect is no news
    guest.socket.terminate();
    await cluster.connect(alice);
    session.socket.close(1000);
    await waitFor(() => events.said(bob).length === 2 && later.said(bob).length === 2, 'bob to have gone');
    expect(events.events.at(-1)?.data).toEqual({ userId: bob, online: false });
    expect(events.said(alice)).toEqual([true]);
    expect(events.said(far)).toEqual([]);
    expect(metric(await metrics(node), 'ringway_presence_streams')).toBe(2);
  });

  it('tells of those that were named alone', async () => {
    await using cluster = await TestCluster.start(1, ENV);
    const node = cluster.node('node-1');
    await cluster.connect('alice');
    await cluster.connect('carol');
    await using events = await EventReader.open(cluster, node, '?userId=alice&userId=bob');
    await waitFor(() => events.synced, 'the snapshot');
    const dave = await cluster.connect('dave');
    const bob = await cluster.connect('bob');
    await waitFor(() => events.said('bob').length === 1, 'bob to have come');
    dave.socket.close(1000);
    bob.socket.close(1000);
    await waitFor(() => events.said('bob').length === 2, 'bob to have gone');
    expect(events.said('alice')).toEqual([true]);
    expect(events.events.map(({ data }) => data.userId ?? 'synced')).toEqual([
      'alice',
      'synced',
      'bob',
      'bob',
    ]);
  });

  it('goes on as the home of who comes with a change of the ring, and is silent of who goes with one', async () => {
    await using cluster = await TestCluster.start(1, ENV);
    const users = Array.from({ length: 30 }, (_, i) => `user-${i}`);
    for (const userId of users) await cluster.connect(userId);
    await using first = await EventReader.open(cluster, cluster.node('node-1'));
    await waitFor(() => first.synced, 'the snapshot');
    await cluster.add('node-2', ENV);
    await using second = await EventReader.open(cluster, cluster.node('node-2'));
    await cluster.settled();
    const moved = users.filter((userId) => cluster.ownerOf(userId).id === 'node-2');
    for (const userId of moved)
      await waitFor(() => second.said(userId).length > 0, `${userId} to be told by the new home`);
    await cluster.remove('node-2');
    await second.ended;
    await waitFor(() => moved.every((userId) => first.said(userId).length === 2), 'all to be told again');
    const leaver = cluster.clients[0];
    leaver?.socket.close(1000);
    await waitFor(() => first.said('user-0').at(-1) === false, 'one to have gone');
    for (const userId of users.slice(1)) expect(first.said(userId)).not.toContain(false);
    for (const userId of moved) expect(second.said(userId)).toEqual([true]);
  });

  it('ends with the node, and is refused beyond as many as are allowed', async () => {
    await using cluster = await TestCluster.start(1, { ...ENV, RINGWAY_PRESENCE_STREAMS: '1' });
    const node = cluster.node('node-1');
    // one that can show nothing must hold no place
    const head = await fetch(node.addresses.internalUrl + HTTP.presenceEvents, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${cluster.token(node)}` },
    });
    expect(head.status).toBe(404);
    await using events = await EventReader.open(cluster, node);
    expect(await problem(cluster, node, { path: HTTP.presenceEvents })).toEqual([
      503,
      'overloaded',
      expect.stringContaining('RINGWAY_PRESENCE_STREAMS'),
    ]);
    expect(metric(await metrics(node), 'ringway_presence_streams_refused_total')).toBe(1);
    await cluster.remove('node-1');
    await events.ended;
  });
});
