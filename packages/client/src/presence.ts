import { type PresenceState, presenceChannel } from '@ringway/protocol';
import type { RingwayClient } from './client.ts';
import type { Message } from './events.ts';

export type { PresenceState } from '@ringway/protocol';

/** A watch that is under way. */
export interface PresenceWatch {
  /** Nothing more is told. May be called twice. */
  close(): void;
}

type Listener = (state: PresenceState) => void;

interface Watched {
  /** What was told last; undefined before the first word. */
  state: PresenceState | undefined;
  /** How things stand now is to be told: by the state that comes right behind `joined`. */
  awaits: boolean;
  readonly listeners: Set<Listener>;
}

/** What is watched by one client: two watches of one user are one channel. */
class Watches {
  readonly #client: RingwayClient;
  readonly #watched = new Map<string, Watched>();
  #deafen: (() => void) | undefined;

  constructor(client: RingwayClient) {
    this.#client = client;
  }

  async add(channel: string, listener: Listener): Promise<void> {
    this.#listen();
    const known = this.#watched.get(channel);
    if (known?.state) listener(known.state);
    const watched = known ?? { state: undefined, awaits: true, listeners: new Set() };
    watched.listeners.add(listener);
    this.#watched.set(channel, watched);
    await this.#client.join(channel);
  }

  remove(channel: string, listener: Listener): void {
    const watched = this.#watched.get(channel);
    if (!watched?.listeners.delete(listener) || watched.listeners.size > 0) return;
    this.#watched.delete(channel);
    this.#client.leave(channel);
    if (this.#watched.size > 0) return;
    this.#deafen?.();
    this.#deafen = undefined;
  }

  #listen(): void {
    if (this.#deafen) return;
    const stops = [
      this.#client.on('message', (message) => this.#take(message)),
      this.#client.on('gap', ({ channel }) => this.#again(channel)),
    ];
    this.#deafen = () => {
      for (const stop of stops) stop();
    };
  }

  #take({ channel, position, data }: Message): void {
    const watched = this.#watched.get(channel);
    // whoever has joined again reads on from where it was: the state of now would come before what led to it
    if (!watched || (position === undefined && !watched.awaits)) return;
    const state = data as PresenceState;
    const isNews = watched.state?.online !== state.online;
    watched.awaits = false;
    watched.state = state;
    if (isNews) for (const listener of [...watched.listeners]) listener(state);
  }

  /** What was said is lost: begins anew, with how things stand now. */
  #again(channel: string): void {
    const watched = this.#watched.get(channel);
    if (!watched) return;
    watched.awaits = true;
    this.#client.leave(channel);
    // refused for good: the right to it has ended, and nothing more comes
    this.#client.join(channel).catch(() => {});
  }
}

const watches = new WeakMap<RingwayClient, Watches>();

/**
 * Tells whether each of the users is online: once as things stand, then whenever it changes. Needs `user:<id>` of each in
 * `cap.presence`. Over reconnects and moves, of this client and of the users, nothing is told twice and nothing in vain.
 *
 * Resolves when all are watched; rejects with the `JoinRefusedError` of one that is refused, and then watches none. Ends with its
 * own `close()`: it is silent after `client.close()`, and goes on with the next `connect()` as the same user.
 */
export async function watchPresence(
  client: RingwayClient,
  users: readonly string[],
  listener: (state: PresenceState) => void,
): Promise<PresenceWatch> {
  const mine = watches.get(client) ?? new Watches(client);
  watches.set(client, mine);
  const channels = [...new Set(users.map(presenceChannel))];
  // one and the same function may be given twice
  const tell: Listener = (state) => listener(state);
  const close = (): void => {
    for (const channel of channels) mine.remove(channel, tell);
  };
  try {
    await Promise.all(channels.map((channel) => mine.add(channel, tell)));
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}
