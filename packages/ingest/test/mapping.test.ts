import { describe, expect, it } from 'vitest';
import { MappingError, parseMapping } from '../src/mapping.ts';

function map(mapping: object, body: string | Buffer | undefined, id: string | undefined = 'orders:1-0') {
  const parsed = parseMapping(JSON.stringify(mapping));
  return parsed.map({ id, origin: 'orders@1-0', body: body === undefined ? undefined : Buffer.from(body) });
}

describe('a mapping', () => {
  it('takes the whole event as it is written, and the id of the queue', () => {
    const body = ' {"customer": {"id": "alice"}, "n": 1.0, "big": 12345678901234567890 }\n';
    expect(map({ to: 'user:{customer.id}' }, body)).toEqual({
      id: 'orders:1-0',
      to: 'user:alice',
      channels: ['user:alice'],
      data: body,
    });
  });

  it('puts numbers into texts as they are written', () => {
    expect(map({ to: 'user:{id}', id: 'n-{n}' }, '{"id": 9007199254740993, "n": -1.50}')).toMatchObject({
      id: 'n--1.50',
      to: 'user:9007199254740993',
    });
  });

  it('cuts out a part with the digits of its numbers', () => {
    const body = '{"id": "a", "part": {"n": 1.00, "list": [9007199254740993]}}';
    expect(map({ to: 'user:{id}', data: '{part}' }, body)).toMatchObject({
      data: '{"n":1.00,"list":[9007199254740993]}',
    });
    expect(map({ to: 'user:{id}', data: '{part.list.0}' }, body)).toMatchObject({ data: '9007199254740993' });
  });

  it('finds names with dots and braces by a JSON Pointer', () => {
    expect(map({ to: 'group:{/a.b/c~1d/0}' }, '{"a.b": {"c/d": ["x"]}}')).toMatchObject({ to: 'group:x' });
  });

  it('makes lists: of a field that holds one, or of several fields', () => {
    const body = '{"agents": ["bob", 7, "bob"], "teacher": "tim"}';
    expect(map({ to: { users: '{agents}' } }, body)).toMatchObject({
      to: { users: ['bob', '7', 'bob'] },
      channels: ['user:bob', 'user:7'],
    });
    expect(map({ to: { users: ['{teacher}', 'admin'] } }, body)).toMatchObject({
      to: { users: ['tim', 'admin'] },
    });
  });

  it('takes a channel from the event, and braces as they are when doubled', () => {
    expect(map({ to: '{channel}' }, '{"channel": "group:x"}')).toMatchObject({ to: 'group:x' });
    expect(map({ to: 'all' }, '1')).toMatchObject({ to: 'all', channels: ['all'] });
    expect(map({ to: '{channel}' }, '{"channel": "all"}')).toMatchObject({ to: 'all' });
    expect(map({ to: 'group:{{{id}}}' }, '{"id": "x"}')).toMatchObject({ to: 'group:{x}' });
  });

  it.each([
    ['not_json', '{"id": "a"', 'JSON'],
    ['not_utf8', Buffer.from([0xff]), 'UTF-8'],
    ['no_event', undefined, 'no event'],
    ['mapping', '{}', '{id}: expected a text or a number, got nothing'],
    ['mapping', '{"id": {"x": 1}}', 'got an object'],
    ['mapping', '{"id": ""}', 'got an empty text'],
    ['mapping', '[]', 'got nothing'],
    ['mapping', '{"id": true}', 'got a boolean'],
    ['invalid_channel', '{"id": "\\u0000"}', 'not a channel'],
  ])('answers %s for %s', (reason, body, detail) => {
    const refused = map({ to: 'user:{id}' }, body);
    expect(refused).toMatchObject({ reason });
    expect((refused as { detail: string }).detail).toContain(detail);
  });

  it('never looks at what an event inherits', () => {
    expect(map({ to: 'user:{constructor.name}' }, '{}')).toMatchObject({ reason: 'mapping' });
    expect(map({ to: 'user:{list.length}' }, '{"list": [1]}')).toMatchObject({ reason: 'mapping' });
  });

  it('wants an id that nodes take', () => {
    const none = parseMapping('{"to": "user:a"}').map({ id: undefined, origin: '', body: Buffer.from('1') });
    expect(none).toMatchObject({ reason: 'no_id' });
    expect(map({ to: 'user:a', id: '{x}' }, JSON.stringify({ x: 'x'.repeat(129) }))).toMatchObject({
      reason: 'mapping',
    });
  });

  it.each([
    ['[]', 'expected an object'],
    ['{', 'not JSON'],
    ['{}', 'to: missing'],
    ['{"to": "user:{a}", "date": "x"}', 'date: no such field; there are to, data, id'],
    ['{"to": 7}', 'to: expected a channel'],
    ['{"to": "{a}:{b}"}', 'to: expected user:…, group:…, all, or one field'],
    ['{"to": "users:{a}"}', 'to: expected user:…'],
    ['{"to": "user:"}', 'to: not a channel'],
    ['{"to": "user:{a"}', 'to: "user:{a": a brace without its other half'],
    ['{"to": "user:{a..b}"}', 'to: {a..b}: expected a path'],
    ['{"to": {"group": "{a}"}}', 'to: expected a channel'],
    ['{"to": {"users": []}}', 'to.users: expected at least one user'],
    ['{"to": {"users": "x-{a}"}}', 'to.users: expected one field'],
    ['{"to": {"users": ["{a}", 7]}}', 'to.users.1: expected a text'],
    ['{"to": "user:{a}", "data": "x {b}"}', 'data: expected one field and nothing else'],
    ['{"to": "user:{a}", "id": "x"}', 'id: expected a field in it'],
    ['{"to": "user:{a}", "id": null}', 'id: expected a text'],
  ])('names what is wrong in %s', (text, expected) => {
    expect(() => parseMapping(text)).toThrow(MappingError);
    expect(() => parseMapping(text)).toThrow(expected);
  });
});
