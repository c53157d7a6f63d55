import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PresenceState } from '@ringway/protocol';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { streamPresence } from '../src/http/presence-stream.ts';
import type { PresenceListener } from '../src/router/presence/port.ts';
import { waitFor } from './support/cluster.ts';

const state = (i: number, online = true): PresenceState => ({ userId: `${'x'.repeat(200)}-${i}`, online });

/** A listener that serves one kind of stream, and those who read it. */
class Streams implements AsyncDisposable {
  readonly listeners = new Set<PresenceListener>();
  readonly closed: string[] = [];
  private readonly snapshot: () => Iterable<PresenceState>;
  private readonly server: Server;

  constructor(snapshot: () => Iterable<PresenceState>) {
    this.snapshot = snapshot;
    this.server = createServer((_request, response) => {
      streamPresence(response, 'node-1', (listener) => {
        this.listeners.add(listener);
        const close = (why: string): void => {
          if (this.listeners.delete(listener)) this.closed.push(why);
        };
        return { snapshot: this.snapshot, close };
      });
    });
  }

  async open(): Promise<IncomingMessage> {
    if (!this.server.listening) await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    const { port } = this.server.address() as AddressInfo;
    return new Promise((resolve, reject) => get({ port, agent: false }, resolve).on('error', reject));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

describe('a stream of presence events', () => {
  it('takes a long snapshot as the reader takes it, and mixes what comes meanwhile in', async () => {
    let made = 0;
    function* many(): Iterable<PresenceState> {
      for (; made < 50_000; made++) yield state(made);
    }
    await using streams = new Streams(many);
    const answer = await streams.open();
    // most of it is not made before somebody wants it
    expect(made).toBeLessThan(50_000);
    for (const listener of streams.listeners) listener.changed(state(7, false));
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) {
      text += chunk as string;
      if (text.includes('event: synced')) break;
    }
    expect(text.match(/"snapshot":true/g)).toHaveLength(50_000);
    expect(text).toContain('"online":false');
    expect(text.indexOf('"online":false')).toBeLessThan(text.indexOf('event: synced'));
    answer.destroy();
    await waitFor(() => streams.closed.includes('left'), 'the following to end');
  });

  it('is ended when its reader takes too little, and others are not', async () => {
    await using streams = new Streams(() => []);
    const [slow, reader] = [await streams.open(), await streams.open()];
    let read = 0;
    reader.on('data', (chunk: Buffer) => {
      read += chunk.length;
    });
    slow.pause();
    slow.on('error', () => {});
    let told = 0;
    // far more than the buffers of two sockets hold
    while (!streams.closed.includes('slow') && told < 400_000) {
      for (let i = 0; i < 1_000; i++)
        for (const listener of streams.listeners) listener.changed(state(told++));
      const sent = read;
      await waitFor(() => read > sent, 'the other to read on');
    }
    expect(streams.closed).toEqual(['slow']);
    expect(told).toBeGreaterThan(10_000);
  });

  it('says every 15 seconds that it lives', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    await using streams = new Streams(() => []);
    const answer = await streams.open();
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    answer.on('error', () => {});
    await waitFor(() => text.includes('synced'), 'the beginning');
    vi.advanceTimersByTime(30_000);
    await waitFor(() => text.endsWith('\n\n:\n\n:\n\n'), 'two comments');
  });

  it('ends when the node says so', async () => {
    await using streams = new Streams(() => []);
    const answer = await streams.open();
    expect(answer.headers['content-type']).toBe('text/event-stream');
    for (const listener of streams.listeners) listener.ended();
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += chunk as string;
    expect(text).toBe('event: synced\ndata: {"nodeId":"node-1"}\n\n');
    expect(streams.closed).toEqual(['left']);
  });
});
