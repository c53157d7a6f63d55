import type { Member } from '@ringway/membership';
import type { MovedRanges } from '@ringway/ring';

/** Points from `start` to `end`, both included. */
interface Arc {
  readonly start: number;
  readonly end: number;
}

interface Handover {
  readonly from: Member;
  readonly moved: MovedRanges<Member>;
  /** What is left of the ranges from that member to this node; undefined while that is all of them. */
  left?: readonly Arc[];
}

/**
 * Ranges that this node has become home of by its ring, while the node that was their home before is heard and has told of
 * another ring: it may still act. Until it tells of this ring, or is heard no more, it stays the home (no two homes act
 * where one is heard).
 */
export class Handovers {
  private readonly selfId: string;
  /** Whether this start of a node is heard, and has told of another ring than this node's. */
  private readonly mayStillAct: (member: Member) => boolean;
  private open: Handover[] = [];

  constructor(selfId: string, mayStillAct: (member: Member) => boolean) {
    this.selfId = selfId;
    this.mayStillAct = mayStillAct;
  }

  /** The homes of some ranges have changed. */
  add(moved: MovedRanges<Member>): void {
    const before = new Map<string, Member>();
    const lost: Arc[] = [];
    for (const { from, to, start, end } of moved) {
      if (from && to?.id === this.selfId && from.id !== this.selfId) before.set(from.id, from);
      else if (from?.id === this.selfId) lost.push({ start, end });
    }
    // what goes on to another node is not waited for any more: should it come back, it comes from that one
    if (lost.length > 0) for (const one of this.open) one.left = without(this.leftOf(one), lost);
    for (const from of before.values()) if (this.mayStillAct(from)) this.open.push({ from, moved });
  }

  /** The node that is still the home of a point which is this node's by the ring. */
  homeOf(point: number): Member | undefined {
    for (const { from, moved, left } of this.open) {
      const range = moved.find(point);
      if (range?.from?.id !== from.id || range.to?.id !== this.selfId) continue;
      if (!left || left.some(({ start, end }) => start <= point && point <= end)) return from;
    }
    return undefined;
  }

  private leftOf({ from, moved, left }: Handover): readonly Arc[] {
    return left ?? [...moved].filter((range) => range.from?.id === from.id && range.to?.id === this.selfId);
  }

  get size(): number {
    return this.open.length;
  }

  /** Takes out those that are done: their ranges are this node's now, where they are by the ring. */
  takeDone(): MovedRanges<Member>[] {
    const done = this.open.filter(({ from }) => !this.mayStillAct(from));
    if (done.length > 0) this.open = this.open.filter((one) => !done.includes(one));
    return done.map(({ moved }) => moved);
  }
}

/** Arcs without what others cover of them; both in ascending order, and disjoint. */
function without(arcs: readonly Arc[], taken: readonly Arc[]): Arc[] {
  return arcs.flatMap(({ start, end }) => {
    const left: Arc[] = [];
    let from = start;
    for (const cut of taken) {
      if (cut.end < from) continue;
      if (cut.start > end) break;
      if (cut.start > from) left.push({ start: from, end: cut.start - 1 });
      from = cut.end + 1;
    }
    if (from <= end) left.push({ start: from, end });
    return left;
  });
}
