import type { Member } from '@ringway/membership';
import type { Ring } from '@ringway/ring';
import type { Peers } from '../peers/peers.ts';
import type { Places } from '../session/places.ts';
import type { Place, Placement } from './placement.ts';

/** Where sessions belong, as the router over the ring sees it. */
export class RingPlaces implements Places {
  private readonly placement: Placement;
  private readonly peers: Peers;

  constructor(placement: Placement, peers: Peers) {
    this.placement = placement;
    this.peers = peers;
  }

  get ring(): Ring<Member> {
    return this.placement.ring;
  }

  homeAt(point: number): Place {
    return this.placement.at(point);
  }

  homeWithoutSelfAt(point: number): Member | undefined {
    return this.placement.withoutSelf(point);
  }

  reaches({ id, incarnation }: Member): boolean {
    const link = this.peers.get(id);
    return (
      link?.open === true &&
      link.member.incarnation === incarnation &&
      link.checksum === this.ring.version.checksum
    );
  }
}
