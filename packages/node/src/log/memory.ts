import { type Position, samePosition } from '@ringway/protocol';
import type { Appended, LoggedMessage, LogMessage, LogRead, Neighbours, OwnLog } from './port.ts';
import type { TenureOf } from './tenures.ts';

/** Names the epochs of channels: for each, the time for which its home has been this one without a break. */
export interface Epochs {
  /** Counts up whenever the epoch of some channel may have changed. */
  readonly version: number;
  epochOf(channel: string): string;
  /** Its `number` is the {@link version} with which the channel's epoch began. */
  tenureOf(channel: string): TenureOf;
}

/** Bounds of the memory log. All of them hold at once. */
export interface MemoryLogOptions {
  readonly epochs: Epochs;
  /** Most messages kept for a channel. */
  readonly channelMessages: number;
  /** Most bytes kept over all channels, as an estimate of what they take in memory. */
  readonly totalBytes: number;
  /** Age after which a message is dropped, in milliseconds. */
  readonly retentionMs: number;
  /** Most channels whose place is remembered. */
  readonly channels: number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

interface Entry extends LoggedMessage {
  /** Whole milliseconds. */
  readonly at: number;
}

/** What an entry takes beside its text: the object, its place in the queue, the dedupe index. */
const ENTRY_BYTES = 200;

/** So many of the oldest channels are looked at for an empty one when one has to be forgotten. */
const LOOK_FOR_EMPTY = 32;

function bytesOf(entry: LogMessage): number {
  return ENTRY_BYTES + entry.from.length + 2 * entry.id.length + entry.data.length;
}

/** One channel: its messages in a queue that drops from its front without moving the rest. */
class ChannelLog {
  head: Position;
  /** Where the record began. */
  readonly begin: Position;
  /** {@link Epochs.version} at which the epoch was last found to be the present one. */
  epochsVersion: number;
  private entries: (Entry | undefined)[] = [];
  private first = 0;
  /**
   * (from, id) -> seq, of what can be repeated. Two generations, the older dropped as a whole when the younger has
   * outlived every message that it held: a map that is written to and deleted from for each message would cost more
   * than the message.
   */
  private young: Map<string, number> | undefined;
  private old: Map<string, number> | undefined;
  private youngSince: number;

  constructor(head: Position, epochsVersion: number) {
    this.head = head;
    this.begin = head;
    this.epochsVersion = epochsVersion;
    this.youngSince = head.seq;
  }

  get count(): number {
    return this.entries.length - this.first;
  }

  at(i: number): Entry {
    return this.entries[this.first + i] as Entry;
  }

  push(entry: Entry, key: string): void {
    this.head = entry.position;
    this.entries.push(entry);
    if (key === '') return;
    if (this.count > 0 && this.at(0).position.seq > this.youngSince && this.young) {
      this.old = this.young;
      this.young = undefined;
    }
    if (!this.young) {
      this.young = new Map();
      this.youngSince = entry.previous.seq;
    }
    this.young.set(key, entry.position.seq);
  }

  /** Where the message of this key stands; undefined when it was never here, or long ago. */
  seqOf(key: string): number | undefined {
    return this.young?.get(key) ?? this.old?.get(key);
  }

  /** The kept message at a place; undefined when it was dropped. */
  find(seq: number): Entry | undefined {
    const oldest = this.count > 0 ? this.at(0).position.seq : Number.POSITIVE_INFINITY;
    return seq >= oldest ? this.at(seq - oldest) : undefined;
  }

  dropFirst(): Entry {
    const entry = this.at(0);
    this.entries[this.first++] = undefined;
    if (this.first > 32 && this.first * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.first);
      this.first = 0;
    }
    if (this.count === 0) {
      this.old = undefined;
      this.young = undefined;
    }
    return entry;
  }
}

/**
 * The log in memory. Its epochs belong to this node: whoever comes with a position of another one is told a gap and gets
 * what this one holds, unless that other epoch is known to have ended there, and this one to be the next.
 *
 * A channel that is dropped because too many are remembered raises `floor`, the place at which a channel without a record
 * stands, so that a position is never used twice; who comes back to it after that may be told a gap where nothing was
 * missed, never the reverse.
 */
export class MemoryLog implements OwnLog {
  readonly shared = false;
  private readonly options: MemoryLogOptions;
  private readonly channels = new Map<string, ChannelLog>();
  /**
   * Those first written to, in order, and the walk that goes on behind them. Not begun anew for each that is forgotten: that
   * costs more the more of a large map's first keys are deleted, hundreds of microseconds at 200,000.
   */
  private readonly eldest: [string, ChannelLog][] = [];
  private walk: MapIterator<[string, ChannelLog]> | undefined;
  /** Where the epoch before a channel's present one ended, where that is known to be what came before it. */
  private readonly ends = new Map<string, { readonly end: Position; readonly epoch: string; at: number }>();
  /** Where a channel without a record stands in its epoch. */
  private floor = 0;
  /** {@link Epochs.version} at which the floor rose last: of an epoch that began before, it is not the beginning. */
  private floorVersion = -1;
  private bytes = 0;

  constructor(options: MemoryLogOptions) {
    this.options = options;
  }

  /** Estimate of the memory that the kept messages take. */
  get keptBytes(): number {
    return this.bytes;
  }

  head(channel: string): Position {
    return this.present(channel)?.head ?? this.start(channel);
  }

  append(channel: string, message: LogMessage): Appended {
    const log = this.present(channel) ?? this.open(channel);
    const { from, id, data, dedupe } = message;
    const key = dedupe ? from + id : '';
    const seq = dedupe ? log.seqOf(key) : undefined;
    if (seq !== undefined) {
      const known = log.find(seq);
      if (known && known.data !== data) return { kind: 'conflict' };
      return { kind: 'duplicate', position: { epoch: log.head.epoch, seq } };
    }
    const at = Math.floor(this.options.now());
    const previous = log.head;
    const position = { epoch: previous.epoch, seq: previous.seq + 1 };
    const entry: Entry = { from, id, data, dedupe, position, previous, at };
    log.push(entry, key);
    this.bytes += bytesOf(entry);
    this.trim(log, at);
    if (this.bytes > this.options.totalBytes) this.makeRoom();
    return { kind: 'appended', message: entry };
  }

  read(channel: string, since: Position | undefined, limit: number, closedBy?: string): LogRead {
    const log = this.present(channel);
    if (log) this.trim(log, this.options.now());
    const head = log?.head ?? this.start(channel);
    if (since && samePosition(since, head)) return { start: head, messages: [], end: head, more: false };
    const goesOn = since !== undefined && this.goesOn(channel, log, head.epoch, since, closedBy);
    let from = 0;
    if (since && log && since.epoch === head.epoch && log.count > 0) {
      const missed = since.seq - log.at(0).previous.seq;
      if (missed > 0 && missed <= log.count) from = missed;
    }
    const messages: LoggedMessage[] = [];
    for (let i = from; log && i < log.count && messages.length < limit; i++) messages.push(log.at(i));
    const [first] = messages;
    if (goesOn && first) messages[0] = { ...first, previous: since };
    return {
      start: goesOn ? since : (first?.previous ?? head),
      messages,
      end: messages.at(-1)?.position ?? head,
      more: log !== undefined && from + messages.length < log.count,
    };
  }

  tail(channel: string, count: number): LogRead {
    const log = this.present(channel);
    const head = log?.head ?? this.start(channel);
    const messages: LoggedMessage[] = [];
    if (log) {
      this.trim(log, this.options.now());
      for (let i = Math.max(0, log.count - count); i < log.count; i++) messages.push(log.at(i));
    }
    return { start: messages[0]?.previous ?? head, messages, end: head, more: false };
  }

  neighbours(channel: string): Neighbours {
    const { before, next, forMs } = this.options.epochs.tenureOf(channel);
    return {
      ...(before === undefined ? {} : { follows: before }),
      ...(next === undefined ? {} : { next }),
      ...(forMs === undefined ? {} : { forMs }),
    };
  }

  /** Drops what is too old. To be called now and then: appends and reads look only at their own channel. */
  sweep(): void {
    const now = this.options.now();
    for (const log of this.channels.values()) this.trim(log, now);
    while (this.channels.size > this.options.channels) this.forgetOldest();
    for (const [channel, { at }] of this.ends)
      if (now - at > this.options.retentionMs) this.ends.delete(channel);
  }

  close(): Promise<void> {
    this.channels.clear();
    this.eldest.length = 0;
    this.ends.clear();
    this.bytes = 0;
    return Promise.resolve();
  }

  /** Whether this epoch follows the one that ended at a position, and is kept from its very beginning. */
  private goesOn(
    channel: string,
    log: ChannelLog | undefined,
    epoch: string,
    since: Position,
    closedBy: string | undefined,
  ): boolean {
    if (since.epoch === epoch) return false;
    const known = this.ends.get(channel);
    if (!(known?.epoch === epoch && samePosition(known.end, since))) {
      const { number, before } = this.options.epochs.tenureOf(channel);
      // a record that was forgotten may have been this channel's
      if (closedBy === undefined || closedBy !== before || this.floorVersion >= number) return false;
      this.ends.set(channel, { end: since, epoch, at: this.options.now() });
    }
    return !log || samePosition(log.count > 0 ? log.at(0).previous : log.head, log.begin);
  }

  /** The place of a channel without a record. */
  private start(channel: string): Position {
    return { epoch: this.options.epochs.epochOf(channel), seq: this.floor };
  }

  /** The record of a channel in its present epoch; one of an epoch that is over is dropped. */
  private present(channel: string): ChannelLog | undefined {
    const log = this.channels.get(channel);
    const { epochs } = this.options;
    if (!log || log.epochsVersion === epochs.version) return log;
    if (log.head.epoch === epochs.epochOf(channel)) {
      log.epochsVersion = epochs.version;
      return log;
    }
    while (log.count > 0) this.bytes -= bytesOf(log.dropFirst());
    this.channels.delete(channel);
    return undefined;
  }

  private open(channel: string): ChannelLog {
    // room first: a channel that is new and empty would be the first to be forgotten
    if (this.channels.size >= this.options.channels) this.forgetOldest();
    const log = new ChannelLog(this.start(channel), this.options.epochs.version);
    this.channels.set(channel, log);
    return log;
  }

  private trim(log: ChannelLog, now: number, age = this.options.retentionMs): void {
    const oldest = now - age;
    while (log.count > this.options.channelMessages || (log.count > 0 && log.at(0).at < oldest)) {
      this.bytes -= bytesOf(log.dropFirst());
    }
  }

  /** Over the total: what is oldest over all channels goes, down to nine tenths, so that this is not done at every append. */
  private makeRoom(): void {
    const now = this.options.now();
    const enough = this.options.totalBytes * 0.9;
    for (let age = this.options.retentionMs / 2; this.bytes > enough; age /= 2) {
      for (const log of this.channels.values()) this.trim(log, now, age < 1 ? -1 : age);
    }
  }

  /** The channel first written to, or one of the next that holds no message any more. */
  private forgetOldest(): void {
    const { eldest } = this;
    this.meetEldest();
    const empty = eldest.findIndex(([, { count }]) => count === 0);
    // not all of them at every new channel
    const [oldest] = eldest.splice(Math.max(0, empty), 1);
    if (!oldest) return;
    const [name, log] = oldest;
    while (log.count > 0) this.bytes -= bytesOf(log.dropFirst());
    if (log.head.seq > this.floor) {
      this.floor = log.head.seq;
      this.floorVersion = this.options.epochs.version;
    }
    this.channels.delete(name);
  }

  /** Fills up the eldest, but for those that have been dropped meanwhile. */
  private meetEldest(): void {
    const { eldest, channels } = this;
    if (!this.walk) {
      // so few that all were met
      eldest.length = 0;
      this.walk = channels.entries();
    }
    if (eldest.some(([name, log]) => channels.get(name) !== log)) {
      eldest.splice(0, eldest.length, ...eldest.filter(([name, log]) => channels.get(name) === log));
    }
    while (eldest.length < LOOK_FOR_EMPTY) {
      const { done, value } = this.walk.next();
      if (!done) eldest.push(value);
      else {
        this.walk = undefined;
        return;
      }
    }
  }
}
