import type { Member } from '@ringway/membership';
import { type Capabilities, socketUrlHead, type TicketClaims } from '@ringway/protocol';
import type { RingVersion } from '@ringway/ring';
import { type KeyFamily, mintTicket, ticketAudience, ticketExpiry } from '@ringway/service';

export interface MoveTicketsOptions {
  readonly keys: KeyFamily;
  readonly cluster: string;
  /** Unique over all starts of all nodes. */
  readonly idPrefix: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The right of a session, which goes with it. */
export interface MovingRight {
  readonly userId: string;
  readonly cap: Capabilities;
  /** Seconds since the epoch; Infinity when it does not end. */
  readonly expiresAt: number;
  /** When it began, in milliseconds since the epoch. */
  readonly since: number;
}

/** Makes the tickets by which this node's sessions open another node. */
export class MoveTickets {
  private readonly options: MoveTicketsOptions;
  private ids = 0;

  constructor(options: MoveTicketsOptions) {
    this.options = options;
  }

  /** `avoid`: the nodes that the other one is not to send it back to while its ring is the same. */
  issue(
    { userId, cap, expiresAt, since }: MovingRight,
    target: Member,
    { version }: { readonly version: RingVersion },
    avoid: readonly string[],
  ): { readonly url: string; readonly ticket: string } {
    const { keys, cluster, idPrefix, now } = this.options;
    const claims: TicketClaims = {
      iss: cluster,
      sub: userId,
      aud: ticketAudience(target.id, target.incarnation),
      exp: ticketExpiry(now()),
      jti: `${idPrefix}m${(this.ids++).toString(36)}`,
      ring: { index: version.index, checksum: version.checksum },
      cap,
      via: 'move',
      since,
      ...(expiresAt === Number.POSITIVE_INFINITY ? {} : { sexp: expiresAt }),
      ...(avoid.length === 0 ? {} : { avoid }),
    };
    const ticket = mintTicket(keys, claims);
    return { url: socketUrlHead(target.publicUrl) + ticket, ticket };
  }
}
