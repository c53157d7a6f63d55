import { CLUSTER_SENDER, type PresenceState } from '@ringway/protocol';
import { jsonToWire, quote } from '../../text.ts';
import type { Message, Outcome } from '../port.ts';

const SENDER = quote(CLUSTER_SENDER);

/** After so long what could not be stored is tried again, in milliseconds. */
const AGAIN_MS = 500;

/** What {@link Announcements} are made with. */
export interface AnnouncementsOptions {
  /** Unique over all starts of all nodes. */
  readonly idPrefix: string;
  readonly now: () => number;
  /** Appends to a channel of this node's home; fails where that is not its home. `done` is called once. */
  readonly publish: (channel: string, message: Message, done: (outcome: Outcome) => void) => void;
}

interface Announcement {
  /** What is to be said last. */
  state: PresenceState;
  readonly id: string;
  /** What is being stored now; undefined while that waits to be tried again. */
  saying: PresenceState | undefined;
  againAt: number;
}

/**
 * Publishes the states of users, those of one channel one after the other, so that a slow log cannot turn them round. What
 * could not be stored is tried again, with the same id, until it is, or a newer state has taken its place.
 */
export class Announcements {
  private readonly options: AnnouncementsOptions;
  private readonly open = new Map<string, Announcement>();
  private ids = 0;

  constructor(options: AnnouncementsOptions) {
    this.options = options;
  }

  say(channel: string, state: PresenceState): void {
    const open = this.open.get(channel);
    if (open?.saying) open.state = state;
    else this.begin(channel, state);
  }

  /** Nobody listens any more, or another node speaks now. */
  drop(channel: string): void {
    this.open.delete(channel);
  }

  /** To be called again and again: tries again what could not be stored. */
  sweep(): void {
    const now = this.options.now();
    for (const [channel, one] of this.open)
      if (one.saying === undefined && one.againAt <= now) this.publish(channel, one);
  }

  private begin(channel: string, state: PresenceState): void {
    const id = quote(`${this.options.idPrefix}p${(this.ids++).toString(36)}`);
    const one: Announcement = { state, id, saying: undefined, againAt: 0 };
    this.open.set(channel, one);
    this.publish(channel, one);
  }

  private publish(channel: string, one: Announcement): void {
    const { state, id } = one;
    one.saying = state;
    const message = { from: SENDER, id, data: jsonToWire(state), ephemeral: false };
    this.options.publish(channel, message, ({ kind }) => {
      one.saying = undefined;
      if (this.open.get(channel) !== one) return;
      if (one.state !== state) {
        this.open.delete(channel);
        // whether the one before was stored or not, this is what is true now
        if (kind === 'failed' || one.state.online !== state.online) this.begin(channel, one.state);
      } else if (kind === 'published') this.open.delete(channel);
      else one.againAt = this.options.now() + AGAIN_MS;
    });
  }
}
