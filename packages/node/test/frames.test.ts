import { ERRORS, type ErrorCode, type ServerFrame } from '@ringway/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  errorFrame,
  frame,
  listFrame,
  messageFrame,
  messageHead,
  outcomeFrame,
  PING_FRAME,
  PONG_FRAME,
  welcomeFrame,
} from '../src/session/frames.ts';
import { jsonToWire, quote } from '../src/text.ts';
import { waitFor } from './support/cluster.ts';
import { SocketBench, type SocketPair } from './support/sessions.ts';

describe('frames, as a WebSocket client reads them', () => {
  let bench: SocketBench;
  let pair: SocketPair;
  beforeAll(async () => {
    bench = await SocketBench.start();
    pair = await bench.pair();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  /** What the client parses of frames that were written in one go. */
  async function received(...frames: string[]): Promise<ServerFrame[]> {
    const { client, stream } = pair;
    const before = client.frames.length;
    stream.write(frames.join(''), 'latin1');
    await waitFor(
      () => client.frames.length === before + frames.length || client.socket.readyState !== 1,
      `${frames.length} frames`,
    );
    expect(client.socket.readyState).toBe(1);
    return client.frames.slice(before);
  }

  it('arrive whole at every length, also at the borders of the three forms of a header', async () => {
    const lengths = [0, 1, 50, 124, 125, 126, 127, 65_534, 65_535, 65_536, 65_537, 300_000];
    const empty = JSON.stringify({ type: 'gap', channel: '' }).length;
    for (const length of lengths) {
      const padding = 'x'.repeat(Math.max(0, length - empty));
      const value = { type: 'gap', channel: padding } as unknown as ServerFrame;
      expect(await received(frame(value))).toEqual([value]);
      expect(pair.client.texts.at(-1)).toHaveLength(Math.max(length, empty));
    }
  });

  it('that were written together arrive one by one', async () => {
    const position = { epoch: 'e', seq: 1 };
    const gaps = [10, 125, 126, 70_000].map(
      (n): ServerFrame => ({
        type: 'gap',
        channel: `group:${'é'.repeat(n)}`,
        after: position,
        upTo: position,
      }),
    );
    expect(await received(...gaps.map(frame), PING_FRAME, PONG_FRAME)).toEqual([
      ...gaps,
      { type: 'ping' },
      { type: 'pong' },
    ]);
  });

  it('welcome each session with what is its own, and what is the node’s', async () => {
    const ping = { intervalMs: 25_000, timeoutMs: 10_000 };
    const limits = { frameBytes: 65_536, publishesPerSecond: 100 };
    const position = { epoch: 'e.1', seq: 7 };
    for (const nodeId of ['node-1', 'nöde "2"']) {
      const node = { nodeId, ping, limits };
      for (const userId of ['alice', 'Ägir "\\"', '😀']) {
        const channel = `user:${userId}`;
        const shown = { type: 'welcome', protocol: 1, nodeId, sessionId: 's.1', userId, channel, position };
        const welcomes = [Number.POSITIVE_INFINITY, 1_700_000_000].map((expiresAt) =>
          welcomeFrame(node, { id: 's.1', userId, expiresAt }, channel, position),
        );
        expect(await received(...welcomes)).toEqual([
          { ...shown, ping, limits },
          { ...shown, ping, limits, expiresAt: 1_700_000_000_000 },
        ]);
      }
    }
  });

  it('of messages say what was meant, whatever stands in them', async () => {
    const epoch = fc.stringMatching(/^[\w.-]{1,20}$/);
    const position = fc.record({ epoch, seq: fc.nat() });
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            channel: name,
            id: name,
            from: name,
            data: fc.jsonValue(),
            placed: fc.option(fc.tuple(position, position)),
          }),
          { minLength: 1, maxLength: 8 },
        ),
        async (messages) => {
          const texts = messages.map(({ channel, id, from, data, placed }) =>
            messageFrame(messageHead(quote(channel)), {
              id: quote(id),
              from: quote(from),
              data: jsonToWire(data),
              ...(placed ? { position: placed[0], previous: placed[1] } : {}),
            }),
          );
          const expected = messages.map(({ channel, id, from, data, placed }) => ({
            type: 'message',
            channel,
            id,
            ...(placed ? { position: placed[0], previous: placed[1] } : {}),
            from,
            data,
          }));
          expect(JSON.stringify(await received(...texts))).toBe(JSON.stringify(expected));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of outcomes say what became of a publish', async () => {
    const id = quote('ïd "1"');
    const position = { epoch: 'e.1', seq: 7 };
    expect(
      await received(
        outcomeFrame(id, { kind: 'published', reached: 2, position, duplicate: false }),
        outcomeFrame(id, { kind: 'published', reached: 0, position, duplicate: true }),
        outcomeFrame(id, { kind: 'published', reached: 1, position: undefined, duplicate: false }),
        outcomeFrame(id, { kind: 'failed', code: 'unknown' }),
      ),
    ).toEqual([
      { type: 'published', id: 'ïd "1"', position, reached: 2 },
      { type: 'published', id: 'ïd "1"', position, reached: 0, duplicate: true },
      { type: 'published', id: 'ïd "1"', reached: 1 },
      { type: 'error', id: 'ïd "1"', code: 'unknown', message: ERRORS.unknown.means, retryable: true },
    ]);
    expect(
      await received(
        listFrame(
          quote('l'),
          ['bøb', 'eve', 'carol', 'dan'],
          [
            { kind: 'published', reached: 2, position, duplicate: false },
            { kind: 'failed', code: 'unavailable' },
            { kind: 'published', reached: 1, position, duplicate: true },
          ],
        ),
      ),
    ).toEqual([
      {
        type: 'published',
        id: 'l',
        reached: 3,
        results: [
          { to: 'bøb', reached: 2, position },
          { to: 'eve', error: { code: 'unavailable', message: ERRORS.unavailable.means } },
          { to: 'carol', reached: 1, position, duplicate: true },
          { to: 'dan', error: { code: 'internal', message: ERRORS.internal.means } },
        ],
      },
    ]);
  });

  it('of errors carry the catalogue’s word on whether to try again', async () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      expect(await received(errorFrame(code, 'wörds "quoted"'))).toEqual([
        { type: 'error', code, message: 'wörds "quoted"', retryable: ERRORS[code].retryable },
      ]);
    }
    expect(
      await received(
        errorFrame('rate_limited', 'slow', quote('é'), { channel: 'group:ü', retryAfterMs: 12 }),
      ),
    ).toEqual([
      {
        type: 'error',
        id: 'é',
        channel: 'group:ü',
        code: 'rate_limited',
        message: 'slow',
        retryable: true,
        retryAfterMs: 12,
      },
    ]);
  });
});
