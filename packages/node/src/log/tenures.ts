import type { MovedRanges, RingMember } from '@ringway/ring';
import { channelPoint } from '../channel-point.ts';

/** So many turns of events are told apart; beyond that the oldest are one, and who comes from before them is told a gap. */
const MAX_TENURES = 128;

function epochName(incarnation: string, tenure: number): string {
  return `${incarnation}.${tenure}`;
}

/** The start of the node in whose memory log an epoch is. */
export function incarnationOf(epoch: string): string {
  return epoch.slice(0, epoch.lastIndexOf('.'));
}

/** What a node knows of a channel that it is home of, or was last. */
export interface TenureOf {
  /** Number of the tenure, by which its epoch is named. */
  readonly number: number;
  /** Whose home the channel was before; undefined where that is not known. */
  readonly before: string | undefined;
  /** Whose home it was next; undefined while this node is, and where that is not known. */
  readonly next: string | undefined;
  /** How long ago the tenure ended, or, while it lasts, began, in whole milliseconds; undefined where that is not known. */
  readonly forMs: number | undefined;
}

interface Loss {
  /** Of the change by which it came. */
  readonly number: number;
  readonly at: number;
  /** Whose home the point was next, where this node lost it. */
  next(point: number): string | undefined;
}

interface Tenure {
  readonly number: number;
  readonly at: number;
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
  private readonly now: () => number;
  /** Oldest first. */
  private tenures: Tenure[] = [];
  private losses: Loss[] = [];
  private oldest = 0;
  private newest = 0;

  /** `incarnation` is unique over all starts of all nodes; `now` is a monotonic clock in milliseconds. */
  constructor(incarnation: string, now: () => number) {
    this.incarnation = incarnation;
    this.now = now;
  }

  /** Changes whenever some channel's epoch may have. */
  get version(): number {
    return this.newest;
  }

  /** This node has become home of the ranges that moved to it, and is not any more of those that moved away. */
  changed<M extends RingMember>(moved: MovedRanges<M>, selfId: string): void {
    const at = this.now();
    const number = ++this.newest;
    this.losses.push({
      number,
      at,
      next: (point) => {
        const range = moved.find(point);
        return range?.from?.id === selfId ? range.to?.id : undefined;
      },
    });
    if (this.losses.length > MAX_TENURES) this.losses.shift();
    this.add({
      number,
      at,
      covers: (point) => moved.find(point)?.to?.id === selfId,
      before: (point) => moved.find(point)?.from?.id,
    });
  }

  /** This node could not act as a home for a while: what it is home of now, it is anew. */
  interrupted(): void {
    this.tenures = [];
    this.losses = [];
    this.oldest = ++this.newest;
  }

  /** The epoch of a channel that this node is home of, or was last. */
  epochOf(channel: string): string {
    return epochName(this.incarnation, this.of(channelPoint(channel))?.number ?? this.oldest);
  }

  tenureOf(channel: string): TenureOf {
    const point = channelPoint(channel);
    const tenure = this.of(point);
    const loss = this.losses.findLast(({ next }) => next(point) !== undefined);
    const ended = loss && (!tenure || loss.number > tenure.number) ? loss : undefined;
    const since = ended?.at ?? tenure?.at;
    return {
      number: tenure?.number ?? this.oldest,
      before: tenure?.before(point),
      next: ended?.next(point),
      forMs: since === undefined ? undefined : Math.max(0, Math.round(this.now() - since)),
    };
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
