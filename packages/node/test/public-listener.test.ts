import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { labelled, metrics, TestCluster, waitFor } from './support/cluster.ts';

const opened: Socket[] = [];

/** A bare connection to the public listener. */
async function raw(node: Node): Promise<{ socket: Socket; text: () => string; ended: Promise<unknown> }> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(node.addresses.publicUrl).port) });
  opened.push(socket);
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.on('error', () => {});
  const ended = once(socket, 'close');
  await Promise.race([once(socket, 'connect'), ended]);
  return { socket, text: () => text, ended };
}

afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy();
});

function upgrade(path: string, headers: Record<string, string> = {}): string {
  const all = {
    Host: 'node',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  return `GET ${path} HTTP/1.1\r\n${Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
}

describe('the public listener', () => {
  let cluster: TestCluster;
  let node: Node;
  beforeAll(async () => {
    cluster = await TestCluster.start(1, {
      RINGWAY_ORIGINS: 'https://app.example.com,https://*.example.org',
      RINGWAY_HEADER_TIMEOUT: '300',
    });
    node = cluster.node('node-1');
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  async function statusOf(request: string): Promise<number> {
    const { socket, text, ended } = await raw(node);
    socket.write(request);
    await waitFor(() => text().includes('\r\n\r\n'), 'an answer');
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text())?.[1]);
    if (status !== 101) await ended;
    return status;
  }
  const ticket = () => cluster.ticket('alice', node);

  it.each([
    ['no origin', undefined, 101],
    ['an origin that is allowed', 'https://app.example.com', 101],
    ['a name below one that is allowed', 'https://a.b.example.org', 101],
    ['another origin', 'https://evil.example', 403],
    ['another scheme', 'http://app.example.com', 403],
    ['a name that ends alike', 'https://evilexample.org', 403],
    ['null', 'null', 403],
  ])('answers %s with its status', async (_what, origin, status) => {
    const headers: Record<string, string> = origin === undefined ? {} : { Origin: origin };
    expect(await statusOf(upgrade(`/ws?ticket=${ticket()}`, headers))).toBe(status);
  });

  it('opens sockets at /ws, also behind a prefix, and nowhere else', async () => {
    expect(await statusOf(upgrade(`/ws?ticket=${ticket()}`))).toBe(101);
    expect(await statusOf(upgrade(`/n/node-1/ws?ticket=${ticket()}`))).toBe(101);
    for (const path of ['/', '/ws/', '/wss', '/route', '/peer', '*', '//'])
      expect(await statusOf(upgrade(path))).toBe(404);
  });

  it('serves nothing else', async () => {
    expect(await statusOf('GET /ws HTTP/1.1\r\nHost: node\r\n\r\n')).toBe(426);
    expect(await statusOf('POST /publish HTTP/1.1\r\nHost: node\r\nContent-Length: 0\r\n\r\n')).toBe(426);
    expect(await statusOf('GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n')).toBe(426);
  });

  it('refuses what is no WebSocket handshake, or no HTTP', async () => {
    expect(await statusOf(upgrade('/ws', { 'Sec-WebSocket-Key': 'short' }))).toBe(400);
    expect(await statusOf(upgrade('/ws', { 'Sec-WebSocket-Version': '7' }))).toBe(400);
    expect(await statusOf('hello\r\n\r\n')).toBe(400);
    expect(await statusOf(upgrade('/ws', { 'X-Long': 'x'.repeat(9_000) }))).toBe(400);
  });

  it('cuts off who does not finish the headers', async () => {
    const slow = await raw(node);
    slow.socket.write('GET /ws HTTP/1.1\r\nHost: node\r\n');
    const silent = await raw(node);
    await Promise.all([slow.ended, silent.ended]);
    expect(slow.text()).not.toContain('101');
  });

  it('leaves those alone that are through', async () => {
    const client = await cluster.connect('patient');
    const silent = await raw(node);
    await silent.ended;
    client.send({ type: 'ping' });
    await client.next('pong');
  });

  it('counts what it refuses', async () => {
    const count = async (reason: string) =>
      labelled(await metrics(node), 'ringway_refused_total', 'reason', reason);
    const before = await count('origin');
    await statusOf(upgrade('/ws', { Origin: 'https://evil.example' }));
    expect(await count('origin')).toBe(before + 1);
    expect(await count('path')).toBeGreaterThan(0);
    expect(await count('malformed')).toBeGreaterThan(0);
  });
});

describe('sockets that have shown no ticket', () => {
  it('are bounded for an address; those that have are not counted', async () => {
    await using cluster = await TestCluster.start(1, { RINGWAY_MAX_UNAUTHENTICATED: '3' });
    const node = cluster.node('node-1');
    for (let i = 0; i < 6; i++) await cluster.connect(`known-${i}`);
    const strangers = [await raw(node), await raw(node), await raw(node)];
    // a stranger is counted once the node has seen it
    await waitFor(async () => {
      const late = await raw(node);
      const turnedAway = await Promise.race([
        late.ended.then(() => true),
        new Promise<boolean>((resolve) => setTimeout(resolve, 50, false)),
      ]);
      late.socket.destroy();
      return turnedAway;
    }, 'the fourth to be turned away');
    expect(
      labelled(await metrics(node), 'ringway_refused_total', 'reason', 'too_many_unauthenticated'),
    ).toBeGreaterThan(0);
    strangers[0]?.socket.destroy();
    await waitFor(async () => {
      const client = cluster.open(node, cluster.ticket('friend', node));
      await Promise.race([client.next('welcome').catch(() => {}), client.closed]);
      return client.all('welcome').length === 1;
    }, 'room for one');
  });

  it('stay counted while a wrong ticket is being turned away, and not for long', async () => {
    await using cluster = await TestCluster.start(1, { RINGWAY_MAX_UNAUTHENTICATED: '1' });
    const node = cluster.node('node-1');
    const { socket, text, ended } = await raw(node);
    socket.write(upgrade('/ws?ticket=wrong'));
    await waitFor(() => text().includes('101'), 'the upgrade');
    const second = cluster.open(node, cluster.ticket('alice', node));
    await second.closed;
    expect(second.frames).toEqual([]);
    // it never answers the close: it is cut off all the same
    await ended;
    await cluster.connect('alice');
  });
});

describe('a client that never answers the goodbye', () => {
  it('is cut off soon', async () => {
    await using cluster = await TestCluster.start(1);
    const node = cluster.node('node-1');
    const { socket, text, ended } = await raw(node);
    socket.write(upgrade(`/ws?ticket=${cluster.ticket('mute', node)}`));
    await waitFor(() => text().includes('welcome'), 'the welcome');
    const answer = await fetch(`${node.addresses.internalUrl}/sessions?userId=mute`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${cluster.token(node)}` },
    });
    expect(answer.status).toBe(202);
    await waitFor(() => text().includes('kicked'), 'the close frame');
    const began = performance.now();
    await ended;
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
