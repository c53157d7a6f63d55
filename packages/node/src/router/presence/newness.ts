import type { Member } from '@ringway/membership';
import type { MovedRanges } from '@ringway/ring';
import { channelPoint } from '../../channel-point.ts';
import type { PlacementChange } from '../placement.ts';

interface Change {
  /** Undefined where all that this node is home of is new to it. */
  readonly moved: MovedRanges<Member> | undefined;
  readonly until: number;
}

/**
 * Of which channels this node has become home lately. Holders are still telling it what they hold, and clients of the home
 * before, if that has died, are on their way: that nobody is there does not mean that the user is offline.
 */
export class Newness {
  private readonly selfId: string;
  private readonly ms: number;
  private readonly now: () => number;
  private changes: Change[] = [];

  /** `ms`: for so long a channel is new. */
  constructor(selfId: string, ms: number, now: () => number) {
    this.selfId = selfId;
    this.ms = ms;
    this.now = now;
  }

  add({ moved, readmitted }: PlacementChange): void {
    if (!readmitted && moved.size === 0) return;
    this.changes.push({ moved: readmitted ? undefined : moved, until: this.now() + this.ms });
  }

  has(channel: string): boolean {
    const now = this.now();
    this.changes = this.changes.filter(({ until }) => until > now);
    if (this.changes.length === 0) return false;
    const point = channelPoint(channel);
    return this.changes.some(({ moved }) => !moved || moved.find(point)?.to?.id === this.selfId);
  }
}
