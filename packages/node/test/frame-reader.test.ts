import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { FrameReader, OPCODE } from '../src/socket/frame-reader.ts';
import { waitFor } from './support/cluster.ts';

const MAX_BYTES = 2_000;

/** One frame of a client. */
interface Sent {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
  readonly mask: Buffer;
}

function bytesOf({ opcode, final, payload, mask }: Sent): Buffer {
  const { length } = payload;
  const size = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : undefined;
  if (!size) throw new Error('too long for this test');
  size[0] = (size[0] ?? 0) | 0x80;
  const masked = payload.map((byte, i) => byte ^ (mask[i & 3] ?? 0));
  return Buffer.concat([Buffer.from([(final ? 0x80 : 0) | opcode, ...size]), mask, masked]);
}

/** What one client said, as it was heard on one side: in order. */
type Heard = [kind: string, text: string];

const servers: { server: Server; heard: Map<string, Heard[]> }[] = [];

/** A server that reads by `ws` alone, and one that has the reader before it. */
async function listen(withReader: boolean): Promise<void> {
  const heard = new Map<string, Heard[]>();
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_BYTES,
    skipUTF8Validation: true,
  });
  const server = createServer();
  server.on('upgrade', (request, stream, head) => {
    sockets.handleUpgrade(request, stream, head, (socket) => {
      const mine: Heard[] = [];
      heard.set(request.url ?? '', mine);
      socket.on('message', (data: Buffer, isBinary) =>
        mine.push([isBinary ? 'binary' : 'text', data.toString('latin1')]),
      );
      socket.on('ping', (data) => mine.push(['ping', data.toString('latin1')]));
      socket.on('pong', (data) => mine.push(['pong', data.toString('latin1')]));
      socket.on('error', () => {});
      socket.on('close', (code) => mine.push(['close', String(code)]));
      if (!withReader) return;
      const target = {
        received: (bytes: Buffer, start: number, end: number) =>
          mine.push(['text', bytes.toString('latin1', start, end)]),
      };
      new FrameReader(stream, socket, target, { opcode: OPCODE.text, masked: true, maxBytes: MAX_BYTES });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push({ server, heard });
}

let clients = 0;

/** What a server hears of these bytes, written in these parts; until the client has ended, and the server has. */
async function hear(which: number, parts: readonly Buffer[]): Promise<Heard[]> {
  const { server, heard } = servers[which] as (typeof servers)[number];
  const path = `/${clients++}`;
  const client: Socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setNoDelay(true);
  client.on('error', () => {});
  client.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(client, 'data');
  client.resume();
  for (const part of parts) {
    client.write(part);
    await new Promise(setImmediate);
  }
  client.end();
  await waitFor(() => heard.get(path)?.some(([kind]) => kind === 'close') ?? false, 'the end');
  client.destroy();
  return heard.get(path) ?? [];
}

/** Cuts bytes into parts of these sizes, over and over. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = Math.min(bytes.length, at + (sizes[i % sizes.length] ?? 1));
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}

const mask = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes));
const payload = (max: number) =>
  fc.oneof(
    fc.uint8Array({ maxLength: Math.min(max, 20) }),
    fc.integer({ min: 0, max }).map((length) => new Uint8Array(length).fill(97)),
  );
const frame = (opcode: fc.Arbitrary<number>, final: fc.Arbitrary<boolean>, max: number) =>
  fc
    .record({ opcode, final, payload: payload(max), mask })
    .map((one): Sent => ({ ...one, payload: Buffer.from(one.payload) }));
const usual = frame(fc.constant(OPCODE.text), fc.constant(true), 400);
const control = frame(fc.constantFrom(9, 10), fc.constant(true), 125);
/** A message in fragments, with control frames between them. */
const fragmented = fc
  .array(frame(fc.constant(0), fc.constant(false), 300), { minLength: 1, maxLength: 4 })
  .chain((parts) => control.map((ping) => ({ parts, ping })))
  .map(({ parts, ping }) => [
    { ...(parts[0] as Sent), opcode: OPCODE.text },
    ping,
    ...parts.slice(1),
    { ...(parts[0] as Sent), opcode: 0, final: true },
  ]);
const odd = frame(fc.constantFrom(0, 1, 2, 3, 8, 9, 11), fc.boolean(), MAX_BYTES + 200);
const conversation = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: usual.map((one) => [one]) },
    { weight: 2, arbitrary: control.map((one) => [one]) },
    { weight: 2, arbitrary: fragmented },
    { weight: 1, arbitrary: odd.map((one) => [one]) },
  ),
  { minLength: 1, maxLength: 12 },
);
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 3_000 })), {
  minLength: 1,
  maxLength: 6,
});

describe('the reader before a WebSocket', () => {
  beforeAll(async () => {
    await listen(false);
    await listen(true);
  });
  afterAll(() => {
    for (const { server } of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  it('hears what the WebSocket alone would hear, however it is cut, and whatever is wrong with it', async () => {
    await fc.assert(
      fc.asyncProperty(conversation, sizes, async (said, parts) => {
        const bytes = Buffer.concat(said.flat().map(bytesOf));
        const [alone, before] = await Promise.all([
          hear(0, cut(Buffer.from(bytes), parts)),
          hear(1, cut(Buffer.from(bytes), parts)),
        ]);
        expect(before).toEqual(alone);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('lets nothing through behind a goodbye', async () => {
    const zero = Buffer.alloc(4);
    const text = (said: string): Sent => ({
      opcode: OPCODE.text,
      final: true,
      payload: Buffer.from(said),
      mask: zero,
    });
    const goodbye: Sent = { opcode: 8, final: true, payload: Buffer.from([3, 232]), mask: zero };
    const bytes = Buffer.concat([text('before'), goodbye, text('behind')].map(bytesOf));
    for (const parts of [[bytes.length], [1], [7]]) {
      const heard = await hear(1, cut(Buffer.from(bytes), parts));
      expect(heard.filter(([kind]) => kind === 'text')).toEqual([['text', 'before']]);
    }
  });
});
