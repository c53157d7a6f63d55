import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { memberMeta } from '../src/signed-member.ts';
import { eventually } from './support/eventually.ts';
import { clusterSigner, member } from './support/members.ts';
import { Observed } from './support/nodes.ts';

// What a real Consul cannot be brought to answer on demand: a proxy in between, an old version, a broken disk.

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const HEADERS = {
  'X-Consul-KnownLeader': 'true',
  'X-Consul-LastContact': '0',
  'Content-Type': 'application/json',
};

function entries(...ids: string[]): string {
  const rows = ids.map((id) => ({
    Node: { Node: 'machine' },
    Service: { ID: id, Meta: memberMeta('ringway-node', member(id), clusterSigner()), ModifyIndex: 1 },
    Checks: [],
  }));
  return JSON.stringify(rows);
}

function answer(index: string | undefined, body: string, status = 200): Answer {
  return (_, response) => {
    response.writeHead(status, { ...HEADERS, ...(index === undefined ? {} : { 'X-Consul-Index': index }) });
    response.end(body);
  };
}

/** Serves one answer after the other, the last for ever; keeps the queries and when they came. */
async function scripted(...answers: Answer[]) {
  const queries: URLSearchParams[] = [];
  const times: number[] = [];
  const server = createServer((request, response) => {
    queries.push(new URL(request.url ?? '', 'http://x').searchParams);
    times.push(performance.now());
    answers[Math.min(queries.length, answers.length) - 1]?.(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries,
    times,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const OK = answer('100', entries('a', 'b', 'c'));
const BROKEN: readonly (readonly [string, Answer])[] = [
  ['an error that carries an index', answer('1', 'rpc error', 500)],
  ['a refusal', answer('1', 'Permission denied', 403)],
  ['an empty list with an error status', answer('100', '[]', 502)],
  ['another success status', answer('100', entries('a'), 206)],
  ['no index', answer(undefined, entries('a'))],
  ['index zero', answer('0', entries('a'))],
  ['an index that is no number', answer('abc', entries('a'))],
  ['a body that is no JSON', answer('101', '<html>')],
  ['a body that is no list', answer('101', '{"a":1}')],
  ['a connection that is cut', (request) => request.socket.destroy()],
  [
    'a body that is cut',
    (request, response) => {
      response.writeHead(200, { ...HEADERS, 'X-Consul-Index': '101', 'Content-Length': '5000' });
      response.write('[', () => request.socket.destroy());
    },
  ],
];

test.each(BROKEN)(
  'after %s the ring stands and the index is dropped',
  { timeout: 30_000 },
  async (_, broken) => {
    await using consul = await scripted(OK, broken, answer('101', entries('a', 'b', 'c', 'd')));
    // A body that was cut is noticed by the time limit alone.
    const timings = { waitMs: 1_000 };
    await using seen = await Observed.start(consul.address, { timings });
    expect(seen.ring).toBe('a b c');
    await eventually('the next answer is used', () => seen.ring === 'a b c d');
    expect(seen.rings).toEqual([['a', 'b', 'c', 'd']]);
    expect(seen.warnings).toContain('consul: the members shown may be out of date');
    const [first, second, third] = consul.queries;
    expect([first?.has('index'), first?.has('stale')]).toEqual([false, true]);
    expect([second?.get('index'), second?.get('wait'), second?.has('stale')]).toEqual([
      '100',
      '1000ms',
      true,
    ]);
    expect(third?.has('index')).toBe(false);
  },
);

test('a server that answers at once is asked at most every 50 ms', async () => {
  await using consul = await scripted(OK);
  const begin = performance.now();
  await using seen = await Observed.start(consul.address);
  await eventually('it was asked some times', () => consul.times.length > 20);
  expect(seen.rings).toEqual([]);
  // 45: timers count in whole milliseconds. Not from the first that came: that one may have been under way for long.
  consul.times.forEach((time, i) => {
    expect(time - begin).toBeGreaterThanOrEqual(i * 45);
  });
});

/** An empty answer, the proof that Consul's own servers are seen, and a blocking query that lasts. */
const EMPTY = [answer('102', '[]'), answer('1', '[{}]'), () => {}];

test('a last member that said that it leaves is kept without a warning', async () => {
  const [row] = JSON.parse(entries('a')) as [object];
  const Checks = [{ CheckID: '_service_maintenance:a', Status: 'critical' }];
  const leaving = answer('101', JSON.stringify([{ ...row, Checks }]));
  await using consul = await scripted(answer('100', entries('a')), leaving, ...EMPTY);
  await using seen = await Observed.start(consul.address);
  await eventually('the empty answer was taken', () => consul.queries.at(-1)?.get('index') === '102');
  expect(seen.ring).toBe('a');
  expect(seen.told).toContain('consul: the last member has left, keeping the ring until another comes');
  expect(seen.warnings).toEqual([]);
});

test('a last member that is gone without a word is kept with a warning', async () => {
  await using consul = await scripted(answer('100', entries('a')), ...EMPTY);
  await using seen = await Observed.start(consul.address);
  await eventually('the empty answer was taken', () => consul.queries.at(-1)?.get('index') === '102');
  expect(seen.ring).toBe('a');
  expect(seen.warnings).toContain('consul: no member left, keeping the last ring');
});

test('an index beyond 2^53 is sent back as it came', async () => {
  await using consul = await scripted(answer('9007199254740993', entries('a')));
  await using seen = await Observed.start(consul.address);
  await eventually('it was asked again', () => consul.queries.length > 1);
  expect(consul.queries[1]?.get('index')).toBe('9007199254740993');
  expect(seen.watcher.current.version.index).toBe('9007199254740993');
});

test('a fallen index is read again, not stale, before it is believed', async () => {
  const lagging = answer('90', entries('a', 'b'));
  await using consul = await scripted(OK, lagging, answer('101', entries('a', 'b', 'c', 'd')));
  await using seen = await Observed.start(consul.address);
  await eventually('the leader was asked', () => seen.ring === 'a b c d');
  expect(seen.rings).toEqual([['a', 'b', 'c', 'd']]);
  expect([consul.queries[2]?.has('stale'), consul.queries[2]?.has('index')]).toEqual([false, false]);
});
