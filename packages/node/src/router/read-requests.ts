import type { Log, LoggedMessage, LogRead } from '../log/port.ts';
import type { Inbound } from '../peers/inbound.ts';
import { type Control, encodeControl, encodeDeliver } from '../peers/wire.ts';
import type { Placement } from './placement.ts';
import { whenever } from './whenever.ts';

type Request = Extract<Control, { t: 'read' }>;

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

/** Answers the reads of peers: from the log of a channel's home, or from what a former home has kept of its own. */
export class ReadRequests {
  private readonly log: Log;
  private readonly placement: Placement;
  /** Longest wait of a reader for the end of an epoch, in milliseconds. */
  private readonly patienceMs: number;
  private readonly now: () => number;
  /** When somebody last read what this node has kept as a former home; the clock's. */
  lastPastAt = Number.NEGATIVE_INFINITY;
  /** Readers of an epoch that has not ended here: they see a newer ring, or this node's does not last. */
  private early: { readonly from: Inbound; readonly request: Request; readonly deadline: number }[] = [];

  constructor(log: Log, placement: Placement, patienceMs: number, now: () => number) {
    this.log = log;
    this.placement = placement;
    this.patienceMs = patienceMs;
    this.now = now;
  }

  handle(from: Inbound, request: Request): void {
    const { log, placement } = this;
    const { channel, since, last, limit, past, closedBy } = request;
    const place = placement.of(channel).kind;
    if (log.shared) {
      this.answer(
        from,
        request,
        last === undefined ? log.read(channel, since, limit) : log.tail(channel, last),
      );
    } else if (past) {
      this.lastPastAt = this.now();
      // also whoever has come to the end of the epoch before would go on in this one, which has no end yet
      const reachesOwn = closedBy !== undefined || since?.epoch === log.head(channel).epoch;
      if (place === 'self' && reachesOwn) {
        this.early.push({ from, request, deadline: this.now() + this.patienceMs });
        return;
      }
      // whose epoch it is can no longer be told from an interruption of it, where half of the ring is not heard
      if (place === 'nowhere') return this.refuse(from, request);
      this.answer(from, request, log.read(channel, since, limit, closedBy));
    } else if (place !== 'self') this.refuse(from, request);
    else if (last !== undefined) this.answer(from, request, log.tail(channel, last));
    else this.answer(from, request, log.read(channel, since, limit, closedBy));
  }

  /** The ring has changed, or time has passed: looks again at who came early. */
  review(): void {
    if (this.early.length === 0) return;
    const { early } = this;
    this.early = [];
    for (const { from, request, deadline } of early) {
      if (!from.open) continue;
      if (this.placement.of(request.channel).kind !== 'self') this.handle(from, request);
      else if (deadline <= this.now()) this.refuse(from, request);
      else this.early.push({ from, request, deadline });
    }
  }

  private answer(from: Inbound, request: Request, read: LogRead | Promise<LogRead>): void {
    const { correlation, channel, limit } = request;
    whenever(
      read,
      ({ start, messages, end }) => {
        const page = pageOf(messages, limit, PAGE_LENGTH);
        for (const message of page) from.send(encodeDeliver({ ...message, correlation, channel }));
        const neighbours = this.log.shared ? {} : this.log.neighbours(channel);
        from.send(
          encodeControl({
            t: 'readEnd',
            correlation,
            start,
            end: page.at(-1)?.position ?? end,
            ...neighbours,
          }),
        );
      },
      () => this.refuse(from, request),
    );
  }

  private refuse(from: Inbound, { correlation }: Request): void {
    from.send(encodeControl({ t: 'readEnd', correlation, code: 'unavailable' }));
  }
}
