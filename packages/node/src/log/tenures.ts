import type { RingMember } from '@ringway/ring';
import { keyPoint, type MovedRanges } from '@ringway/ring';

/** So many turns of events are told apart; beyond that the oldest are one, and who comes from before them is told a gap. */
const MAX_TENURES = 128;

interface Tenure {
  readonly number: number;
  /** Whether it covers a point of the ring. */
  covers(point: number): boolean;
}

/**
 * Since when this node has been home of each part of the ring, without a break: names the epochs of its memory log.
 *
 * A log in memory belongs to one tenure. When another node was home in between, what it ordered is not in this node's
 * log: positions from before must not be taken for positions from now, or messages would be missing untold.
 */
export class Tenures {
  private readonly incarnation: string;
  /** Oldest first. */
  private tenures: Tenure[] = [];
  private oldest = 0;
  private newest = 0;

  /** `incarnation` is unique over all starts of all nodes. */
  constructor(incarnation: string) {
    this.incarnation = incarnation;
  }

  /** Changes whenever some channel's epoch may have. */
  get version(): number {
    return this.newest;
  }

  /** This node has become home of the ranges that moved to it. */
  gained<M extends RingMember>(moved: MovedRanges<M>, selfId: string): void {
    this.add({ number: ++this.newest, covers: (point) => moved.find(point)?.to?.id === selfId });
  }

  /** This node could not act as a home for a while: what it is home of now, it is anew. */
  interrupted(): void {
    this.tenures = [];
    this.oldest = ++this.newest;
  }

  /** The epoch of a channel that this node is home of. */
  epochOf(channel: string): string {
    const point = keyPoint(channel);
    for (let i = this.tenures.length - 1; i >= 0; i--) {
      const tenure = this.tenures[i];
      if (tenure?.covers(point)) return `${this.incarnation}.${tenure.number}`;
    }
    return `${this.incarnation}.${this.oldest}`;
  }

  private add(tenure: Tenure): void {
    this.tenures.push(tenure);
    if (this.tenures.length > MAX_TENURES) this.oldest = this.tenures.shift()?.number ?? this.oldest;
  }
}
