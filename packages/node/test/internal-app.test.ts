import { CLOSE, type Problem, type PublishAnswer, type SessionInfo } from '@ringway/protocol';
import { KeyFamily, mintClusterToken } from '@ringway/service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { clusterKeys, labelled, metric, metrics, TestCluster, waitFor } from './support/cluster.ts';

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
  readonly json: unknown;
}

describe('the internal listener', () => {
  let cluster: TestCluster;
  let node: Node;
  beforeAll(async () => {
    cluster = await TestCluster.start(3, { RINGWAY_BODY_BYTES: '20010', RINGWAY_MAX_LIST_USERS: '10' });
    node = cluster.node('node-1');
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  async function request(
    method: string,
    path: string,
    options: { body?: string; token?: string | null; type?: string; to?: Node } = {},
  ): Promise<Answer> {
    const { body, to = node, token = cluster.token(to), type = 'application/json' } = options;
    const answer = await fetch(`${to.addresses.internalUrl}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await answer.text();
    const contentType = answer.headers.get('content-type');
    return {
      status: answer.status,
      type: contentType,
      text,
      json: contentType?.includes('json') ? JSON.parse(text) : undefined,
    };
  }
  const publish = (body: string, more: Parameters<typeof request>[2] = {}) =>
    request('POST', '/publish', { body, ...more });

  function isProblem(answer: Answer, status: number, code: string): void {
    expect(answer.status).toBe(status);
    expect(answer.type).toContain('application/problem+json');
    const problem = answer.json as Problem;
    expect(problem).toMatchObject({ type: `urn:ringway:error:${code}`, status, code });
    expect(problem.detail).not.toBe('');
  }

  it('takes a publish of a backend, from any node, and says what became of it', async () => {
    const bob = cluster.userOn('node-2', 'bob');
    const receiver = await cluster.connect(bob);
    for (const to of cluster.nodes.values()) {
      const answer = await publish(`{"to":"user:${bob}","data":{"from":"${to.id}"},"id":"from-${to.id}"}`, {
        to,
      });
      expect(answer.status).toBe(200);
      const message = await receiver.next('message');
      expect(message).toMatchObject({ id: `from-${to.id}`, from: 'service:billing', data: { from: to.id } });
      expect(answer.json).toEqual({ id: `from-${to.id}`, reached: 1, position: message.position });
    }
  });

  it('names the header that a publish lacks', async () => {
    const answer = await publish('{"to":"user:bob","data":1}', { type: 'text/plain' });
    isProblem(answer, 415, 'bad_request');
    expect((answer.json as Problem).detail).toBe('Content-Type: expected application/json');
  });

  it('gives a publish without an id one, and its receiver the number as it was written', async () => {
    const bob = cluster.userOn('node-3', 'raw');
    const receiver = await cluster.connect(bob);
    const answer = await publish(`{"to":"user:${bob}","data":{"n": 9007199254740993.10}}`);
    expect((answer.json as PublishAnswer).id).not.toBe('');
    await receiver.next('message');
    expect(receiver.texts.at(-1)).toContain('"data":{"n": 9007199254740993.10}}');
  });

  it('stores an id once, and refuses it with other data', async () => {
    const body = (data: number) => `{"to":"user:once","data":${data},"id":"same"}`;
    const first = (await publish(body(1))).json as PublishAnswer;
    expect((await publish(body(1))).json).toEqual({ ...first, reached: 0, duplicate: true });
    isProblem(await publish(body(2)), 409, 'id_conflict');
    // another backend's id is its own
    const token = mintClusterToken(clusterKeys, {
      iss: 'ringway',
      sub: 'shipping',
      aud: node.id,
      scope: 'push',
    });
    expect(((await publish(body(2), { token })).json as PublishAnswer).duplicate).toBeUndefined();
  });

  it('takes what is ephemeral: no position, nothing kept', async () => {
    const bob = cluster.userOn('node-2', 'eph');
    const receiver = await cluster.connect(bob);
    const answer = await publish(`{"to":"user:${bob}","data":1,"ephemeral":true,"id":"e"}`);
    expect(answer.json).toEqual({ id: 'e', reached: 1 });
    expect(await receiver.next('message')).toEqual({
      type: 'message',
      channel: `user:${bob}`,
      id: 'e',
      from: 'service:billing',
      data: 1,
    });
  });

  it('takes a list of users, with a result for each', async () => {
    const users = [
      cluster.userOn('node-1', 'l'),
      cluster.userOn('node-2', 'l'),
      cluster.userOn('node-3', 'l'),
    ];
    const receivers = await Promise.all(users.slice(1).map((user) => cluster.connect(user)));
    const answer = await publish(JSON.stringify({ to: { users }, data: 'all', id: 'list' }));
    expect(answer.json).toMatchObject({
      id: 'list',
      reached: 2,
      results: [
        { to: users[0], reached: 0, position: { seq: 1 } },
        { to: users[1], reached: 1, position: { seq: 1 } },
        { to: users[2], reached: 1, position: { seq: 1 } },
      ],
    });
    for (const receiver of receivers) expect((await receiver.next('message')).data).toBe('all');
    expect((await publish('{"to":{"users":[]},"data":1,"id":"none"}')).json).toEqual({
      id: 'none',
      reached: 0,
      results: [],
    });
  });

  it('takes an array: one answer each, in order, whatever is wrong with some', async () => {
    const bob = cluster.userOn('node-2', 'array');
    const receiver = await cluster.connect(bob);
    const answer = await publish(
      `[{"to":"user:${bob}","data":1,"id":"a1"},{"to":"bob","data":2,"id":"a2"},7,{"to":"user:${bob}","data":3,"id":"a3"}]`,
    );
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject([
      { id: 'a1', reached: 1, position: { seq: 1 } },
      { id: 'a2', error: { code: 'invalid_channel', retryable: false } },
      { id: '', error: { code: 'bad_request' } },
      { id: 'a3', reached: 1, position: { seq: 2 } },
    ]);
    await waitFor(() => receiver.all('message').length === 2, 'both');
    expect(receiver.all('message').map(({ id }) => id)).toEqual(['a1', 'a3']);
    expect((await publish('[]')).json).toEqual([]);
  });

  it('keeps the order of an array', async () => {
    const bob = cluster.userOn('node-2', 'order');
    const receiver = await cluster.connect(bob);
    const body = JSON.stringify(
      [...Array(100).keys()].map((i) => ({ to: `user:${bob}`, data: i, id: `o${i}` })),
    );
    const answers = (await publish(body)).json as PublishAnswer[];
    expect(answers.map(({ position }) => position?.seq)).toEqual([...Array(100).keys()].map((i) => i + 1));
    await waitFor(() => receiver.all('message').length === 100, 'all');
    expect(receiver.all('message').map(({ data }) => data)).toEqual([...Array(100).keys()]);
  });

  it.each([
    ['is not JSON', '{"to":', 400, 'bad_request'],
    ['is empty', '', 400, 'bad_request'],
    ['is an array that is not JSON', '[{"to":"user:a","data":1}', 400, 'bad_request'],
    // in two bytes each they would be answered by a hundred each: 50 MB for a body of 1 MiB
    ['holds more than 10,000 publishes', `[${'1,'.repeat(10_000)}1]`, 400, 'bad_request'],
    ['has no target', '{"data":1}', 400, 'bad_request'],
    ['names no channel', '{"to":"x","data":1}', 400, 'invalid_channel'],
    [
      'names too many users',
      JSON.stringify({ to: { users: [...'abcdefghijk'] }, data: 1 }),
      400,
      'list_too_long',
    ],
    ['is too big', `{"to":"user:a","data":"${'x'.repeat(20_010)}"}`, 413, 'frame_too_big'],
  ])('refuses a body that %s', async (_what, body, status, code) => {
    isProblem(await publish(body), status, code);
  });

  it('refuses a path that cannot be unescaped', async () => {
    isProblem(await request('GET', '/%'), 400, 'bad_request');
  });

  it('refuses a body of another type', async () => {
    const answer = await publish('to=user:bob', { type: 'application/x-www-form-urlencoded' });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect((answer.json as Problem).code).toBe('bad_request');
  });

  const minted = (more: Partial<Parameters<typeof mintClusterToken>[1]>, keys = clusterKeys) =>
    mintClusterToken(keys, { iss: 'ringway', sub: 'billing', aud: 'node-1', scope: 'push', ...more });
  const foreign = KeyFamily.parse('RINGWAY_CLUSTER_KEYS', 'another-key-another-key-another-key-01');
  const tokens: [string, () => string | null, number, string][] = [
    ['none', () => null, 401, 'unauthenticated'],
    ['nonsense', () => 'nonsense', 401, 'unauthenticated'],
    ['one of another key', () => minted({}, foreign), 401, 'unauthenticated'],
    ['one for another node', () => minted({ aud: 'node-2' }), 401, 'unauthenticated'],
    ['one of another cluster', () => minted({ iss: 'staging' }), 401, 'unauthenticated'],
    ['one that has expired', () => minted({ now: Date.now() - 3_600_000 }), 401, 'unauthenticated'],
    ['a ticket', () => cluster.ticket('alice', node), 401, 'unauthenticated'],
    ['one for peers', () => minted({ scope: 'peer' }), 403, 'forbidden'],
  ];
  it.each(tokens)('refuses, where a token is needed, %s', async (_what, token, status, code) => {
    const shown = token();
    isProblem(await publish('{"to":"user:a","data":1}', { token: shown }), status, code);
    isProblem(await request('GET', '/sessions?userId=a', { token: shown }), status, code);
    isProblem(await request('DELETE', '/sessions?userId=a', { token: shown }), status, code);
  });

  it('takes the token of an operator', async () => {
    const answer = await publish('{"to":"user:a","data":1}', { token: minted({ scope: 'admin' }) });
    expect(answer.status).toBe(200);
  });

  it('knows a user’s sessions', async () => {
    const bob = cluster.userOn('node-1', 'known');
    const before = Date.now();
    await cluster.connect(bob);
    await cluster.connect(bob);
    const { status, json } = await request('GET', `/sessions?userId=${bob}`);
    expect(status).toBe(200);
    const { sessions } = json as { sessions: SessionInfo[] };
    expect(sessions).toHaveLength(2);
    expect(new Set(sessions.map(({ sessionId }) => sessionId)).size).toBe(2);
    for (const session of sessions) {
      expect(session).toMatchObject({ userId: bob, nodeId: 'node-1' });
      expect(session.since).toBeGreaterThanOrEqual(before);
    }
    expect((await request('GET', '/sessions?userId=nobody')).json).toEqual({ sessions: [] });
    isProblem(await request('GET', '/sessions'), 400, 'invalid_user_id');
    isProblem(await request('GET', '/sessions?userId='), 400, 'invalid_user_id');
    isProblem(await request('GET', '/sessions?userId=a%00'), 400, 'invalid_user_id');
  });

  it('ends a user’s sessions wherever they are, also as guests, whichever node is asked', async () => {
    for (const asked of cluster.nodes.values()) {
      const bob = cluster.userOn('node-2', `kicked-by-${asked.id}`);
      const sessions = [
        await cluster.connect(bob),
        await cluster.connect(bob, cluster.node('node-1')),
        await cluster.connect(bob, cluster.node('node-3')),
      ];
      const bystander = await cluster.connect(cluster.userOn('node-2', 'bystander'));
      const answer = await request('DELETE', `/sessions?userId=${bob}`, { to: asked });
      expect([answer.status, answer.json]).toEqual([202, { userId: bob, banSeconds: 0 }]);
      for (const session of sessions) {
        expect(await session.closed).toEqual({ code: CLOSE.kicked.code, reason: 'kicked' });
      }
      expect(bystander.socket.readyState).toBe(1);
      await cluster.connect(bob);
    }
  });

  it('keeps a user out for the time of a ban', async () => {
    const bob = cluster.userOn('node-2', 'banned');
    const session = await cluster.connect(bob);
    await request('DELETE', `/sessions?userId=${bob}&banSeconds=1`);
    await session.closed;
    const home = cluster.node('node-2');
    const early = cluster.open(home, cluster.ticket(bob, home));
    expect(await early.closed).toEqual({ code: CLOSE.kicked.code, reason: 'kicked' });
    await waitFor(async () => {
      const client = cluster.open(home, cluster.ticket(bob, home));
      await Promise.race([client.next('welcome').catch(() => {}), client.closed]);
      return client.all('welcome').length === 1;
    }, 'the ban to end');
    for (const banSeconds of ['-1', '1.5', 'x', '86401']) {
      isProblem(
        await request('DELETE', `/sessions?userId=${bob}&banSeconds=${banSeconds}`),
        400,
        'bad_request',
      );
    }
  });

  it('answers whether it lives and is ready, without a token', async () => {
    expect(await request('GET', '/healthz', { token: null })).toMatchObject({
      status: 200,
      json: { status: 'ok', nodeId: 'node-1' },
    });
    expect(await request('GET', '/readyz', { token: null })).toMatchObject({ status: 200 });
  });

  it('knows no other paths and methods', async () => {
    isProblem(await request('GET', '/nothing'), 404, 'not_found');
    isProblem(await request('GET', '/publish'), 404, 'not_found');
    isProblem(await request('DELETE', '/metrics'), 404, 'not_found');
  });

  it('tells every metric that applies to a node', async () => {
    const client = await cluster.connect(cluster.userOn('node-1', 'counted'));
    client.send({ type: 'publish', to: `user:${cluster.userOn('node-2', 'far')}`, id: 'm', data: 1 });
    await client.next('published');
    const gone = await cluster.connect(cluster.userOn('node-1', 'gone'));
    gone.socket.close();
    await gone.closed;
    const text = await metrics(node);
    for (const name of [
      'ringway_sessions',
      'ringway_sessions_limit',
      'ringway_eventloop_lag_seconds',
      'ringway_publishes_total',
      'ringway_relay_frames_total',
      'ringway_closes_total',
      'ringway_send_buffer_bytes',
      'ringway_ring_age_seconds',
      'ringway_ring_mismatch_total',
      'ringway_members_rejected_total',
    ]) {
      expect(text, name).toContain(`# TYPE ${name} `);
    }
    expect(metric(text, 'ringway_sessions')).toBe(node.sessions);
    expect(metric(text, 'ringway_ring_members')).toBe(3);
    expect(metric(text, 'ringway_peer_links')).toBe(2);
    expect(labelled(text, 'ringway_publishes_total', 'result', 'published')).toBeGreaterThan(0);
    expect(labelled(text, 'ringway_publishes_total', 'result', 'id_conflict')).toBeGreaterThan(0);
    // no user, group or session in any label
    expect(text).not.toMatch(/counted-|kicked-by|user:/);
  });
});
