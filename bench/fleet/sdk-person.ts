import { RingwayClient, type WebSocketClass } from '@ringway/client';
import type { Position } from '@ringway/protocol';
import { WebSocket } from 'ws';
import { leanFetch } from './lean-fetch.ts';
import type { Person, PersonEvents, Word } from './words.ts';

/** Makes plain sockets, all of one shape, and tells when the welcome has come. */
function seenBy(events: PersonEvents): WebSocketClass {
  function Seen(url: string, protocols: string[]): WebSocket {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false });
    socket.once('message', () => events.stood());
    return socket;
  }
  return Seen as unknown as WebSocketClass;
}

/** Someone with Ringway's SDK at its default settings. */
export class SdkPerson implements Person {
  readonly name: string;
  readonly #client: RingwayClient;
  #node = '';

  constructor(name: string, locator: string, token: string, events: PersonEvents) {
    this.name = name;
    this.#client = new RingwayClient({
      locator,
      getToken: () => token,
      fetch: leanFetch,
      WebSocket: seenBy(events),
    });
    this.#client.on('message', ({ data }) => events.heard(data as Word));
    this.#client.on('gap', ({ after, upTo }) => events.gap(after, upTo));
    this.#client.on('error', () => {}); // an attempt that failed; what comes of it is what counts
    this.#client.on('state', ({ old, new: now }) => {
      if (now === 'connected') events.back();
      else if (old === 'connected') events.away();
    });
  }

  get node(): string {
    const { session } = this.#client;
    if (session) this.#node = session.nodeId;
    return this.#node;
  }

  get connected(): boolean {
    return this.#client.state === 'connected';
  }

  async connect(): Promise<void> {
    await this.#client.connect();
  }

  async publish(to: string, word: Word): Promise<Position | undefined> {
    return (await this.#client.publish(`user:${to}`, word)).position;
  }

  close(): void {
    void this.#client.close();
  }
}
