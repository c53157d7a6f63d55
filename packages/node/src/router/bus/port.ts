import type { Position } from '@ringway/protocol';
import type { Message } from '../port.ts';

/** What one channel gets of a parcel. */
export interface Item {
  readonly channel: string;
  /**
   * `logged`: stored, with its place. `unlogged`: there is no log that nodes share, so it has no place. `ephemeral`: never to
   * have one. `behind`: no message, but the log has come to `position`. `kick`: to all nodes, ends the user's sessions.
   */
  readonly kind: 'logged' | 'unlogged' | 'ephemeral' | 'behind' | 'kick';
  readonly position?: Position | undefined;
  readonly previous?: Position | undefined;
  readonly banSeconds?: number | undefined;
}

/** One message and the channels that get it. */
export interface Parcel {
  readonly message: Pick<Message, 'from' | 'id' | 'data'>;
  readonly items: readonly Item[];
}

/** What a bus asks of the node that it serves. */
export interface BusUser {
  onParcel(parcel: Parcel): void;
  /** Parcels may have been missed: whatever is held here is to be looked at. */
  onBreak(): void;
  /** The channels that have subscribers here, with how many. */
  held(): Iterable<{ readonly channel: string; readonly sessions: number }>;
}

/**
 * PORT. Carries parcels to the nodes that may have subscribers of their channels, this one included.
 *
 * - Parcels of one node arrive in the order of the calls, each at most once.
 * - `send` resolves once the parcel is on its way, with the sessions that each item will reach; undefined where the bus
 *   does not know. It rejects with LogRefusedError when nobody gets it, with anything else when somebody may.
 * - After `register` has resolved every parcel for the channel comes here, until `unregister`; a break is told by
 *   {@link BusUser.onBreak}. Calls for one channel take effect in their order.
 */
export interface Bus {
  readonly connected: boolean;
  start(user: BusUser): Promise<void>;
  send(parcel: Parcel): Promise<readonly number[] | undefined>;
  register(channel: string, sessions: number): Promise<void>;
  setSessions(channel: string, sessions: number): void;
  unregister(channel: string): void;
  stop(): Promise<void>;
}
