import {
  type CloseName,
  TICKET_LEEWAY_SECONDS,
  TICKET_TTL_SECONDS,
  type TicketClaims,
} from '@ringway/protocol';
import { type KeyFamily, type TokenFailure, ticketAudience, verifyTicket } from '@ringway/service';

export interface TicketsOptions {
  readonly keys: KeyFamily;
  readonly cluster: string;
  readonly nodeId: string;
  readonly incarnation: string;
  /** Most tickets remembered as used; beyond that none is taken until some have expired. */
  readonly maxRemembered: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A ticket that was taken, or the close that tells why not. */
export type Taken =
  | { readonly ok: true; readonly claims: TicketClaims }
  | { readonly ok: false; readonly close: CloseName; readonly reason: TokenFailure | 'used' | 'full' };

/** How a refused ticket is told: what the client can mend by asking again is not terminal. */
const CLOSES: Readonly<Record<TokenFailure, CloseName>> = {
  malformed: 'invalid_ticket',
  type: 'invalid_ticket',
  algorithm: 'invalid_ticket',
  signature: 'invalid_ticket',
  issuer: 'invalid_ticket',
  scope: 'invalid_ticket',
  // clocks that differ by more than they may: nothing that the client could not get over by asking again
  lifetime: 'ticket_expired',
  expired: 'ticket_expired',
  audience: 'wrong_node',
};

/** The leeway twice: the clock of whoever made it may be ahead by it, and it is taken for so long behind its end. */
const LIFE_MS = (TICKET_TTL_SECONDS + 2 * TICKET_LEEWAY_SECONDS + 1) * 1000;

/** Checks tickets, and takes each one once. */
export class Tickets {
  private readonly options: TicketsOptions;
  private readonly audience: string;
  /** Two generations, each as long as a ticket can live: after two turns a ticket is expired anyway. */
  private used = new Set<string>();
  private before = new Set<string>();
  private turnAt: number;

  constructor(options: TicketsOptions) {
    this.options = options;
    this.audience = ticketAudience(options.nodeId, options.incarnation);
    this.turnAt = options.now() + LIFE_MS;
  }

  take(token: string): Taken {
    const { keys, cluster: issuer, maxRemembered } = this.options;
    const now = this.options.now();
    const verified = verifyTicket(keys, token, { now, issuer, audience: this.audience });
    if (!verified.ok) return { ok: false, close: CLOSES[verified.reason], reason: verified.reason };
    if (now >= this.turnAt) {
      this.before = now >= this.turnAt + LIFE_MS ? new Set() : this.used;
      this.used = new Set();
      this.turnAt = now + LIFE_MS;
    }
    const { claims } = verified;
    if (this.used.has(claims.jti) || this.before.has(claims.jti)) {
      return { ok: false, close: 'ticket_used', reason: 'used' };
    }
    if (this.used.size >= maxRemembered) return { ok: false, close: 'unavailable', reason: 'full' };
    this.used.add(claims.jti);
    return { ok: true, claims };
  }
}
