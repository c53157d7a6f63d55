import type { Member } from '@ringway/membership';
import type { Ring } from '@ringway/ring';
import type { Hearing } from '../peers/hearing.ts';

/** Who is home for a channel, as this node sees it. */
export type Place =
  | { readonly kind: 'self' }
  | { readonly kind: 'peer'; readonly member: Member }
  | { readonly kind: 'nowhere' };

const SELF: Place = Object.freeze({ kind: 'self' });
const NOWHERE: Place = Object.freeze({ kind: 'nowhere' });

/**
 * The ring as the membership has it, looked at through who is heard: a channel's home is its owner, or the next member
 * once every one before it is down. That is the member that will own the channel when the registry has noticed.
 */
export class Placement {
  private readonly selfId: string;
  private readonly hearing: Hearing;
  private readonly places = new Map<Member, Place>();
  ring: Ring<Member>;

  constructor(selfId: string, hearing: Hearing, ring: Ring<Member>) {
    this.selfId = selfId;
    this.hearing = hearing;
    this.ring = ring;
  }

  setRing(ring: Ring<Member>): void {
    this.ring = ring;
    this.places.clear();
  }

  /** `nowhere`: nobody is left, or this node would be home but does not hear half of the ring, and so must not act. */
  of(channel: string): Place {
    return this.judge(this.first(this.ring.owner(channel), () => this.ring.owners(channel, this.ring.size)));
  }

  /** The same for a channel whose point on the ring is known. */
  at(point: number): Place {
    return this.judge(this.first(this.ring.ownerAt(point), () => this.ring.ownersAt(point, this.ring.size)));
  }

  private first(owner: Member | undefined, all: () => readonly Member[]): Member | undefined {
    const { down } = this.hearing;
    if (owner === undefined || down.size === 0 || !down.has(owner.id)) return owner;
    return all().find((member) => !down.has(member.id));
  }

  private judge(home: Member | undefined): Place {
    if (home === undefined) return NOWHERE;
    if (home.id === this.selfId) return this.hearing.hearsHalf() ? SELF : NOWHERE;
    let place = this.places.get(home);
    if (!place) {
      place = { kind: 'peer', member: home };
      this.places.set(home, place);
    }
    return place;
  }
}
