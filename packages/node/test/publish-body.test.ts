import { describe, expect, it } from 'vitest';
import { type PublishOrder, readPublishBody } from '../src/http/publish-body.ts';

function read(body: string | Buffer, maxUsers = 3) {
  return readPublishBody(Buffer.from(body), maxUsers);
}

function order(body: string): PublishOrder {
  const answer = read(body);
  if (Array.isArray(answer) || 'code' in answer) throw new Error(JSON.stringify(answer));
  return answer;
}

describe('the body of POST /publish', () => {
  it('is one publish, its data as it was written', () => {
    expect(order(' {"to":"user:bob", "data": {"n": 9007199254740993.10} , "id":"i1","more":[1]} ')).toEqual({
      id: '"i1"',
      data: '{"n": 9007199254740993.10}',
      ephemeral: false,
      channels: ['user:bob'],
      users: undefined,
    });
    expect(order('{"to":"group:class-7","data":null,"ephemeral":true}')).toMatchObject({
      id: undefined,
      data: 'null',
      ephemeral: true,
      channels: ['group:class-7'],
    });
  });

  it('keeps what is not ASCII as bytes, and reads names', () => {
    const { channels, data } = order('{"to":"user:漢字 \\u00e9 😀","data":"ü"}');
    expect(channels).toEqual(['user:漢字 é 😀']);
    expect(Buffer.from(data, 'latin1').toString('utf8')).toBe('"ü"');
  });

  it('may name the channel of every session', () => {
    expect(order('{"to":"all","data":1}')).toMatchObject({ channels: ['all'], users: undefined });
  });

  it('may name a list of users, each once', () => {
    expect(order('{"to":{"users":["a","b","a"]},"data":1}')).toMatchObject({
      channels: ['user:a', 'user:b'],
      users: ['a', 'b'],
    });
  });

  it('may be an array, in which each is judged by itself', () => {
    const answer = read('[{"to":"user:a","data":1},{"to":"user:b"},3,{"to":"user:c","data":3,"id":"x"}]');
    expect(answer).toMatchObject([
      { channels: ['user:a'] },
      { code: 'bad_request', id: undefined },
      { code: 'bad_request' },
      { channels: ['user:c'], id: '"x"' },
    ]);
    expect(read('[]')).toEqual([]);
  });

  it.each([
    ['not JSON', '{"to":', 'bad_request'],
    ['no object', '3', 'bad_request'],
    ['an array that is not JSON', '[{"to":"user:a","data":1},', 'bad_request'],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'bad_request'],
    ['a member twice', '{"to":"user:a","to":"user:b","data":1}', 'bad_request'],
    ['no target', '{"data":1}', 'bad_request'],
    ['no data', '{"to":"user:a"}', 'bad_request'],
    ['a target that is a number', '{"to":3,"data":1}', 'bad_request'],
    ['users that are no ids', '{"to":{"users":["a",""]},"data":1}', 'bad_request'],
    ['an id that is a number', '{"to":"user:a","data":1,"id":3}', 'bad_request'],
    ['an empty id', '{"to":"user:a","data":1,"id":""}', 'bad_request'],
    ['an id that is too long', `{"to":"user:a","data":1,"id":"${'x'.repeat(129)}"}`, 'bad_request'],
    ['ephemeral that is no flag', '{"to":"user:a","data":1,"ephemeral":1}', 'bad_request'],
    ['a channel of no kind', '{"to":"bob","data":1}', 'invalid_channel'],
    ['a user without an id', '{"to":"user:","data":1}', 'invalid_channel'],
    ['too many users', '{"to":{"users":["a","b","c","d"]},"data":1}', 'list_too_long'],
  ])('is refused by name for %s', (_what, body, code) => {
    expect(read(body)).toMatchObject({ code });
  });

  it('has one id, however that is written', () => {
    for (const id of ['"a/b\u00e9"', '"\\u0061\\/b\\u00e9"']) {
      expect(read(`{"to":"user:a","data":1,"id":${id}}`)).toMatchObject({ id: '"a/b\u00c3\u00a9"' });
    }
  });

  it('that is refused tells the id where it has one', () => {
    expect(read('{"to":"bob","data":1,"id":"mine"}')).toMatchObject({
      code: 'invalid_channel',
      id: '"mine"',
    });
  });
});
