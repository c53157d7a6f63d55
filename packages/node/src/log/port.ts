import type { Position } from '@ringway/protocol';

/** What is stored of a message. `from`, `id` and `data` are wire text. */
export interface LogMessage {
  /** With `id`, each as a JSON string: what dedupe goes by. */
  readonly from: string;
  readonly id: string;
  readonly data: string;
  /** False where no repeat can come, because the id was made by the entry node for a publish that asked for no answer. */
  readonly dedupe: boolean;
}

/** A message with its place. `previous` is the position of the message before it in the channel. */
export interface LoggedMessage extends LogMessage {
  readonly position: Position;
  readonly previous: Position;
}

/** Outcome of an append. */
export type Appended =
  | { readonly kind: 'appended'; readonly message: LoggedMessage }
  /** The same (from, id) was stored before, with the same data: this is where. */
  | { readonly kind: 'duplicate'; readonly position: Position }
  /** The same (from, id) was stored before, with other data. Nothing was stored. */
  | { readonly kind: 'conflict' };

/**
 * What a channel holds after a position. `start` is where the messages begin: `messages[0].previous`, or `end` when there
 * are none. Where `start` is not the position asked for, what lies between cannot be read any more: a gap. `end` is where
 * the reader stands behind the messages. It is `start` when there are none, unless the log goes on in a new epoch from the
 * very position asked for: then nothing was missed, and `end` is the beginning of that epoch. `more` says that the epoch goes
 * on behind the messages.
 */
export interface LogRead {
  readonly start: Position;
  readonly messages: readonly LoggedMessage[];
  readonly end: Position;
  readonly more: boolean;
}

/** The log has refused, and nothing was stored. Any other rejection of an append leaves open whether it was. */
export class LogRefusedError extends Error {
  override readonly name = 'LogRefusedError';
  readonly code = 'log_refused';
}

/**
 * PORT. The log of channels, written by a channel's home alone.
 *
 * - An append gives the message the next position of its channel, or finds that it is there already. Appends to one
 *   channel take effect in the order of the calls.
 * - `head` is the position of the last message, or the place before the first. Every channel has one, also a channel
 *   that nobody has written to.
 * - `read` gives messages in order, each one's `previous` being the one before, without holes.
 * - `known`, and the position that a read begins at, is the highest one that the caller knows of. A log that is behind it
 *   (it has lost what it had acknowledged) begins a new epoch in that very step: nothing new is taken for a repeat, and
 *   readers of the epoch before are told a gap.
 * - An adapter bounds what it keeps; what it has dropped shows as a gap, never as silence.
 * - Answers come as a value where the adapter has it at hand (memory), else as a promise. A promise is rejected with
 *   {@link LogRefusedError} when nothing was stored, with anything else when the outcome is not known.
 * - Whoever made the log closes it.
 */
export interface LogBase {
  head(channel: string, known?: Position): Position | Promise<Position>;
  append(channel: string, message: LogMessage, known?: Position): Appended | Promise<Appended>;
  /** `since` undefined: from the oldest kept message on. At most `limit` messages, the first ones; fewer where they are long. */
  read(channel: string, since: Position | undefined, limit: number): LogRead | Promise<LogRead>;
  /** The last `count` messages; the first of those where they are long. */
  tail(channel: string, count: number): LogRead | Promise<LogRead>;
  close(): Promise<void>;
}

/** A log that every node reaches: positions outlive a change of home. */
export interface SharedLog extends LogBase {
  readonly shared: true;
  head(channel: string, known?: Position): Promise<Position>;
  append(channel: string, message: LogMessage, known?: Position): Promise<Appended>;
  /** `claimed`: the position is the word of a client, who may have made it up. It says nothing of what the log has lost. */
  read(channel: string, since: Position | undefined, limit: number, claimed?: 'claimed'): Promise<LogRead>;
  tail(channel: string, count: number): Promise<LogRead>;
}

/**
 * A log that each home keeps for itself. Its epochs belong to the home; with a planned change a channel goes on in an epoch
 * of the new home, and the old one's messages can be read there for as long as it keeps them.
 */
export interface OwnLog extends LogBase {
  readonly shared: false;
  head(channel: string): Position;
  append(channel: string, message: LogMessage): Appended;
  /**
   * `closedBy` is the node that says that it was the channel's home, and that its epoch ended at `since`. Where this log's
   * epoch follows that node's, the reader has missed nothing, and gets this epoch from its beginning.
   */
  read(channel: string, since: Position | undefined, limit: number, closedBy?: string): LogRead;
  tail(channel: string, count: number): LogRead;
  neighbours(channel: string): Neighbours;
}

/** What is known, by the ring, of the epochs about the one that a log keeps of a channel. */
export interface Neighbours {
  /** The node whose epoch came before. */
  readonly follows?: string;
  /** The node whose epoch came next; absent while it is the present one. */
  readonly next?: string;
  /** How long ago the epoch ended, or, while it is the present one, began. Whole milliseconds. */
  readonly forMs?: number;
}

export type Log = SharedLog | OwnLog;
