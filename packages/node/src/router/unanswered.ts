import type { Outbound } from '../peers/outbound.ts';
import { type SentList, singly } from './lists.ts';
import type { Parked } from './waiting.ts';

type Sent = Parked;

export const isList = (item: Sent | SentList): item is SentList => 'channels' in item;
export const isSingle = (item: Sent | SentList): item is Sent => !isList(item);

/** What was sent to peers and is to be answered. */
export class Unanswered {
  /** By link, in the order in which they were sent, so that after a break they are sent again in it. */
  private readonly sent = new Map<Outbound, Map<number, Sent | SentList>>();

  get size(): number {
    let size = 0;
    for (const sent of this.sent.values()) size += sent.size;
    return size;
  }

  add(link: Outbound, correlation: number, item: Sent | SentList): void {
    let sent = this.sent.get(link);
    if (!sent) {
      sent = new Map();
      this.sent.set(link, sent);
    }
    sent.set(correlation, item);
  }

  /** What this answers; undefined where nothing of that kind waits for it. */
  take<T extends Sent | SentList>(
    link: Outbound,
    correlation: number,
    isKind: (item: Sent | SentList) => item is T,
  ): T | undefined {
    const sent = this.sent.get(link);
    const item = sent?.get(correlation);
    if (!item || !isKind(item)) return undefined;
    sent?.delete(correlation);
    return item;
  }

  /** All that was sent on a link, in order; a list as one publication a channel. */
  takeAll(link: Outbound): Sent[] {
    const sent = this.sent.get(link);
    this.sent.delete(link);
    return sent ? [...sent.values()].flatMap(each) : [];
  }

  /** All whose deadline has come by this time. */
  takeExpired(now: number): Sent[] {
    const expired: Sent[] = [];
    for (const sent of this.sent.values()) {
      for (const [correlation, item] of sent) {
        if (item.deadline > now) continue;
        sent.delete(correlation);
        expired.push(...each(item));
      }
    }
    return expired;
  }
}

function each(item: Sent | SentList): readonly Sent[] {
  return isList(item) ? singly(item) : [item];
}
