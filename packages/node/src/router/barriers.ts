import type { Member } from '@ringway/membership';
import type { MovedRanges } from '@ringway/ring';
import { channelPoint } from '../channel-point.ts';
import type { Outbound } from '../peers/outbound.ts';

interface Barrier {
  readonly link: Outbound;
  readonly moved: MovedRanges<Member>;
  readonly deadline: number;
}

/**
 * Holds back what goes to a channel's new home until its old one has placed all that was sent there before (rule 6). What
 * is answered is counted one by one ({@link Flights}); what asks for no answer is known to be placed by this alone.
 */
export class Barriers {
  private readonly barriers = new Map<number, Barrier>();

  /** Until {@link lift}, for every range that has moved away from the peer of this link. */
  raise(correlation: number, link: Outbound, moved: MovedRanges<Member>, deadline: number): void {
    this.barriers.set(correlation, { link, moved, deadline });
  }

  /** Returns whether there was such a barrier. */
  lift(link: Outbound, correlation: number): boolean {
    return this.barriers.get(correlation)?.link === link && this.barriers.delete(correlation);
  }

  /** What was sent on the link is answered no more. */
  onLinkDown(link: Outbound): void {
    this.drop((barrier) => barrier.link === link);
  }

  expire(now: number): void {
    this.drop((barrier) => barrier.deadline <= now);
  }

  /** Whether a channel's publications must wait. */
  hold(channel: string): boolean {
    if (this.barriers.size === 0) return false;
    const point = channelPoint(channel);
    for (const { link, moved } of this.barriers.values()) {
      if (moved.find(point)?.from?.id === link.member.id) return true;
    }
    return false;
  }

  private drop(which: (barrier: Barrier) => boolean): void {
    for (const [correlation, barrier] of this.barriers) if (which(barrier)) this.barriers.delete(correlation);
  }
}
