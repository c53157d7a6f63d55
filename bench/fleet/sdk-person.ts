import { RingwayClient, type WebSocketClass } from '@ringway/client';
import type { Position } from '@ringway/protocol';
import { WebSocket } from 'ws';
import type { Person, PersonEvents, Word } from './words.ts';

/** Someone with Ringway's SDK at its default settings. */
export class SdkPerson implements Person {
  readonly name: string;
  readonly #client: RingwayClient;
  #node = '';

  constructor(name: string, locator: string, token: string, events: PersonEvents) {
    this.name = name;
    class Seen extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { perMessageDeflate: false });
        // the first frame is the welcome
        this.once('message', () => events.stood());
      }
    }
    this.#client = new RingwayClient({
      locator,
      getToken: () => token,
      WebSocket: Seen as unknown as WebSocketClass,
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
