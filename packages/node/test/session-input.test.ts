import { CLOSE, type ErrorCode } from '@ringway/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import type { TestClient } from './support/client.ts';
import { TestCluster, waitFor } from './support/cluster.ts';

describe('what a client sends', () => {
  let cluster: TestCluster;
  let node: Node;
  let client: TestClient;
  beforeAll(async () => {
    cluster = await TestCluster.start(1, { RINGWAY_MAX_GROUPS: '2', RINGWAY_MAX_LIST_USERS: '3' });
    node = cluster.node('node-1');
    client = await cluster.connect('alice');
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  /** The session still works. */
  async function livesOn(): Promise<void> {
    client.send({ type: 'ping' });
    await client.next('pong');
  }

  const bad: [string, string | Buffer, ErrorCode][] = [
    ['text that is not JSON', 'hello', 'bad_frame'],
    ['an empty text', '', 'bad_frame'],
    ['JSON that is cut off', '{"type":"ping"', 'bad_frame'],
    ['two values', '{"type":"ping"}{"type":"ping"}', 'bad_frame'],
    ['an array', '[{"type":"ping"}]', 'bad_frame'],
    ['null', 'null', 'bad_frame'],
    ['a member twice', '{"type":"ping","type":"publish"}', 'bad_frame'],
    ['a member twice, once with escapes', '{"type":"ping","\\u0074ype":"publish"}', 'bad_frame'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), 'bad_frame'],
    ['a lone surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'bad_frame'],
    ['no type', '{"to":"user:bob"}', 'bad_frame'],
    ['a type that is a number', '{"type":7}', 'unknown_type'],
    ['a type of nothing', '{"type":"shout"}', 'unknown_type'],
    ['a publish to nobody', '{"type":"publish","data":1}', 'bad_frame'],
    ['a publish of nothing', '{"type":"publish","to":"user:bob"}', 'bad_frame'],
    ['a publish to a number', '{"type":"publish","to":5,"data":1}', 'bad_frame'],
    ['a publish to null', '{"type":"publish","to":null,"data":1}', 'bad_frame'],
    ['a publish to no list', '{"type":"publish","to":{"users":"bob"},"data":1}', 'bad_frame'],
    ['a publish to users without a name', '{"type":"publish","to":{"users":["",1]},"data":1}', 'bad_frame'],
    [
      'a publish to too many',
      '{"type":"publish","to":{"users":["a","b","c","d"]},"data":1}',
      'list_too_long',
    ],
    ['a publish to no kind of channel', '{"type":"publish","to":"bob","data":1}', 'invalid_channel'],
    [
      'a publish to a name with a control character',
      '{"type":"publish","to":"user:\\u0000","data":1}',
      'invalid_channel',
    ],
    ['a publish to half a character', '{"type":"publish","to":"user:\\ud800","data":1}', 'invalid_channel'],
    ['a publish with an empty id', '{"type":"publish","to":"user:bob","data":1,"id":""}', 'bad_frame'],
    ['a publish with a number as its id', '{"type":"publish","to":"user:bob","data":1,"id":1}', 'bad_frame'],
    [
      'a publish with a long id',
      `{"type":"publish","to":"user:bob","data":1,"id":"${'x'.repeat(129)}"}`,
      'bad_frame',
    ],
    [
      'a publish that is ephemeral by a word',
      '{"type":"publish","to":"user:bob","data":1,"ephemeral":"yes"}',
      'bad_frame',
    ],
    ['a join of nothing', '{"type":"join"}', 'invalid_channel'],
    ['a join of a number', '{"type":"join","channel":3}', 'invalid_channel'],
    ['a join of a user', '{"type":"join","channel":"user:bob"}', 'invalid_channel'],
    ['a leave of nothing', '{"type":"leave"}', 'invalid_channel'],
    ['a resume from nowhere', '{"type":"resume"}', 'bad_frame'],
    ['a resume from a list', '{"type":"resume","positions":[]}', 'bad_frame'],
    [
      'a resume from a bad position',
      '{"type":"resume","positions":{"user:alice":{"epoch":"e","seq":-1}}}',
      'bad_frame',
    ],
    [
      'a resume from an epoch of quotes',
      '{"type":"resume","positions":{"user:alice":{"epoch":"\\"","seq":1}}}',
      'bad_frame',
    ],
    [
      'a resume of a channel that was not joined',
      '{"type":"resume","positions":{"group:g":{"epoch":"e","seq":1}}}',
      'bad_frame',
    ],
    ['a resume of too many', '{"type":"resume","last":1001}', 'bad_frame'],
    ['a resume of half a message', '{"type":"resume","last":0.5}', 'bad_frame'],
  ];
  it.each(bad)('%s is answered, and the session lives on', async (_what, frame, code) => {
    client.socket.send(frame, { binary: false });
    const error = await client.next('error');
    expect(error).toMatchObject({ code });
    expect(error.message).not.toBe('');
    await livesOn();
  });

  it('in binary is answered, and the session lives on', async () => {
    client.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
    expect(await client.next('error')).toMatchObject({ code: 'bad_frame' });
    await livesOn();
  });

  it('with members that are not known yet is taken all the same', async () => {
    client.socket.send(' {"later":[1,{}],"type" : "ping" } ');
    await client.next('pong');
    client.send({ type: 'moveFailed', reason: 'no way' });
    client.send({ type: 'pong' });
    await livesOn();
  });

  it('names the publish that is refused, where it has a name', async () => {
    client.send({ type: 'publish', to: 'bob', id: 'mine', data: 1 });
    expect(await client.next('error')).toMatchObject({ id: 'mine', code: 'invalid_channel' });
  });

  it('may be sent in pieces', async () => {
    client.socket.send('{"type":', { fin: false });
    client.socket.send('"ping"}', { fin: true });
    await client.next('pong');
  });

  it('joins so many groups and no more; twice is once', async () => {
    for (const name of ['group:a', 'group:b', 'group:a']) {
      client.send({ type: 'join', channel: name });
      expect(await client.next('joined')).toMatchObject({ channel: name, position: { seq: 0 } });
    }
    client.send({ type: 'join', channel: 'group:c' });
    expect(await client.next('error')).toMatchObject({ code: 'forbidden', channel: 'group:c' });
    client.send({ type: 'leave', channel: 'group:a' });
    expect(await client.next('left')).toEqual({ type: 'left', channel: 'group:a' });
    client.send({ type: 'join', channel: 'group:c' });
    expect(await client.next('joined')).toMatchObject({ channel: 'group:c' });
    client.send({ type: 'leave', channel: 'user:alice' });
    expect(await client.next('error')).toMatchObject({ code: 'invalid_channel', channel: 'user:alice' });
    client.send({ type: 'publish', to: 'user:alice', id: 'own', data: 1 });
    expect((await client.next('published')).reached).toBe(1);
    client.send({ type: 'publish', to: 'group:a', id: 'gone', data: 1 });
    expect((await client.next('published')).reached).toBe(0);
  });

  it('is held to what the ticket allows', async () => {
    const bound = await cluster.connect('bound', node, {
      cap: { publish: ['user:bob', 'group:team-*'], join: ['group:team-1'], presence: [] },
    });
    const publish = async (to: unknown) => {
      bound.send({ type: 'publish', to, id: `p${Math.random()}`, data: 1 });
      await waitFor(() => bound.all('published').length + bound.all('error').length > 0, 'an answer');
      const answer = bound.frames.pop();
      return answer?.type === 'error' ? answer.code : answer?.type;
    };
    expect(await publish('user:bob')).toBe('published');
    expect(await publish('user:bobby')).toBe('forbidden');
    expect(await publish('group:team-9')).toBe('published');
    expect(await publish('group:tea')).toBe('forbidden');
    expect(await publish({ users: ['bob'] })).toBe('published');
    expect(await publish({ users: ['bob', 'carol'] })).toBe('forbidden');
    bound.send({ type: 'join', channel: 'group:team-1' });
    await bound.next('joined');
    bound.send({ type: 'join', channel: 'group:team-2' });
    expect(await bound.next('error')).toMatchObject({ code: 'forbidden', channel: 'group:team-2' });
    const nothing = await cluster.connect('nothing', node, { cap: { publish: [], join: [], presence: [] } });
    nothing.send({ type: 'publish', to: 'user:nothing', id: 'x', data: 1 });
    expect(await nothing.next('error')).toMatchObject({ id: 'x', code: 'forbidden', retryable: false });
  });

  it('for what it missed is served a few times at once, and each time is answered', async () => {
    const greedy = await cluster.connect('greedy');
    const data = 'x'.repeat(45_000);
    for (let i = 0; i < 20; i++) greedy.send({ type: 'publish', to: 'user:greedy', id: `g${i}`, data });
    await waitFor(() => greedy.all('published').length === 20, 'the messages');
    const count = 50;
    for (let i = 0; i < count; i++) greedy.send({ type: 'resume', last: 20 });
    await waitFor(() => greedy.all('resumed').length + greedy.all('error').length === count, 'the answers');
    expect(greedy.all('resumed').length).toBeGreaterThanOrEqual(1);
    expect(greedy.all('error').length).toBeGreaterThanOrEqual(1);
    for (const error of greedy.all('error')) {
      expect(error).toMatchObject({ code: 'rate_limited', channel: 'user:greedy', retryable: true });
    }
    greedy.send({ type: 'resume', last: 1 });
    await waitFor(() => greedy.all('resumed').length + greedy.all('error').length === count + 1, 'one more');
    expect(greedy.frames.at(-1)).toMatchObject({ type: 'resumed', channels: [{ channel: 'user:greedy' }] });
  });

  it('that is too big ends the session with 1009', async () => {
    const loud = await cluster.connect('loud');
    loud.send({ type: 'publish', to: 'user:x', data: 'x'.repeat(65_536) });
    expect((await loud.closed).code).toBe(1009);
    await livesOn();
  });
});

describe('the rate of a session', () => {
  it('is held: each publish over it is refused with a time, and who goes on is closed', async () => {
    await using cluster = await TestCluster.start(1, { RINGWAY_PUBLISHES_PER_SECOND: '2' });
    const client = await cluster.connect('fast');
    for (let i = 0; i < 6; i++) client.send({ type: 'publish', to: 'user:x', id: `p${i}`, data: i });
    for (let i = 0; i < 4; i++) await client.next('published');
    const error = await client.next('error');
    expect(error).toMatchObject({ id: 'p4', code: 'rate_limited', retryable: true });
    expect(error.retryAfterMs).toBeGreaterThan(0);
    expect(error.retryAfterMs).toBeLessThanOrEqual(500);
    for (let i = 0; i < 40; i++) client.send({ type: 'publish', to: 'user:x', id: `q${i}`, data: i });
    expect(await client.closed).toEqual({ code: CLOSE.rate_limited.code, reason: 'rate_limited' });
  });
});
