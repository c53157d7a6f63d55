import type { ErrorCode, Position } from '@ringway/protocol';

/** What is published. `from`, `id` (JSON strings) and `data` are wire text. */
export interface Message {
  readonly from: string;
  readonly id: string;
  readonly data: string;
  /** At most once: not stored, no position, never retried. */
  readonly ephemeral: boolean;
}

/** A message on its way to one channel. */
export interface Publication extends Message {
  readonly channel: string;
  /** Called exactly once, unless {@link asker} is gone. Absent: no answer is asked for. */
  readonly done?: ((outcome: Outcome) => void) | undefined;
  /** The link on which another node waits for the answer. Once it is gone that node asks elsewhere. */
  readonly asker?: { readonly open: boolean } | undefined;
}

/** What became of a publication. */
export type Outcome =
  | {
      readonly kind: 'published';
      /** Sessions written to, as the home's table had it: a hint. Where nobody has a table, those of this node. */
      readonly reached: number;
      /** Absent for an ephemeral one, and where nodes share no log and no node is home. */
      readonly position: Position | undefined;
      readonly duplicate: boolean;
    }
  | { readonly kind: 'failed'; readonly code: ErrorCode };

/** A message to be handed to local sessions. Text as in {@link Publication}. */
export interface Delivery {
  readonly from: string;
  readonly id: string;
  readonly data: string;
  /** Both absent on an ephemeral message. */
  readonly position?: Position | undefined;
  readonly previous?: Position | undefined;
}

/**
 * What was missed and can be read. `start` differs from the position asked for where there is a gap between; `end` is
 * where the reader stands behind the messages, and may be in another epoch than `start` also where there are none.
 */
export interface History {
  readonly start: Position;
  readonly messages: readonly Delivery[];
  readonly end: Position;
}

/** A local session of a channel. */
export interface Subscriber {
  readonly userId: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** It stands once it is `open`. */
  readonly state: 'joining' | 'open' | 'closed';
}

/** When the first of some sessions began. */
export function earliest(subscribers: Iterable<Subscriber>): number | undefined {
  let since: number | undefined;
  for (const one of subscribers) if (since === undefined || one.since < since) since = one.since;
  return since;
}

/** What a router asks of the node that it serves: the local sessions. */
export interface LocalChannels {
  /**
   * Hands a message to the channel's local sessions; returns how many. Ignored where the channel is not held. `ordered`
   * says whether this node's own log gave the message its place.
   */
  deliver(channel: string, delivery: Delivery, ordered: 'here' | 'elsewhere'): number;
  /**
   * The stream of a subscribed channel goes on behind `start`. `goesOn` says that nothing lies between that and the
   * position that the sessions are at; where it is not known, what does is read by {@link Router.history}, and what cannot
   * be is lost to them: they are told a gap.
   */
  continueFrom(channel: string, start: Position, goesOn: boolean): void;
  /** {@link Router.congested} holds no more. */
  relieved(): void;
  /** Channels of which something is being read that their sessions have missed. */
  readonly reading: number;
  /** Where the channel's local sessions are at, as the home of now would say it; undefined while that is not known. */
  positionOf(channel: string): Position | undefined;
  /** Ends the local sessions of the channel's user. */
  kick(channel: string, banSeconds: number): void;
  /** The channel's local sessions, those that wait for the home too. */
  subscribersOf(channel: string): Iterable<Subscriber>;
  /** The channels that are subscribed here, with their position once known. */
  held(): Iterable<{
    readonly channel: string;
    readonly point: number;
    readonly position: Position | undefined;
    readonly sessions: number;
  }>;
}

/** Answer to a subscribe: one of the two, once. */
export interface SubscribeAnswer {
  /** The home knows; the stream begins behind this position. */
  accepted(start: Position): void;
  failed(): void;
}

/**
 * PORT. Carries messages between the nodes of a cluster.
 *
 * - `publish` answers `done` once, with `published` only when the message is stored (or, ephemeral or where there is
 *   nothing to store it in, was sent on); `unavailable` means that nothing was, `unknown` that it may have been.
 * - Publications of one node to one channel take effect in the order of the calls.
 * - After `subscribe` was accepted at a position, every message of the channel after it reaches
 *   {@link LocalChannels.deliver}, in order; a break in that is told by `continueFrom`. A failed subscribe leaves no trace.
 *   The answer is a callback, since the first message may follow it in the same turn of the event loop.
 * - A router that stores nothing numbers the messages of a channel as they come to this node, in an epoch that begins with
 *   the subscription and with every break. `history` finds nothing then, but where the channel is: who missed something is
 *   told a gap.
 * - The node subscribes a channel once, for however many sessions, which may be none; `resubscribe` says how many there
 *   are now, and costs nothing where that has not changed.
 */
export interface Router {
  publish(publication: Publication): void;
  /** One message to many channels: one frame a home, the payload once. `done` gets one outcome for each, in order. */
  publishMany(
    message: Message,
    channels: readonly string[],
    done?: (outcomes: readonly Outcome[]) => void,
  ): void;
  subscribe(channel: string, sessions: number, answer: SubscribeAnswer): void;
  resubscribe(channel: string, sessions: number): void;
  unsubscribe(channel: string): void;
  /** The way out is fuller than it should be: whoever publishes should be read no further until `relieved`. */
  readonly congested: boolean;
  /**
   * Messages after a position, from wherever the channel's log is. `claimed`: the position is the word of a client, who may
   * have made it up.
   */
  history(channel: string, since: Position, limit: number, claimed?: 'claimed'): Promise<History> | History;
  /** Ends all sessions of a user, wherever they are, and keeps the user out for some seconds. */
  kick(channel: string, banSeconds: number): void;
  /** The last messages. */
  recent(channel: string, count: number): Promise<History> | History;
  start(local: LocalChannels): Promise<void>;
  stop(): Promise<void>;
}
