import { type Position, samePosition } from '@ringway/protocol';
import type { LogRead, SharedLog } from '../../log/port.ts';
import type { Delivery, History, LocalChannels } from '../port.ts';
import type { Item, Parcel } from './port.ts';
import { RecentIds } from './recent-ids.ts';

export interface StreamsOptions {
  /** Undefined where nodes share none: then messages have no place but the one that this node gives them. */
  readonly log: SharedLog | undefined;
  /** Names this start of the node; never the same twice. */
  readonly incarnation: string;
  readonly local: LocalChannels;
}

/** A channel that is held here. */
export interface Stream {
  readonly channel: string;
  sessions: number;
  /** The last message that was handed on; undefined before the subscription was accepted. */
  at: Position | undefined;
  /** What came before its turn: its predecessor is on its way from another node, or lost. */
  early: Delivery[];
  reading: boolean;
  /** More came early than is kept. */
  overflown: boolean;
  /** The log has come so far, as somebody has said. */
  wanted: Position | undefined;
  /** Something came since the last look into the log. */
  heard: boolean;
  patience: NodeJS.Timeout | undefined;
}

/** Messages read at a time. */
const PAGE = 256;
/** How long a predecessor that another node has sent may be on its way before the log is read, in milliseconds. */
const PATIENCE_MS = 200;
/** So many may wait for their predecessor before the log is read at once, and so many at all. */
const MANY_EARLY = 1_024;
const MOST_EARLY = 4_096;
/** Reads of the log at a time, when all channels are looked at. */
const READS_AT_ONCE = 32;
const RECENT_IDS = 50_000;

/**
 * The channels that this node holds, as their messages come from a bus: puts what the log has ordered into its order, reads
 * what is missing, drops what came before.
 *
 * Without a log each channel is numbered here, in an epoch that begins with the subscription and with every break: nothing
 * can be read again, but who was away sees by the number that something is missing.
 */
export class Streams {
  private readonly options: StreamsOptions;
  private readonly streams = new Map<string, Stream>();
  private readonly recent = new RecentIds(RECENT_IDS);
  /** Channels to be compared with the log. */
  private readonly doubtful = new Set<Stream>();
  private looking = 0;
  private round: Iterator<Stream> | undefined;
  private epochs = 0;
  /** Messages that had come before. */
  repeats = 0;
  /** Items for channels that nobody holds here. */
  foreign = 0;

  constructor(options: StreamsOptions) {
    this.options = options;
  }

  get(channel: string): Stream | undefined {
    return this.streams.get(channel);
  }

  values(): Iterable<Stream> {
    return this.streams.values();
  }

  add(channel: string, sessions: number): Stream {
    const rest = { at: undefined, early: [], reading: false, overflown: false, heard: false };
    const stream: Stream = { channel, sessions, ...rest, wanted: undefined, patience: undefined };
    this.streams.set(channel, stream);
    return stream;
  }

  remove(channel: string): void {
    const stream = this.streams.get(channel);
    if (!stream) return;
    clearTimeout(stream.patience);
    this.streams.delete(channel);
    this.doubtful.delete(stream);
  }

  /** The stream begins: what came meanwhile follows once `accepted` was told. */
  begin(stream: Stream, start: Position, accepted: () => void): void {
    stream.at = start;
    accepted();
    this.drain(stream);
  }

  /** The place before the first message, where there is no log. */
  freshStart(): Position {
    return { epoch: `${this.options.incarnation}.${(this.epochs++).toString(36)}`, seq: 0 };
  }

  /** One item of a parcel. False: nobody holds the channel. */
  take({ channel, kind, position, previous }: Item, { from, id, data }: Parcel['message']): boolean {
    const stream = this.streams.get(channel);
    if (!stream) {
      this.foreign++;
      return false;
    }
    const { local } = this.options;
    switch (kind) {
      case 'ephemeral':
        if (stream.at) local.deliver(channel, { from, id, data }, 'elsewhere');
        break;
      case 'unlogged': {
        if (this.recent.seen(`${channel} ${from}${id}`)) this.repeats++;
        else if (stream.at) {
          const { epoch, seq } = stream.at;
          this.hand(stream, { from, id, data, position: { epoch, seq: seq + 1 }, previous: stream.at });
        }
        break;
      }
      case 'logged':
        if (position && previous) this.place(stream, { from, id, data, position, previous });
        break;
      case 'behind':
        if (position) this.expect(stream, position);
        break;
      default:
      // of a later version, or not about a channel
    }
    return true;
  }

  /** What can be read where there is no log: nothing, but where the channel is. */
  unlogged(channel: string, since: Position | undefined): History {
    const at = this.streams.get(channel)?.at ?? since ?? this.freshStart();
    return { start: at, messages: [], end: at };
  }

  /** Something may have been missed on every channel. */
  doubtAll(): void {
    const { log, local } = this.options;
    for (const stream of this.streams.values()) {
      if (!stream.at) stream.overflown = true;
      else if (log) this.doubtful.add(stream);
      else {
        stream.at = this.freshStart();
        local.continueFrom(stream.channel, stream.at, false);
      }
    }
    this.lookOn();
  }

  /** Compares some channels with the log, those that have been silent since the last time. */
  check(count: number): void {
    if (!this.options.log) return;
    for (let left = Math.min(count, this.streams.size); left > 0; left--) {
      this.round ??= this.streams.values();
      const next = this.round.next();
      if (next.done) {
        this.round = undefined;
        break;
      }
      const stream = next.value;
      if (!stream.heard && stream.at) this.doubtful.add(stream);
      stream.heard = false;
    }
    this.lookOn();
  }

  stop(): void {
    for (const stream of this.streams.values()) clearTimeout(stream.patience);
    this.streams.clear();
    this.doubtful.clear();
  }

  private lookOn(): void {
    for (const stream of this.doubtful) {
      if (this.looking >= READS_AT_ONCE) return;
      this.doubtful.delete(stream);
      this.compare(stream);
    }
  }

  private compare(stream: Stream): void {
    const { log } = this.options;
    if (!log || !stream.at) return;
    this.looking++;
    const done = (): void => {
      this.looking--;
      this.lookOn();
    };
    log.head(stream.channel, stream.at).then(
      (head) => {
        this.expect(stream, head);
        done();
      },
      // a later check comes back to it
      done,
    );
  }

  /** The log has come to a position: what is missing may be on its way, and is read if it does not come. */
  private expect(stream: Stream, position: Position): void {
    if (!stream.at || isPast(position, stream.at)) return;
    stream.wanted = position;
    this.awaitPredecessor(stream);
  }

  /** One that the log has given a place. */
  private place(stream: Stream, delivery: Delivery): void {
    const { at } = stream;
    const { position, previous } = delivery;
    stream.heard = true;
    if (!at || stream.reading) return this.keep(stream, delivery);
    if (previous && samePosition(previous, at)) {
      this.hand(stream, delivery);
      if (stream.early.length > 0) this.drain(stream);
    } else if (position && isPast(position, at)) this.repeats++;
    else this.keep(stream, delivery);
  }

  private keep(stream: Stream, delivery: Delivery): void {
    if (stream.early.length < MOST_EARLY) stream.early.push(delivery);
    else stream.overflown = true;
    if (stream.at && !stream.reading) this.awaitPredecessor(stream);
  }

  private awaitPredecessor(stream: Stream): void {
    if (stream.early.length >= MANY_EARLY) return this.look(stream);
    // behind what has come meanwhile: this process may be the one that is late
    stream.patience ??= setTimeout(() => setImmediate(() => this.lookFor(stream)), PATIENCE_MS);
  }

  private lookFor(stream: Stream): void {
    const { early, overflown, wanted, at } = stream;
    const missed = early.length > 0 || overflown || (wanted && at && !isPast(wanted, at));
    stream.wanted = undefined;
    if (missed && this.streams.get(stream.channel) === stream) this.look(stream);
    else stream.patience = undefined;
  }

  private hand(stream: Stream, delivery: Delivery): void {
    stream.at = delivery.position;
    this.options.local.deliver(stream.channel, delivery, 'elsewhere');
  }

  /** Hands on what has its predecessor now. */
  private drain(stream: Stream): void {
    const waiting = stream.early.sort((a, b) => (a.position?.seq ?? 0) - (b.position?.seq ?? 0));
    stream.early = [];
    for (const delivery of waiting) {
      const { position, previous } = delivery;
      if (!stream.at || !position || !previous) continue;
      if (samePosition(previous, stream.at)) this.hand(stream, delivery);
      else if (isPast(position, stream.at)) this.repeats++;
      else stream.early.push(delivery);
    }
    if (stream.early.length > 0 || stream.overflown) this.awaitPredecessor(stream);
  }

  /** Reads what the log holds behind the stream, until it holds no more. */
  private look(stream: Stream): void {
    const { log } = this.options;
    const since = stream.at;
    clearTimeout(stream.patience);
    stream.patience = undefined;
    if (!log || !since || stream.reading) return;
    stream.reading = true;
    log.read(stream.channel, since, PAGE).then(
      (read) => {
        stream.reading = false;
        if (this.streams.get(stream.channel) === stream) this.took(stream, since, read);
      },
      () => {
        // a later check, or the next message, comes back to it
        stream.reading = false;
      },
    );
  }

  private took(stream: Stream, since: Position, { start, messages, end, more }: LogRead): void {
    const { local } = this.options;
    if (!samePosition(start, since)) {
      stream.at = start;
      local.continueFrom(stream.channel, start, false);
    }
    for (const message of messages) this.hand(stream, message);
    if (messages.length === 0 && !samePosition(end, start)) {
      stream.at = end;
      local.continueFrom(stream.channel, end, true);
    }
    const found = messages.length > 0 || !samePosition(end, since);
    // what is early and not even in the log is of a log that has lost it
    if (!found) stream.early = stream.early.filter(({ previous }) => previous && samePosition(previous, end));
    const { overflown } = stream;
    stream.overflown = false;
    this.drain(stream);
    if (more || overflown) this.look(stream);
  }
}

/** Not behind `at`, as far as that can be said. */
function isPast(position: Position, at: Position): boolean {
  return position.epoch === at.epoch && position.seq <= at.seq;
}
