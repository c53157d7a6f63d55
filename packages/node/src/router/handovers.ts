import type { Member } from '@ringway/membership';
import type { MovedRanges } from '@ringway/ring';

/**
 * Ranges that this node has become home of by its ring, while the node that was their home before is heard and has told of
 * another ring: it may still act. Until it tells of this ring, or is heard no more, it stays the home (no two homes act
 * where one is heard).
 */
export class Handovers {
  private readonly selfId: string;
  /** Whether this start of a node is heard, and has told of another ring than this node's. */
  private readonly mayStillAct: (member: Member) => boolean;
  private open: { readonly from: Member; readonly moved: MovedRanges<Member> }[] = [];

  constructor(selfId: string, mayStillAct: (member: Member) => boolean) {
    this.selfId = selfId;
    this.mayStillAct = mayStillAct;
  }

  /** The homes of some ranges have changed. */
  add(moved: MovedRanges<Member>): void {
    const before = new Map<string, Member>();
    for (const { from, to } of moved) {
      if (from && to?.id === this.selfId && from.id !== this.selfId) before.set(from.id, from);
    }
    for (const from of before.values()) if (this.mayStillAct(from)) this.open.push({ from, moved });
  }

  /** The node that is still the home of a point which is this node's by the ring. */
  homeOf(point: number): Member | undefined {
    for (const { from, moved } of this.open) {
      const range = moved.find(point);
      if (range?.from?.id === from.id && range.to?.id === this.selfId) return from;
    }
    return undefined;
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
