import type { Position } from '@ringway/protocol';
import type { Log, LoggedMessage } from '../log/port.ts';
import type { Inbound } from '../peers/inbound.ts';
import type { Outbound } from '../peers/outbound.ts';
import { type Control, type DeliverRecord, encodeControl, encodeDeliver } from '../peers/wire.ts';
import type { Placement } from './placement.ts';
import type { Delivery, History } from './port.ts';
import { whenever } from './whenever.ts';

/** The home of a channel could not be asked for its log, or could not read it. */
export class HomeUnreadableError extends Error {
  override readonly name = 'HomeUnreadableError';
  readonly code = 'unavailable';
}

/** What is read: everything after a position, or the last so many; at most `limit` messages. */
interface Wanted {
  readonly since?: Position;
  readonly last?: number;
  readonly limit: number;
}

interface Read {
  readonly link: Outbound;
  readonly deadline: number;
  readonly messages: Delivery[];
  resolve(history: History): void;
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

  read(link: Outbound | undefined, channel: string, wanted: Wanted): Promise<History> {
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

  onEnd(correlation: number, start: Position | undefined): void {
    const read = this.reads.get(correlation);
    this.reads.delete(correlation);
    if (start) read?.resolve({ start, messages: read.messages });
    else read?.reject(new HomeUnreadableError('the home could not read its log'));
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

/**
 * Over so many characters an answer ends, if not before: one reader of long messages must not fill the link that all
 * others share. Whoever reads goes on behind the last that came.
 */
const PAGE_LENGTH = 512 * 1024;

/** The first messages: at most so many, and none more once they are so long. */
export function pageOf(
  messages: readonly LoggedMessage[],
  limit: number,
  pageLength: number,
): readonly LoggedMessage[] {
  let count = 0;
  for (let length = 0; count < messages.length && count < limit && length < pageLength; count++) {
    length += messages[count]?.data.length ?? 0;
  }
  return count === messages.length ? messages : messages.slice(0, count);
}

/** The home's side: answers a read from its log, where it is the home. */
export function answerRead(
  log: Log,
  placement: Placement,
  from: Inbound,
  request: Extract<Control, { t: 'read' }>,
): void {
  const { correlation, channel, since, last, limit } = request;
  const failed = (): void => from.send(encodeControl({ t: 'readEnd', correlation, code: 'unavailable' }));
  if (placement.of(channel).kind !== 'self') return failed();
  whenever(
    last === undefined ? log.read(channel, since, limit) : log.tail(channel, last),
    ({ start, messages }) => {
      for (const message of pageOf(messages, limit, PAGE_LENGTH))
        from.send(encodeDeliver({ ...message, correlation, channel }));
      from.send(encodeControl({ t: 'readEnd', correlation, start }));
    },
    failed,
  );
}
