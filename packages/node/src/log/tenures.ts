import type { RingMember } from '@ringway/ring';
import { keyPoint, type MovedRanges } from '@ringway/ring';

/** So many turns of events are told apart; beyond that the oldest are one, and who comes from before them is told a gap. */
const MAX_TENURES = 128;

function epochName(incarnation: string, tenure: number): string {
  return `${incarnation}.${tenure}`;
}

/** The start of the node in whose memory log an epoch is. */
export function incarnationOf(epoch: string): string {
  return epoch.slice(0, epoch.lastIndexOf('.'));
}

interface Tenure {
  readonly number: number;
  /** Whether it covers a point of the ring. */
  covers(point: number): boolean;
  /** Whose home the point was before. */
  before(point: number): string | undefined;
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
    this.add({
      number: ++this.newest,
      covers: (point) => moved.find(point)?.to?.id === selfId,
      before: (point) => moved.find(point)?.from?.id,
    });
  }

  /** This node could not act as a home for a while: what it is home of now, it is anew. */
  interrupted(): void {
    this.tenures = [];
    this.oldest = ++this.newest;
  }

  /** The epoch of a channel that this node is home of, or was last. */
  epochOf(channel: string): string {
    return epochName(this.incarnation, this.of(keyPoint(channel))?.number ?? this.oldest);
  }

  /** Number of the tenure that the channel's epoch is named after, and whose home it was before, where that is known. */
  tenureOf(channel: string): { readonly number: number; readonly before: string | undefined } {
    const point = keyPoint(channel);
    const tenure = this.of(point);
    return { number: tenure?.number ?? this.oldest, before: tenure?.before(point) };
  }

  private of(point: number): Tenure | undefined {
    for (let i = this.tenures.length - 1; i >= 0; i--) {
      const tenure = this.tenures[i];
      if (tenure?.covers(point)) return tenure;
    }
    return undefined;
  }

  private add(tenure: Tenure): void {
    this.tenures.push(tenure);
    if (this.tenures.length > MAX_TENURES) this.oldest = this.tenures.shift()?.number ?? this.oldest;
  }
}
