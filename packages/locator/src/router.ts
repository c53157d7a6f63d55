import { randomBytes } from 'node:crypto';
import type { Member } from '@ringway/membership';
import { ERRORS, isUserId, type OwnerAnswer } from '@ringway/protocol';
import type { Ring } from '@ringway/ring';
import {
  CLUSTER_TTL_SECONDS,
  type KeyFamily,
  mintClusterToken,
  signCompact,
  TICKET_TYPE,
  ticketAudience,
  ticketExpiry,
  verifyTicket,
} from '@ringway/service';
import { InvalidUserIdError } from './auth/errors.ts';
import type { Caller } from './auth/port.ts';
import { chooseMember } from './choose.ts';
import { ProblemError } from './problem.ts';
import type { RingSource } from './ring-source.ts';
import type { Routed } from './route-answer.ts';
import { ticketHead, ticketJson } from './ticket-text.ts';

/** What a {@link Router} works with. */
export interface RouterOptions {
  readonly cluster: string;
  readonly source: RingSource;
  readonly ticketKeys: KeyFamily;
  readonly clusterKeys: KeyFamily;
  /** Where this locator carries sockets, up to the ticket. */
  readonly fallback?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const NO_NODES_RETRY_MS = 1000;

/** Answers who goes where, from the ring as it is at this moment. */
export class Router {
  readonly #options: RouterOptions;
  // Unique among all locators without a random number a ticket; tickets are signed, so ids need not be unguessable.
  readonly #run = randomBytes(12).toString('base64url');
  #count = 0;
  /** What all tickets for a member have in common, for the ring that it was worked out on. */
  #heads = new Map<Member, string>();
  #headsRing: Ring<Member> | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /**
   * Sends a caller to the home of its channel, or to the first member after it that is not to be avoided.
   *
   * @throws ProblemError `not_ready`, `no_nodes`
   */
  route(caller: Caller, avoid: readonly string[]): Routed {
    const { ticketKeys, now, fallback } = this.#options;
    const ring = this.#ring();
    const choice = chooseMember(ring, caller.userId, avoid);
    if (!choice) throw noNodes();
    const { member, avoided } = choice;
    const at = now();
    const exp = ticketExpiry(at);
    const claims = ticketJson(this.#head(member, ring), {
      sub: caller.userId,
      exp,
      jti: this.#run + (this.#count++).toString(36),
      sexp: caller.exp,
      cap: caller.cap,
      avoid: avoided ? avoid : undefined,
    });
    const ticket = signCompact(ticketKeys, TICKET_TYPE, claims);
    return { userId: caller.userId, member, ticket, exp, at, ring: ring.version, fallback };
  }

  /**
   * The member that a ticket opens a session with, if the ticket is one of this cluster; else why it is of no use here.
   *
   * @throws ProblemError `not_ready`
   */
  ticketed(ticket: string): Member | 'invalid_ticket' | 'ticket_expired' | 'wrong_node' {
    const { cluster, ticketKeys, now } = this.#options;
    this.#ring();
    const audience = claimedAudience(ticket);
    const members = this.#options.source.snapshot?.members ?? [];
    const member = members.find(({ id, incarnation }) => ticketAudience(id, incarnation) === audience);
    const expected = { now: now(), issuer: cluster, audience: audience ?? '' };
    const verified = verifyTicket(ticketKeys, ticket, expected);
    if (!verified.ok) return verified.reason === 'expired' ? 'ticket_expired' : 'invalid_ticket';
    return member ?? 'wrong_node';
  }

  /**
   * The homes of users, each with a token to push to it in the name of the subject.
   *
   * @throws ProblemError `not_ready`, `no_nodes` | InvalidUserIdError
   */
  owners(subject: string, userIds: readonly string[]): OwnerAnswer[] {
    const { cluster, clusterKeys, now } = this.#options;
    const ring = this.#ring();
    const at = now();
    const expiresAt = (Math.floor(at / 1000) + CLUSTER_TTL_SECONDS) * 1000;
    const tokens = new Map<string, string>();
    return userIds.map((userId) => {
      if (!isUserId(userId)) throw new InvalidUserIdError('userId');
      const choice = chooseMember(ring, userId, []);
      if (!choice) throw noNodes();
      const { id, internalUrl } = choice.member;
      const token =
        tokens.get(id) ??
        mintClusterToken(clusterKeys, { iss: cluster, sub: subject, aud: id, scope: 'push', now: at });
      tokens.set(id, token);
      return { userId, nodeId: id, internalUrl, token, expiresAt, ring: ring.version };
    });
  }

  #head(member: Member, ring: Ring<Member>): string {
    if (this.#headsRing !== ring) {
      this.#headsRing = ring;
      this.#heads = new Map();
    }
    let head = this.#heads.get(member);
    if (head === undefined) {
      head = ticketHead(this.#options.cluster, member, ring.version);
      this.#heads.set(member, head);
    }
    return head;
  }

  #ring(): Ring<Member> {
    const { current, snapshot } = this.#options.source;
    if (!snapshot)
      throw new ProblemError('not_ready', ERRORS.not_ready.means, { retryAfterMs: NO_NODES_RETRY_MS });
    return current;
  }
}

/** Whom a ticket says it is for, unproved. */
function claimedAudience(ticket: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString());
    const { aud } = claims as { aud?: unknown };
    return typeof aud === 'string' ? aud : undefined;
  } catch {
    return undefined;
  }
}

function noNodes(): ProblemError {
  return new ProblemError('no_nodes', ERRORS.no_nodes.means, { retryAfterMs: NO_NODES_RETRY_MS });
}
