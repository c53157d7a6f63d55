import type { Member } from '@ringway/membership';
import { innerChannel } from '@ringway/protocol';
import { buildRing, type MovedRanges, movedRanges, type Ring } from '@ringway/ring';
import { channelPoint } from '../channel-point.ts';
import type { Hearing } from '../peers/hearing.ts';
import { Handovers } from './handovers.ts';

/** Who is home for a channel, as this node sees it. */
export type Place =
  | { readonly kind: 'self' }
  | { readonly kind: 'peer'; readonly member: Member }
  | { readonly kind: 'nowhere' };

/** What became different between two looks at the ring and at who is heard. */
export interface PlacementChange {
  /** Whose home is another now, and from whom to whom. */
  readonly moved: MovedRanges<Member>;
  /**
   * This node, which has acted as a home, may act again after it might not; or hears somebody again from a half of the ring
   * that may have acted by itself. What it is home of now, it is anew.
   */
  readonly readmitted: boolean;
}

const SELF: Place = Object.freeze({ kind: 'self' });
const NOWHERE: Place = Object.freeze({ kind: 'nowhere' });

/**
 * The ring as the membership has it, less who is down: so a channel's home is its owner, or the next member once every one
 * before it is down. Consistent hashing makes that the very member that will own the channel when the registry has
 * noticed, and {@link movedRanges} between two of these tells exactly what a failure moves.
 */
export class Placement {
  private readonly selfId: string;
  private readonly hearing: Hearing;
  /** Called behind an update by a new ring, or one by which points have another home. */
  onMoved: (moved: MovedRanges<Member>) => void = () => {};
  private readonly places = new Map<Member, Place>();
  private full: Ring<Member>;
  private living: Ring<Member>;
  private admitted = true;
  /** It may have been a home before, and others in its place since it was not admitted. */
  private hasActed = false;
  private abdicated = false;
  private suspended = false;
  private readonly handovers: Handovers;

  /** `mayStillAct`: this start of a node is heard, and has told of another ring than this node's. */
  constructor(
    selfId: string,
    hearing: Hearing,
    ring: Ring<Member>,
    mayStillAct: (member: Member) => boolean,
  ) {
    this.selfId = selfId;
    this.handovers = new Handovers(selfId, mayStillAct);
    this.hearing = hearing;
    this.full = ring;
    this.living = ring;
  }

  /** The ring of the membership. */
  get ring(): Ring<Member> {
    return this.full;
  }

  /** Looks again. The ring is given when it is a new one; who is heard is asked for. */
  update(ring = this.full): PlacementChange {
    const { down } = this.hearing;
    const isNew = ring !== this.full;
    const before = this.living;
    const wasAdmitted = this.admitted;
    this.full = ring;
    this.living =
      down.size === 0
        ? ring
        : buildRing(
            ring.members.filter((member) => !down.has(member.id)),
            { previous: before, index: ring.version.index },
          );
    // who is new in the ring begins, too: the others may not hear it yet, and that is no interruption of what it never did
    const heard = wasAdmitted && this.hasActed ? this.hearing.hearsHalf() : this.hearing.mayBegin();
    this.admitted = heard && !this.abdicated && !this.suspended;
    this.places.clear();
    const reunited = this.hearing.takeReunited();
    const readmitted = this.admitted && this.hasActed && (!wasAdmitted || reunited);
    this.hasActed ||= this.admitted && this.living.has(this.selfId);
    const moved = movedRanges(before, this.living);
    this.handovers.add(moved);
    if (isNew || moved.size > 0) this.onMoved(moved);
    return { moved, readmitted };
  }

  /** Another start of this node has taken its place in the ring: this one is home of nothing any more. */
  abdicate(): void {
    this.abdicated = true;
    this.admitted = false;
  }

  /** Ranges that this node is home of from now on, since their home of before has told that it sees the ring, too. */
  takeHandedOver(): MovedRanges<Member>[] {
    return this.handovers.size === 0 ? [] : this.handovers.takeDone();
  }

  /** The process stood still: others may act in this node's place, and it acts no more until it knows. */
  suspend(): void {
    this.suspended = true;
    this.admitted = false;
  }

  /** It has been looked at who is home now. Takes effect with the next {@link update}. */
  resume(): void {
    this.suspended = false;
  }

  /** `nowhere`: nobody is left, or this node would be home but does not hear half of the ring, and so must not act. */
  of(channel: string): Place {
    if (this.handovers.size > 0) return this.at(channelPoint(channel));
    return this.place(this.living.owner(innerChannel(channel)));
  }

  /** The same for a channel whose point on the ring is known. */
  at(point: number): Place {
    const home = this.living.ownerAt(point);
    const before = home?.id === this.selfId ? this.handovers.homeOf(point) : undefined;
    return this.place(before ?? home);
  }

  /** Who is home of a point next, should its home go down. */
  successorAt(point: number): Member | undefined {
    return this.living.ownersAt(point, 2)[1];
  }

  /** The home of a point if this node were gone; undefined where nobody else is left. */
  withoutSelf(point: number): Member | undefined {
    return this.living.ownersAt(point, 2).find(({ id }) => id !== this.selfId);
  }

  private place(home: Member | undefined): Place {
    if (home === undefined) return NOWHERE;
    if (home.id === this.selfId) return this.admitted ? SELF : NOWHERE;
    let place = this.places.get(home);
    if (!place) {
      place = { kind: 'peer', member: home };
      this.places.set(home, place);
    }
    return place;
  }
}
