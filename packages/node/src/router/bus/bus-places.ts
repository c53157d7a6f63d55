import type { Member } from '@ringway/membership';
import type { Ring } from '@ringway/ring';
import type { HomePlace, Places } from '../../session/places.ts';

const HERE: HomePlace = Object.freeze({ kind: 'self' });

/**
 * Where sessions belong when messages come to any node: where they are. Only a node that leaves sends them away, to the next
 * member of the ring, where the locators send them too.
 */
export class BusPlaces implements Places {
  private readonly selfId: string;
  private readonly current: () => Ring<Member>;

  constructor(selfId: string, current: () => Ring<Member>) {
    this.selfId = selfId;
    this.current = current;
  }

  get ring(): Ring<Member> {
    return this.current();
  }

  homeAt(): HomePlace {
    return HERE;
  }

  homeWithoutSelfAt(point: number): Member | undefined {
    return this.ring.ownersAt(point, 2).find(({ id }) => id !== this.selfId);
  }

  /** No link says so: the registry's word has to do. */
  reaches({ id, incarnation }: Member): boolean {
    return this.ring.member(id)?.incarnation === incarnation;
  }
}
