/** One message as a queue delivered it. What else an adapter needs to settle it, it keeps in the object. */
export interface Delivery {
  /**
   * The same at every delivery of this message, unlike that of any other message of the queue; it becomes the id of what
   * is published. Undefined where the queue has none: then the mapping must name one.
   */
  readonly id: string | undefined;
  /** Where it stood, for people: `orders/3@17`. */
  readonly origin: string;
  /** The event, as it was sent. Undefined where the message holds none. */
  readonly body: Buffer | undefined;
}

/** Why a message is set aside. */
export interface Refusal {
  /** One of a small set: it becomes the label of a metric. */
  readonly reason: string;
  /** For people. */
  readonly detail: string;
}

/** What an adapter tells while it works. */
export interface SourceHooks {
  /** Something went wrong that the adapter lives with; it tries again. `doing` is one of a small set. */
  failed(doing: string, error: unknown): void;
  /** Messages came again that someone (this process before, or another one) had taken and not settled. */
  redelivered(count: number): void;
}

/**
 * PORT: a queue that is read as one of a group of readers.
 *
 * Time
 * - `start` is called once, before anything else. It begins to connect and returns at once. From then until `close` the
 *   adapter is connected or tries to be, for ever, with full jitter; an outage rejects nothing.
 * - `connected` tells whether it is now.
 * - `pause` is called once before `close`: what is unread is read no more, and a `read` under way resolves with nothing.
 *   Settling goes on.
 * - `close` hands every message that is not settled back to the queue, as far as the queue knows such a thing, says what
 *   has been acknowledged and not yet said, leaves the group and ends the connections. It resolves within about
 *   a second, whatever the queue does, and never rejects.
 *
 * Reading
 * - `read(max)` resolves with 1 to `max` messages in the queue's order as soon as there is one; with none only after
 *   `pause`. It is called again after it has resolved, never beside itself. It never rejects.
 * - The messages that were read and not settled, with those that the adapter took in advance, are about `maxInFlight` of
 *   its options at most; those that are read again after an outage come on top.
 * - A message that was delivered and not settled comes again: after a lost connection, after the death of its reader, after
 *   a rebalance. Between two deliveries of one message the order of the queue is repeated from there, so that whoever
 *   publishes in the order of reading, and drops ids that were there before, keeps the order.
 * - A message that this adapter holds unsettled is delivered again only when the queue may have given it to others.
 *
 * Settling, each message once, in any order
 * - `acknowledge` says to the queue that it is done with. It returns at once, and never throws: when it cannot be said any
 *   more, the message comes again. Nothing is ever acknowledged to the queue, by position either, before this was
 *   called for it.
 * - `setAside` stores the message with the refusal where people find it, and when that is certain, acknowledges it. It
 *   rejects when it is not certain; then it may be called again, and the message may be stored twice, but is never lost.
 *
 * Telling
 * - `lag` is how many messages of this reader's share are waiting in the queue or not settled. It rejects while that cannot be asked.
 */
export interface Source {
  readonly connected: boolean;
  start(): void;
  read(max: number): Promise<readonly Delivery[]>;
  acknowledge(delivery: Delivery): void;
  setAside(delivery: Delivery, refusal: Refusal): Promise<void>;
  lag(): Promise<number>;
  pause(): void;
  close(): Promise<void>;
}
