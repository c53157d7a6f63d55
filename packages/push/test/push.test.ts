import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  ClosedError,
  IdConflictError,
  locatorSource,
  NoNodesError,
  OptionError,
  type PushOptions,
  RingwayPush,
  rawJson,
  UnauthenticatedError,
  UnavailableError,
  UnknownOutcomeError,
} from '../src/index.ts';
import { FakeLocator, FakeNode, KEYS } from './fake-cluster.ts';

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
});

async function cluster(count = 3) {
  const nodes = await Promise.all(Array.from({ length: count }, (_, i) => FakeNode.start(`node-${i + 1}`)));
  const locator = await FakeLocator.start(nodes);
  open.push(...nodes, locator);
  return { nodes, locator };
}

function pushTo(urls: readonly string[], options: Partial<PushOptions> = {}): RingwayPush {
  const push = new RingwayPush({
    source: locatorSource({ urls }),
    name: 'billing',
    clusterKeys: KEYS,
    timeoutMs: 5_000,
    attemptTimeoutMs: 300,
    ...options,
  });
  open.push({ [Symbol.asyncDispose]: () => push.close() });
  return push;
}

async function stop(node: FakeNode): Promise<void> {
  await node[Symbol.asyncDispose]();
}

describe('publish', () => {
  test('goes to the owner, once, with data to the last digit', async () => {
    const { nodes, locator } = await cluster();
    const push = pushTo([locator.url]);
    const result = await push.publish('user:alice', rawJson('{"n":12345678901234567890.10}'), { id: 'm1' });
    const [owner] = locator.owners('user:alice');
    expect(result).toEqual({ id: 'm1', reached: 1, position: { epoch: owner?.id, seq: 1 } });
    expect(owner?.requests.map(({ text }) => text)).toEqual([
      '[{"to":"user:alice","id":"m1","data":{"n":12345678901234567890.10}}]',
    ]);
    expect(nodes.flatMap((node) => node.requests)).toHaveLength(1);
  });

  test('a list is split by home: each home gets the data once, for its users', async () => {
    const { nodes, locator } = await cluster();
    const push = pushTo([locator.url]);
    const users = Array.from({ length: 50 }, (_, i) => `u${i}`);
    const result = await push.publish({ users }, 'hello');
    expect(result.reached).toBe(50);
    expect(result.results?.map(({ to }) => to)).toEqual(users);
    for (const node of nodes) {
      expect(node.elements).toHaveLength(1);
      const { to } = node.elements[0] ?? { to: '' };
      const got = typeof to === 'string' ? [] : to.users;
      expect(got.every((user) => locator.owners(`user:${user}`)[0] === node)).toBe(true);
    }
  });

  test('many go in one request a home', async () => {
    const { nodes, locator } = await cluster();
    const push = pushTo([locator.url]);
    await push.ready();
    const outcomes = await push.publishMany(
      Array.from({ length: 90 }, (_, i) => ({ to: `user:u${i % 30}`, data: i })),
    );
    expect(outcomes.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(nodes.map((node) => node.requests.length)).toEqual([1, 1, 1]);
  });

  test('to one channel stays in order, also when answers are slow to come and some are lost', async () => {
    const { locator } = await cluster();
    const [owner] = locator.owners('group:g');
    const stored: unknown[] = [];
    let posts = 0;
    if (owner) {
      owner.behaviour = (elements) => {
        const known = new Set(stored);
        stored.push(...elements.map(({ data }) => data).filter((data) => !known.has(data)));
        return ++posts % 2 === 1 ? 'hang up' : elements.map((element) => owner.store(element));
      };
      for (const other of locator.owners('group:g').slice(1)) other.behaviour = owner.behaviour;
    }
    const push = pushTo([locator.url]);
    await push.ready();
    const all: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i++) {
      all.push(push.publish('group:g', i));
      if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(all);
    expect(stored).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('falls to the successor when the owner cannot be reached, before the ring knows', async () => {
    const { locator } = await cluster();
    const push = pushTo([locator.url]);
    await push.ready();
    const [owner, successor] = locator.owners('user:bob');
    if (owner) await stop(owner);
    const result = await push.publish('user:bob', 1);
    expect(result.position?.epoch).toBe(successor?.id);
  });

  test('an unanswered publish is sent again with the same id', async () => {
    const { locator } = await cluster();
    const push = pushTo([locator.url]);
    const [owner, successor] = locator.owners('user:bob');
    if (owner) owner.behaviour = () => 'silence';
    const result = await push.publish('user:bob', 1, { id: 'same' });
    expect(result.position?.epoch).toBe(successor?.id);
    expect([owner?.elements[0]?.id, successor?.elements[0]?.id]).toEqual(['same', 'same']);
  });

  test('follows the ring', async () => {
    const { nodes, locator } = await cluster(2);
    const push = pushTo([locator.url]);
    await push.ready();
    const before = push.ringVersion();
    const added = await FakeNode.start('node-9');
    open.push(added);
    locator.members = [...nodes, added];
    await vi.waitFor(() => expect(push.ringVersion()?.checksum).not.toBe(before?.checksum));
    const user = Array.from({ length: 100 }, (_, i) => `u${i}`).find(
      (id) => locator.owners(`user:${id}`)[0] === added,
    );
    await push.publish(`user:${user}`, 1);
    expect(added.elements).toHaveLength(1);
  });

  test('asks the next locator when one does not answer', async () => {
    const { locator } = await cluster();
    const dead = await FakeNode.start('gone');
    const url = dead.url;
    await stop(dead);
    await expect(pushTo([url, locator.url]).publish('user:a', 1)).resolves.toMatchObject({ reached: 1 });
  });

  test('a retryable refusal is tried again until it passes', async () => {
    const { locator } = await cluster(1);
    const [owner] = locator.owners('all');
    let refusals = 3;
    if (owner) {
      owner.behaviour = (elements) =>
        refusals-- > 0
          ? elements.map(({ id = '' }) => ({
              id,
              error: { code: 'unavailable', message: 'not now', retryable: true },
            }))
          : elements.map((element) => owner.store(element));
    }
    await expect(pushTo([locator.url]).publish('all', 1)).resolves.toMatchObject({ reached: 1 });
  });
});

describe('errors', () => {
  test('id_conflict and other final refusals come as their class', async () => {
    const { locator } = await cluster(1);
    const [owner] = locator.owners('all');
    if (owner) {
      owner.behaviour = (elements) =>
        elements.map(({ id = '' }) => ({
          id,
          error: { code: 'id_conflict', message: 'other data', retryable: false },
        }));
    }
    const failed = pushTo([locator.url]).publish('user:a', 1, { id: 'x' });
    await expect(failed).rejects.toThrow(IdConflictError);
    await expect(failed).rejects.toMatchObject({
      code: 'id_conflict',
      id: 'x',
      to: 'user:a',
      retryable: false,
    });
  });

  test('a home that refuses until the deadline: its own words, once', async () => {
    const { nodes, locator } = await cluster(1);
    const [node] = nodes;
    if (node) {
      node.behaviour = (elements) =>
        elements.map(({ id = '' }) => ({
          id,
          error: { code: 'unavailable', message: 'not now', retryable: true },
        }));
    }
    await expect(pushTo([locator.url], { timeoutMs: 600 }).publish('user:a', 1)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'user:a: not now (for 600 ms)',
    });
  });

  test('nobody there: unavailable when nothing was sent, unknown when something was', async () => {
    const { nodes, locator } = await cluster(1);
    const push = pushTo([locator.url], { timeoutMs: 600 });
    const [node] = nodes;
    if (node === undefined) throw new Error('no node');
    node.behaviour = () => 'silence';
    await expect(push.publish('user:a', 1)).rejects.toThrow(UnknownOutcomeError);
    await stop(node);
    await expect(push.publish('user:a', 1)).rejects.toThrow(UnavailableError);
  });

  test('an ephemeral message that was not answered is not sent again', async () => {
    const { locator } = await cluster();
    const push = pushTo([locator.url]);
    const [owner, successor] = locator.owners('user:a');
    if (owner) owner.behaviour = () => 'hang up';
    await expect(push.publish('user:a', 1, { ephemeral: true })).rejects.toThrow(UnknownOutcomeError);
    expect([owner?.elements.length, successor?.elements.length]).toEqual([1, 0]);
  });

  test('a list resolves although one home is away, and says which users failed', async () => {
    const { nodes, locator } = await cluster(2);
    const push = pushTo([locator.url], { timeoutMs: 700 });
    for (const node of nodes) {
      node.behaviour = (elements) => {
        const [element] = elements;
        if (typeof element?.to === 'object' && element.to.users.includes('a'))
          return { status: 503, body: {} };
        return elements.map((each) => node.store(each));
      };
    }
    const other = Array.from({ length: 50 }, (_, i) => `u${i}`).find(
      (id) => locator.owners(`user:${id}`)[0] !== locator.owners('user:a')[0],
    );
    const result = await push.publish({ users: ['a', other ?? ''] }, 1);
    expect(result.results?.map(({ error }) => error?.code)).toEqual(['unavailable', undefined]);
  });

  test('a wrong key is told at once, not after the deadline', async () => {
    const { locator } = await cluster(1);
    const push = pushTo([locator.url], {
      clusterKeys: 'another-key-that-is-32-bytes-long!!!',
      timeoutMs: 60_000,
    });
    await expect(push.publish('user:a', 1)).rejects.toThrow(UnauthenticatedError);
  });

  test('an empty ring', async () => {
    const { locator } = await cluster(0);
    await expect(pushTo([locator.url], { timeoutMs: 300 }).publish('user:a', 1)).rejects.toThrow(
      NoNodesError,
    );
  });

  test('close rejects what is under way, and what comes later', async () => {
    const { nodes, locator } = await cluster(1);
    for (const node of nodes) node.behaviour = () => 'silence';
    const push = pushTo([locator.url]);
    const waiting = push.publish('user:a', 1);
    await vi.waitFor(() => expect(nodes[0]?.requests.length).toBe(1));
    await Promise.all([expect(waiting).rejects.toThrow(ClosedError), push.close()]);
    await expect(push.publish('user:a', 1)).rejects.toThrow(ClosedError);
  });

  test.each([
    ['name', { name: '' }],
    ['clusterKeys', { clusterKeys: 'short' }],
    ['timeoutMs', { timeoutMs: -1 }],
    ['urls', {}],
    ['attempts', { attempts: 3 }],
  ])('a bad option is named: %s', (option, wrong) => {
    const make = () =>
      new RingwayPush({
        source: locatorSource({ urls: option === 'urls' ? ['ftp://x'] : ['http://127.0.0.1:1'] }),
        name: 'billing',
        clusterKeys: KEYS,
        ...wrong,
      });
    expect(make).toThrow(OptionError);
    expect(make).toThrow(new RegExp(`^${option}: `));
  });

  test.each([['bob'], ['user:'], [{ users: [] }], [{ users: ['ok', '\u0001'] }]])(
    'a bad target is refused: %j',
    async (to) => {
      const push = pushTo(['http://127.0.0.1:1']);
      await expect(push.publish(to, 1)).rejects.toMatchObject({
        name: 'InvalidRequestError',
        retryable: false,
      });
    },
  );
});

describe('groups', () => {
  const member = '/groups/class%207%2Fb/members/b%C3%A9a';

  test('are changed and listed at a node, names escaped, pages put together', async () => {
    const { nodes, locator } = await cluster();
    const push = pushTo([locator.url]);
    for (const node of nodes)
      node.behaviour = (_elements, { url = '', method }) => {
        if (method !== 'GET') return { status: 200, body: { group: 'class 7/b', userId: 'béa' } };
        if (url.startsWith('/groups?'))
          return { status: 200, body: { userId: 'béa', groups: ['class 7/b'] } };
        const [members, more] = url.includes('after') ? [['c'], false] : [['a', 'b/c'], true];
        return { status: 200, body: { group: 'class 7/b', members, more } };
      };
    await push.addToGroup('class 7/b', 'béa');
    await push.removeFromGroup('class 7/b', 'béa');
    expect(await push.groupMembers('class 7/b')).toEqual(['a', 'b/c', 'c']);
    expect(await push.groupsOf('béa')).toEqual(['class 7/b']);
    const asked = nodes.flatMap((node) => node.requests.map(({ path }) => path)).sort();
    const list = '/groups/class%207%2Fb/members';
    expect(asked).toEqual(['/groups?userId=b%C3%A9a', list, `${list}?after=b%2Fc`, member, member].sort());
  });

  test('are asked for again until they are answered, elsewhere where a node is silent', async () => {
    const { locator, nodes } = await cluster();
    const push = pushTo([locator.url]);
    const [owner, successor] = locator.owners('user:béa') as [FakeNode, FakeNode];
    for (const node of nodes) node.behaviour = () => ({ status: 200, body: {} });
    owner.behaviour = () => 'silence';
    let refusals = 2;
    successor.behaviour = () =>
      refusals-- > 0
        ? { status: 503, body: { code: 'unavailable', detail: 'not now' } }
        : { status: 200, body: {} };
    await push.addToGroup('class 7/b', 'béa');
    expect([owner, successor].map((node) => node.requests.length)).toEqual([1, 3]);
  });

  test('fail with what is known: nothing changed, or perhaps, or a bad name', async () => {
    const { locator, nodes } = await cluster();
    const push = pushTo([locator.url], { timeoutMs: 500 });
    const all = (behaviour: FakeNode['behaviour']): void => {
      for (const node of nodes) node.behaviour = behaviour;
    };
    all(() => ({ status: 503, body: { code: 'unavailable', detail: 'not now' } }));
    await expect(push.addToGroup('a', 'b')).rejects.toThrow(UnavailableError);
    let answers = 0;
    all(() =>
      answers++ === 0 ? 'hang up' : { status: 503, body: { code: 'unavailable', detail: 'not now' } },
    );
    await expect(push.addToGroup('a', 'b')).rejects.toThrow(UnknownOutcomeError);
    all(() => ({ status: 409, body: { code: 'limit_reached', detail: 'too many' } }));
    await expect(push.addToGroup('a', 'b')).rejects.toMatchObject({
      code: 'limit_reached',
      message: 'too many',
    });
    await expect(push.addToGroup('', 'b')).rejects.toMatchObject({ code: 'invalid_channel' });
    await expect(push.removeFromGroup('a', '\u0000')).rejects.toMatchObject({ code: 'invalid_user_id' });
    await expect(push.groupMembers('\ud800')).rejects.toMatchObject({ code: 'invalid_channel' });
    await expect(push.groupsOf('')).rejects.toMatchObject({ code: 'invalid_user_id' });
    for (const dots of ['.', '..']) {
      await expect(push.addToGroup(dots, 'b')).rejects.toMatchObject({ code: 'invalid_channel' });
      await expect(push.groupMembers(dots)).rejects.toMatchObject({ code: 'invalid_channel' });
      await expect(push.removeFromGroup('a', dots)).rejects.toMatchObject({ code: 'invalid_user_id' });
    }
  });
});
