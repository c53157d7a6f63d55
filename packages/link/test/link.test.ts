import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  type AfterClose,
  closeGracefully,
  Link,
  type LinkClose,
  type LinkOptions,
  type LinkStateName,
  systemClock,
} from '@ringway/link';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { FakeClock, FakeSocket, settle } from './fakes.ts';
import { until } from './until.ts';

let server: WebSocketServer;
let url: string;
const links: Link[] = [];

beforeEach(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.stop()));
  for (const socket of server.clients) socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

function made(options: Partial<LinkOptions> = {}): {
  link: Link;
  closes: LinkClose[];
  states: LinkStateName[];
} {
  const closes: LinkClose[] = [];
  const states: LinkStateName[] = [];
  const link = new Link({
    dial: () => new WebSocket(url),
    afterClose: (close) => {
      closes.push(close);
      return 'backoff';
    },
    onState: ({ new: next }) => states.push(next.name),
    backoff: () => 1,
    ...options,
  });
  // nobody would advance a played clock at the end
  if (!options.clock) links.push(link);
  return { link, closes, states };
}

test('carries text and bytes both ways', async () => {
  server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  const got: (string | Uint8Array)[] = [];
  const { link } = made({ onMessage: (data) => got.push(data), onOpen: () => link.send('héllo') });
  expect(link.send('too early')).toBe(false);
  link.start();
  await until(() => expect(got).toEqual(['héllo']));
  link.send(new Uint8Array([1, 2, 255]));
  await until(() => expect(got).toHaveLength(2));
  expect(new Uint8Array(got[1] as Uint8Array)).toEqual(new Uint8Array([1, 2, 255]));
});

test('comes back after a close, a broken connection and a refused upgrade', async () => {
  const { link, closes, states } = made();
  link.start();
  const [first] = (await once(server, 'connection')) as [WebSocket];
  first.close(4500, 'late');
  const [second] = (await once(server, 'connection')) as [WebSocket];
  second.terminate();
  await once(server, 'connection');
  await until(() => expect(link.state.name).toBe('open'));
  expect(closes).toMatchObject([
    { code: 4500, reason: 'late', opened: true },
    { code: 1006, opened: true },
  ]);
  expect(states).toEqual([
    'connecting',
    'open',
    'waiting',
    'connecting',
    'open',
    'waiting',
    'connecting',
    'open',
  ]);
});

test('a connection that cannot be made is a close that was never open', async () => {
  const { link, closes } = made({ dial: () => new WebSocket('ws://127.0.0.1:1') });
  link.start();
  await until(() => expect(closes.length).toBeGreaterThan(2));
  expect(closes[0]).toMatchObject({ code: 1006, opened: false, uptimeMs: 0 });
});

test('what dial throws reaches afterClose', async () => {
  const error = new Error('no token');
  const { link, closes } = made({
    dial: () => Promise.reject(error),
    afterClose: (close) => {
      closes.push(close);
      return 'stop';
    },
  });
  link.start();
  await until(() => expect(link.state).toEqual({ name: 'stopped', code: 1006, reason: 'no token' }));
  expect(closes).toEqual([{ code: 1006, reason: 'no token', opened: false, uptimeMs: 0, error }]);
});

test('stop says goodbye, and what was sent before it arrives', async () => {
  const { link, closes } = made();
  link.start();
  const [socket] = (await once(server, 'connection')) as [WebSocket];
  await until(() => expect(link.state.name).toBe('open'));
  const got: string[] = [];
  socket.on('message', (data) => got.push(String(data)));
  const closed = once(socket, 'close');
  for (let i = 0; i < 1000; i++) link.send(`${i}`);
  await link.stop(1000, 'done');
  const [code, reason] = await closed;
  expect([code, String(reason)]).toEqual([1000, 'done']);
  expect(got).toHaveLength(1000);
  expect(closes).toEqual([]);
});

test('a socket that is replaced is read until it is closed, the new one goes on', async () => {
  const got: (string | Uint8Array)[] = [];
  const { link, closes } = made({ onMessage: (data) => got.push(data) });
  link.start();
  const [before] = (await once(server, 'connection')) as [WebSocket];
  await until(() => expect(link.state.name).toBe('open'));
  const candidate = new WebSocket(url);
  const [after] = (await once(server, 'connection')) as [WebSocket];
  await once(candidate, 'open');
  const goodbye = once(before, 'close');
  const replaced = link.replace(candidate);
  if (!replaced.taken || !replaced.before) throw new Error('the candidate was not taken');
  before.send('from the old one');
  await until(() => expect(got).toEqual(['from the old one']));
  after.send('from the new one');
  await until(() => expect(got).toEqual(['from the old one', 'from the new one']));
  await closeGracefully(replaced.before, 1000, 'moved', systemClock, 2_000);
  expect((await goodbye)[0]).toBe(1000);
  expect(link.state.name).toBe('open');
  expect(closes).toEqual([]);
});

test('neither dialling nor opening may last for ever', async () => {
  const clock = new FakeClock();
  const sockets: FakeSocket[] = [];
  let dial: () => Promise<FakeSocket> = () => new Promise(() => {});
  const { link, closes } = made({ clock, connectTimeoutMs: 100, dial: () => dial() });
  link.start();
  await settle();
  clock.advance(100);
  expect(closes).toMatchObject([{ code: 1006, reason: 'dialling took more than 100 ms' }]);
  dial = async () => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  };
  clock.advance(1);
  await settle();
  clock.advance(100);
  expect(closes[1]).toMatchObject({ reason: 'opening took more than 100 ms', opened: false });
  expect(sockets[0]?.closedWith).toBeDefined();
});

test('attempts are forgotten only after a connection that lasted', async () => {
  const clock = new FakeClock();
  const attempts: number[] = [];
  const waits: number[] = [];
  const sockets: FakeSocket[] = [];
  const { link } = made({
    clock,
    minUptimeMs: 1_000,
    dial: (attempt) => {
      attempts.push(attempt);
      const socket = new FakeSocket();
      socket.readyState = 1;
      sockets.push(socket);
      return socket;
    },
    backoff: (attempt) => {
      waits.push(attempt);
      return 10;
    },
  });
  link.start();
  for (const upMs of [0, 999, 1_000, 0]) {
    await settle();
    clock.advance(upMs);
    sockets.at(-1)?.end(1006);
    clock.advance(10);
  }
  await settle();
  expect(attempts).toEqual([0, 1, 2, 1, 2]);
  expect(waits).toEqual([0, 1, 0, 1]);
});

test('a wait named by the other side is kept, with the jitter on top', async () => {
  const clock = new FakeClock();
  let verdict: AfterClose = { afterMs: 5_000 };
  const { link } = made({
    clock,
    dial: () => Promise.reject(new Error('429')),
    afterClose: () => verdict,
    backoff: () => 7,
  });
  link.start();
  await settle();
  expect(link.state).toMatchObject({ name: 'waiting', waitMs: 5_007 });
  verdict = 'stop';
  link.reconnectNow();
  await settle();
  expect(link.state.name).toBe('stopped');
});

test.each([
  [{ connectTimeoutMs: -1 }, 'connectTimeoutMs'],
  [{ minUptimeMs: Number.NaN }, 'minUptimeMs'],
])('a bad option is named: %o', (bad, name) => {
  expect(() => made(bad as unknown as Partial<LinkOptions>)).toThrow(name);
});
