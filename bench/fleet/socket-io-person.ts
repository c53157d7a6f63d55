import { io, type Socket } from 'socket.io-client';
import type { Person, PersonEvents, Word } from './words.ts';

/** Someone with Socket.IO's client at its default settings, behind a balancer that goes round: another node each time. */
export class SocketIoPerson implements Person {
  readonly name: string;
  readonly #nodes: readonly string[];
  readonly #socket: Socket;
  #at: number;

  constructor(name: string, nodes: readonly string[], first: number, events: PersonEvents) {
    this.name = name;
    this.#nodes = nodes;
    this.#at = first % nodes.length;
    this.#socket = io(this.node, {
      transports: ['websocket'],
      autoConnect: false,
      forceNew: true,
      query: { user: name },
    });
    this.#socket.on('m', (word: Word) => events.heard(word));
    this.#socket.on('connect', () => {
      events.stood();
      events.back();
    });
    this.#socket.on('disconnect', () => events.away());
    this.#socket.io.on('reconnect_attempt', () => {
      this.#at = (this.#at + 1) % nodes.length;
      // as its documentation does it for an address that changes
      (this.#socket.io as unknown as { uri: string }).uri = this.node;
    });
  }

  get node(): string {
    return this.#nodes[this.#at] ?? '';
  }

  get connected(): boolean {
    return this.#socket.connected;
  }

  connect(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once('connect', resolve);
      this.#socket.connect();
    });
  }

  publish(to: string, word: Word): Promise<undefined> {
    return new Promise((resolve) => {
      this.#socket.emit('m', to, word, () => resolve(undefined));
    });
  }

  close(): void {
    this.#socket.disconnect();
  }
}
