import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { RouteAnswer } from '@ringway/protocol';
import { freePort, waitFor } from '@ringway/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import type { LocatorOptions } from '../src/index.ts';
import { bearer, callerToken, member, type RunningLocator, startLocator } from './support.ts';

/** The public listener of a node: takes every socket, and does as the test says. */
class Node {
  readonly tickets: string[] = [];
  readonly sockets: WebSocket[] = [];
  readonly closes: [number, string][] = [];
  readonly origins: (string | undefined)[] = [];
  readonly #server: WebSocketServer;

  private constructor(server: WebSocketServer) {
    this.#server = server;
    server.on('connection', (socket, request) => {
      this.tickets.push(new URL(request.url ?? '', 'ws://x').searchParams.get('ticket') ?? '');
      this.origins.push(request.headers.origin);
      this.sockets.push(socket);
      socket.on('message', (data) => socket.send(String(data)));
      socket.on('close', (code, reason) => this.closes.push([code, reason.toString()]));
    });
  }

  static async start(): Promise<Node> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false });
    await once(server, 'listening');
    return new Node(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const nobody = member('nobody', { publicUrl: 'ws://127.0.0.1:1' });

/** A locator that carries, in front of these nodes. */
async function carrying(
  nodes: Readonly<Record<string, Node>>,
  limits: Partial<LocatorOptions['fallback'] & object> = {},
  more: Partial<LocatorOptions> = {},
): Promise<RunningLocator & { url: string }> {
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}`;
  const running = await startLocator(
    Object.entries(nodes).map(([id, { url: publicUrl }]) => member(id, { publicUrl })),
    {
      publicListen: { host: '127.0.0.1', port },
      fallback: { url, maxSessions: 100, frameBytes: 65_536, ...limits },
      ...more,
    },
  );
  return Object.assign(running, { url });
}

interface Opened {
  readonly socket: WebSocket;
  readonly texts: string[];
  /** Code and reason; or the status of a refused upgrade. */
  readonly closed: Promise<readonly [number, string]>;
}

function open(url: string, options: ClientOptions = {}): Opened {
  const socket = new WebSocket(url, ['ringway.v1'], { autoPong: false, ...options } as ClientOptions);
  onTestFinished(() => socket.terminate());
  const texts: string[] = [];
  socket.on('message', (data) => texts.push(String(data)));
  socket.on('error', () => {});
  const closed = new Promise<readonly [number, string]>((resolve) => {
    socket.on('close', (code, reason) => resolve([code, reason.toString()]));
    socket.on('unexpected-response', (request, response) => {
      resolve([response.statusCode ?? 0, '']);
      request.destroy();
    });
  });
  return { socket, texts, closed };
}

function as(userId: string): ClientOptions {
  return bearer(callerToken({ sub: userId }));
}

async function carried(running: { url: string }, node: Node, query = '?userId=alice'): Promise<Opened> {
  const before = node.sockets.length;
  const client = open(`${running.url}/connect${query}`, as('alice'));
  await once(client.socket, 'open');
  await waitFor(() => node.sockets.length > before, { message: 'the node has the socket' });
  return client;
}

describe('/connect', () => {
  test('opens the socket at the node, and carries each frame as it is, both ways', async () => {
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node });
    const client = await carried(running, node);
    expect(node.tickets[0]).toMatch(/^eyJ/);
    expect(node.sockets[0]?.protocol).toBe('ringway.v1');
    expect(client.socket.protocol).toBe('ringway.v1');
    const said = ['{"big":12345678901234567890}', 'not JSON', '', 'ü'.repeat(10_000)];
    for (const text of said) client.socket.send(text);
    await waitFor(() => client.texts.length === said.length, { message: 'all came back' });
    expect(client.texts).toEqual(said);
  });

  test('what is said before the node is reached waits, and comes in order', async () => {
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node });
    const client = open(`${running.url}/connect`, as('alice'));
    client.socket.once('open', () => {
      for (let i = 0; i < 100; i += 1) client.socket.send(`${i}`);
    });
    await waitFor(() => client.texts.length === 100, { message: 'all came back' });
    expect(client.texts).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });

  test('carries close codes from the node, and from the client', async () => {
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node });
    const kicked = await carried(running, node);
    node.sockets[0]?.close(4404, 'kicked');
    expect(await kicked.closed).toEqual([4404, 'kicked']);
    const leaving = await carried(running, node);
    leaving.socket.close(1000, 'bye');
    await waitFor(() => node.closes.length === 2, { message: 'the node saw it' });
    expect(node.closes[1]).toEqual([1000, 'bye']);
    const cut = await carried(running, node);
    node.sockets[2]?.terminate();
    expect(await cut.closed).toEqual([1006, '']);
    const gone = await carried(running, node);
    gone.socket.terminate();
    await waitFor(() => node.closes.length === 4, { message: 'the node saw that, too' });
    expect(node.closes[3]?.[0]).toBe(1006);
  });

  test('passes pings and pongs, and answers none itself', async () => {
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node });
    const client = await carried(running, node);
    const heard: string[] = [];
    client.socket.on('ping', (data) => heard.push(`client ping ${data}`));
    client.socket.on('pong', (data) => heard.push(`client pong ${data}`));
    node.sockets[0]?.on('ping', (data) => {
      heard.push(`node ping ${data}`);
      node.sockets[0]?.pong(data);
    });
    client.socket.ping('a');
    node.sockets[0]?.ping('b');
    await waitFor(() => heard.length === 3, { message: 'all were heard' });
    expect(heard.sort()).toEqual(['client ping b', 'client pong a', 'node ping a']);
  });

  test('a move leads through the locator: the same ticket, at its own URL', async () => {
    await using one = await Node.start();
    await using running = await carrying({ 'node-1': one });
    const client = await carried(running, one);
    await using two = await Node.start();
    await running.membership.register(member('node-2', { publicUrl: two.url }));
    const other = await routeTo(running, 'node-2');
    const move = { type: 'move', url: other.url, ticket: other.ticket, deadline: 1 };
    one.sockets[0]?.send(JSON.stringify(move));
    // What only looks like one is the application's.
    const message = JSON.stringify({ type: 'message', data: { type: 'move', url: 'ws://x?ticket=y' } });
    one.sockets[0]?.send(message);
    await waitFor(() => client.texts.length === 2, { message: 'both came' });
    const moved = JSON.parse(client.texts[0] ?? '') as typeof move;
    expect(moved).toEqual({ ...move, url: `${running.url}/connect?ticket=${other.ticket}` });
    expect(client.texts[1]).toBe(message);
    const next = open(moved.url);
    await once(next.socket, 'open');
    await waitFor(() => two.tickets[0] === other.ticket, { message: 'the other node has the ticket' });
    next.socket.send('here');
    await waitFor(() => next.texts[0] === 'here', { message: 'it is carried' });
  });

  test('a client that does not read holds the node back, and memory with it', async () => {
    const big = 'x'.repeat(16_384);
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node });
    const client = await carried(running, node);
    client.socket.pause();
    const socket = node.sockets[0]!;
    const total = 4_096;
    for (let i = 0; i < total; i += 1) socket.send(big);
    // What neither the kernels nor the locator take stays with the node.
    let waiting = Number.POSITIVE_INFINITY;
    await waitFor(
      () => {
        const still = socket.bufferedAmount === waiting;
        waiting = socket.bufferedAmount;
        return still;
      },
      { message: 'the node is held back', interval: 300 },
    );
    expect(waiting).toBeGreaterThan(0.5 * total * big.length);
    client.socket.resume();
    await waitFor(() => client.texts.length === total, { message: 'all came in the end', timeout: 15_000 });
    expect(client.texts.every((text) => text === big)).toBe(true);
  });
});

describe('who is not carried', () => {
  test.each([
    ['without a token', '', {}, [4506, 'session_expired']],
    ['with a bad token', '', bearer('x.y.z'), [4506, 'session_expired']],
    ['as somebody else', '?userId=bob', as('alice'), [4403, 'policy']],
    ['with a ticket that is none', '?ticket=x', {}, [4400, 'invalid_ticket']],
    ['by a page of another origin', '', { ...as('alice'), origin: 'https://evil.example' }, [403, '']],
  ] as const)('%s: %j', async (_, query, options, closed) => {
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node }, {}, { origins: ['https://app.example'] });
    expect(await open(`${running.url}/connect${query}`, options).closed).toEqual(closed);
    expect(node.sockets).toEqual([]);
  });

  test('a page of a known origin is, with its token in the query, and the node sees the origin', async () => {
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node }, {}, { origins: ['https://app.example'] });
    const token = callerToken({ sub: 'alice' });
    const client = open(`${running.url}/connect?access_token=${token}`, { origin: 'https://app.example' });
    await once(client.socket, 'open');
    await waitFor(() => node.origins[0] === 'https://app.example', { message: 'the node sees it' });
  });

  test('a ticket that has expired, or is for a node that is gone', async () => {
    let now = Date.now();
    await using node = await Node.start();
    await using running = await carrying({ 'node-1': node }, {}, { now: () => now });
    const { ticket } = await routeTo(running, 'node-1');
    now += 60_000;
    expect(await open(`${running.url}/connect?ticket=${ticket}`).closed).toEqual([4500, 'ticket_expired']);
    const { ticket: fresh } = await routeTo(running, 'node-1');
    await running.membership.register(member('node-1', { incarnation: 'later', publicUrl: node.url }));
    expect(await open(`${running.url}/connect?ticket=${fresh}`).closed).toEqual([4502, 'wrong_node']);
  });

  test('one too many, a frame that is too big, a caller too often', async () => {
    await using node = await Node.start();
    await using running = await carrying(
      { 'node-1': node },
      { maxSessions: 1, frameBytes: 1024 },
      { routeLimit: { rate: 0.01, burst: 2 } },
    );
    const first = await carried(running, node);
    expect(await open(`${running.url}/connect`, as('bob')).closed).toEqual([503, '']);
    first.socket.send('x'.repeat(2048));
    expect((await first.closed)[0]).toBe(1009);
    await waitFor(() => node.closes.length === 1, { message: 'the node is left' });
    (await carried(running, node)).socket.close();
    await waitFor(() => node.closes.length === 2, { message: 'it is left again' });
    expect(await open(`${running.url}/connect`, as('alice')).closed).toEqual([4505, 'rate_limited']);
  });

  test('whose node cannot be reached: told so by a code that makes the SDK avoid it', async () => {
    await using running = await carrying({}, {});
    expect(await open(`${running.url}/connect`, as('alice')).closed).toEqual([4509, 'unavailable']);
    await running.membership.register(nobody);
    await waitFor(async () => (await open(`${running.url}/connect`, as('alice')).closed)[0] === 1014, {
      message: 'the node is not reached',
    });
  });

  test('nobody, where it is off', async () => {
    await using running = await startLocator([nobody]);
    const url = running.locator.publicUrl.replace('http', 'ws');
    expect((await open(`${url}/connect`, as('alice')).closed)[0]).toBe(404);
  });
});

test('/route names it, and a locator that stops sends those that it carries elsewhere', async () => {
  await using node = await Node.start();
  await using running = await carrying({ 'node-1': node });
  const { url, ticket, fallbackUrl } = await routeTo(running, 'node-1');
  expect(url).toBe(`${node.url}/ws?ticket=${ticket}`);
  expect(fallbackUrl).toBe(`${running.url}/connect?ticket=${ticket}`);
  const client = open(fallbackUrl ?? '');
  await once(client.socket, 'open');
  await waitFor(() => node.tickets[0] === ticket, { message: 'the node has the ticket' });
  const metrics = await (await fetch(`${running.locator.internalUrl}/metrics`)).text();
  expect(metrics).toContain('ringway_fallback_sessions 1');
  expect(metrics).toContain('ringway_fallback_total{result="opened"} 1');
  const stopped = running.locator.stop();
  expect(await client.closed).toEqual([4601, 'going_away']);
  await stopped;
  await waitFor(() => node.closes.length === 1, { message: 'the node is left' });
});

/** The answer of `/route` to somebody whose home is that node. */
async function routeTo({ locator }: RunningLocator, nodeId: string): Promise<RouteAnswer> {
  return waitFor(
    async () => {
      const token = callerToken({ sub: `user-${crypto.randomUUID()}` });
      const answer = (await (await fetch(`${locator.publicUrl}/route`, bearer(token))).json()) as RouteAnswer;
      return answer.nodeId === nodeId && answer;
    },
    { message: `somebody is sent to ${nodeId}`, interval: 1 },
  );
}
