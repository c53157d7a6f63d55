import {
  type ClusterClaims,
  type ClusterScope,
  capabilitiesProblem,
  isUserId,
  TICKET_LEEWAY_SECONDS,
  TICKET_TTL_SECONDS,
  type TicketClaims,
} from '@ringway/protocol';
import { type OpenFailure, openCompact, signCompact } from './jws.ts';
import type { KeyFamily } from './keys.ts';

/** `typ` of a ticket's header. */
export const TICKET_TYPE = 'ringway-ticket+jwt';
/** `typ` of a cluster token's header. */
export const CLUSTER_TYPE = 'ringway-cluster+jwt';

/** Why a token is refused. `lifetime`: a ticket that would live longer than tickets do. Times are looked at before issuer and audience. */
export type TokenFailure = OpenFailure | 'expired' | 'lifetime' | 'issuer' | 'audience' | 'scope';

/** What a token says, or why it is refused. */
export type Verified<C> =
  | { readonly ok: true; readonly claims: C }
  | { readonly ok: false; readonly reason: TokenFailure };

/** The audience of a ticket: this start of this node. */
export function ticketAudience(nodeId: string, incarnation: string): string {
  return `${nodeId}/${incarnation}`;
}

/** `exp` of a ticket made now. `now` in milliseconds since the epoch, the result in seconds. */
export function ticketExpiry(now: number): number {
  return Math.floor(now / 1000) + TICKET_TTL_SECONDS;
}

/** Signs a ticket with the family's newest key. All times of the claims are in seconds. */
export function mintTicket(family: KeyFamily, claims: TicketClaims): string {
  return signCompact(family, TICKET_TYPE, JSON.stringify(claims));
}

/** What a token must match. */
export interface Expectation {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly issuer: string;
  readonly audience: string;
}

/**
 * Checks a ticket. It is taken until 5 s behind its `exp`, which lies no further ahead than a ticket lives and 5 s; that
 * it is taken once is the node's to see to, which remembers it for no longer than that.
 */
export function verifyTicket(
  family: KeyFamily,
  token: string,
  expected: Expectation,
): Verified<TicketClaims> {
  const opened = openCompact(family, TICKET_TYPE, token);
  if (!opened.ok) return opened;
  const { claims } = opened;
  if (!isTicketClaims(claims)) return { ok: false, reason: 'malformed' };
  if (claims.exp * 1000 > expected.now + (TICKET_TTL_SECONDS + TICKET_LEEWAY_SECONDS) * 1000) {
    return { ok: false, reason: 'lifetime' };
  }
  return checkCommon(claims, expected) ?? { ok: true, claims };
}

/** What a cluster token is made from. `ttlSeconds` is 60 unless given. */
export interface ClusterTokenOptions extends Omit<ClusterClaims, 'exp'> {
  readonly ttlSeconds?: number;
  /** Milliseconds since the epoch; the machine's clock unless given. */
  readonly now?: number;
}

/** Lifetime of a cluster token in seconds. */
export const CLUSTER_TTL_SECONDS = 60;

/** Signs a cluster token with the family's newest key. */
export function mintClusterToken(family: KeyFamily, options: ClusterTokenOptions): string {
  const { iss, sub, aud, scope, ttlSeconds = CLUSTER_TTL_SECONDS, now = Date.now() } = options;
  const claims: ClusterClaims = { iss, sub, aud, scope, exp: Math.floor(now / 1000) + ttlSeconds };
  return signCompact(family, CLUSTER_TYPE, JSON.stringify(claims));
}

/** What a cluster token must match; with `scopes`, its scope must be one of them. */
export interface ClusterExpectation extends Expectation {
  readonly scopes?: readonly ClusterScope[];
}

/** Checks a cluster token. */
export function verifyClusterToken(
  family: KeyFamily,
  token: string,
  expected: ClusterExpectation,
): Verified<ClusterClaims> {
  const opened = openCompact(family, CLUSTER_TYPE, token);
  if (!opened.ok) return opened;
  const { claims } = opened;
  if (!isClusterClaims(claims)) return { ok: false, reason: 'malformed' };
  const failure = checkCommon(claims, expected);
  if (failure) return failure;
  if (expected.scopes && !expected.scopes.includes(claims.scope)) return { ok: false, reason: 'scope' };
  return { ok: true, claims };
}

interface Common {
  readonly iss: string;
  readonly aud: string;
  readonly exp: number;
}

function checkCommon(
  claims: Common,
  expected: Expectation,
): { readonly ok: false; readonly reason: TokenFailure } | undefined {
  if (expected.now >= (claims.exp + TICKET_LEEWAY_SECONDS) * 1000) return { ok: false, reason: 'expired' };
  if (claims.iss !== expected.issuer) return { ok: false, reason: 'issuer' };
  if (claims.aud !== expected.audience) return { ok: false, reason: 'audience' };
  return undefined;
}

function isCommon(claims: Record<string, unknown>): boolean {
  return typeof claims['iss'] === 'string' && typeof claims['aud'] === 'string' && isTime(claims['exp']);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isTicketClaims(claims: object): claims is TicketClaims {
  const c = claims as Record<string, unknown>;
  const ring = c['ring'] as Record<string, unknown> | null | undefined;
  const cap = c['cap'] as Record<string, unknown> | null | undefined;
  return (
    isCommon(c) &&
    isUserId(c['sub']) &&
    typeof c['jti'] === 'string' &&
    (c['sexp'] === undefined || isTime(c['sexp'])) &&
    (c['since'] === undefined || isTime(c['since'])) &&
    typeof ring?.['index'] === 'string' &&
    typeof ring['checksum'] === 'string' &&
    capabilitiesProblem(cap) === undefined &&
    cap?.['publish'] !== undefined &&
    cap['join'] !== undefined &&
    cap['presence'] !== undefined &&
    (c['via'] === undefined || c['via'] === 'avoid' || c['via'] === 'move') &&
    (c['avoid'] === undefined ||
      (Array.isArray(c['avoid']) && c['avoid'].every((id) => typeof id === 'string')))
  );
}

function isClusterClaims(claims: object): claims is ClusterClaims {
  const c = claims as Record<string, unknown>;
  return (
    isCommon(c) &&
    typeof c['sub'] === 'string' &&
    (c['scope'] === 'peer' || c['scope'] === 'push' || c['scope'] === 'admin')
  );
}
