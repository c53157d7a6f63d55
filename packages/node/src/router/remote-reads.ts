import type { Neighbours } from '../log/port.ts';
import type { Outbound } from '../peers/outbound.ts';
import { type Control, type DeliverRecord, encodeControl } from '../peers/wire.ts';
import type { Delivery, History } from './port.ts';

/** The home of a channel could not be asked for its log, or could not read it. */
export class HomeUnreadableError extends Error {
  override readonly name = 'HomeUnreadableError';
  readonly code = 'unavailable';
}

/** What is read: everything after a position, or the last so many; at most `limit` messages. */
export type Wanted = Omit<Extract<Control, { t: 'read' }>, 't' | 'correlation' | 'channel'>;

/** What another node has read, and what it knows of the epochs about the one that it read. */
export interface RemoteHistory extends History, Neighbours {}

interface Read {
  readonly link: Outbound;
  readonly deadline: number;
  readonly messages: Delivery[];
  resolve(history: RemoteHistory): void;
  reject(error: Error): void;
}

/** What {@link RemoteReads} needs to know at construction. */
export interface RemoteReadsOptions {
  readonly nextCorrelation: () => number;
  /** Longest wait for the end of an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
}

/** Reads of logs that other nodes keep: the messages come one by one on the link, then an end. */
export class RemoteReads {
  private readonly reads = new Map<number, Read>();
  private readonly options: RemoteReadsOptions;

  constructor(options: RemoteReadsOptions) {
    this.options = options;
  }

  read(link: Outbound | undefined, channel: string, wanted: Wanted): Promise<RemoteHistory> {
    if (!link?.open) return Promise.reject(new HomeUnreadableError('the home cannot be reached'));
    const { nextCorrelation, now, timeoutMs } = this.options;
    const correlation = nextCorrelation();
    const deadline = now() + timeoutMs;
    return new Promise((resolve, reject) => {
      this.reads.set(correlation, { link, deadline, messages: [], resolve, reject });
      link.send(encodeControl({ t: 'read', correlation, channel, ...wanted }));
    });
  }

  onMessage(record: DeliverRecord): void {
    this.reads.get(record.correlation)?.messages.push(record);
  }

  onEnd(control: Extract<Control, { t: 'readEnd' }>): void {
    const { t: _, correlation, code: __, start, end = start, ...neighbours } = control;
    const read = this.reads.get(correlation);
    this.reads.delete(correlation);
    if (!start || !end) return read?.reject(new HomeUnreadableError('the home could not read its log'));
    // a home of the version before says only where it begins
    const { messages } = read ?? { messages: [] };
    read?.resolve({ ...neighbours, start, messages, end: messages.at(-1)?.position ?? end });
  }

  onLinkDown(link: Outbound): void {
    this.giveUp((read) => read.link === link, 'the link to the home broke');
  }

  /** Gives up what a home has not answered in its time, though its link stands. */
  expire(now: number): void {
    this.giveUp((read) => read.deadline <= now, 'the home did not answer');
  }

  private giveUp(which: (read: Read) => boolean, why: string): void {
    for (const [correlation, read] of this.reads) {
      if (!which(read)) continue;
      this.reads.delete(correlation);
      read.reject(new HomeUnreadableError(why));
    }
  }
}
