import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Node } from '../src/index.ts';
import { TestCluster, waitFor } from './support/cluster.ts';

function upgrade(path: string, header = 'X-Nothing: 1'): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: node',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    header,
    '\r\n',
  ].join('\r\n');
}

describe('a client that is refused and never closes its own side', () => {
  let cluster: TestCluster;
  let node: Node;
  const opened: Socket[] = [];
  beforeAll(async () => {
    cluster = await TestCluster.start(1, { RINGWAY_HEADER_TIMEOUT: '300' });
    node = cluster.node('node-1');
  });
  afterEach(() => {
    for (const socket of opened.splice(0)) socket.destroy();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  const refusals: [string, 'publicUrl' | 'internalUrl', string, string][] = [
    ['an upgrade elsewhere', 'publicUrl', upgrade('/nowhere'), '404'],
    ['another origin', 'publicUrl', upgrade('/ws', 'Origin: https://evil.example'), '403'],
    ['what is no handshake', 'publicUrl', upgrade('/ws').replace('dGhl', ''), '400'],
    ['what is no HTTP', 'publicUrl', 'hello\r\n\r\n', '400'],
    ['headers that do not end', 'publicUrl', 'GET /ws HTTP/1.1\r\nHost: node\r\n', '400'],
    ['silence', 'publicUrl', '', '400'],
    ['an upgrade elsewhere, inside', 'internalUrl', upgrade('/nowhere'), '404'],
    ['a peer without a token', 'internalUrl', upgrade('/peer'), '401'],
    ['headers that do not end, inside', 'internalUrl', 'GET /healthz HTTP/1.1\r\nHost: node\r\n', '408'],
    ['silence, inside', 'internalUrl', '', '408'],
  ];
  it.each(refusals)('holds no socket of the node by %s', async (_what, listener, text, status) => {
    const { port } = new URL(node.addresses[listener]);
    const socket = connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true });
    opened.push(socket);
    let answer = '';
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
    });
    socket.on('error', () => {});
    socket.write(text);
    await waitFor(() => answer.startsWith(`HTTP/1.1 ${status} `), 'the refusal');
    // as long as the node has the socket it takes what is written; once it has not, the network says so
    await waitFor(() => {
      socket.write('x');
      return socket.destroyed;
    }, 'the node to let go');
    expect(socket.destroyed).toBe(true);
  });
});
