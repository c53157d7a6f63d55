import type { Member } from '@ringway/membership';
import type { Ring } from '@ringway/ring';

/** Who is home for a point of the ring. `nowhere`: nobody, or this node, which may not act as one now. */
export type HomePlace =
  | { readonly kind: 'self' }
  | { readonly kind: 'peer'; readonly member: Member }
  | { readonly kind: 'nowhere' };

/** PORT. Where sessions belong: what their mover has to know of the ring and of the peers. Asked often, so cheap. */
export interface Places {
  /** The ring of the membership. A new one is a new object. */
  readonly ring: Ring<Member>;
  /** The home as this node sees it now, which is not the owner while that is down. */
  homeAt(point: number): HomePlace;
  /** The home if this node were gone; undefined where nobody else is left. */
  homeWithoutSelfAt(point: number): Member | undefined;
  /** This start of the member is heard on a link, and has told the checksum of our own ring: it would not send back. */
  reaches(member: Member): boolean;
}
