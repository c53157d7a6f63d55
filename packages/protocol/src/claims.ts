import { MAX_NAME_BYTES } from './channels.ts';

/** What a session may do: channel names, exact or with one trailing `*`. An empty list allows nothing. */
export interface Capabilities {
  readonly publish: readonly string[];
  readonly join: readonly string[];
  readonly presence: readonly string[];
}

/** Receive only: what a caller gets whose token says nothing. */
export const NO_CAPABILITIES: Capabilities = Object.freeze({
  publish: Object.freeze([]) as readonly string[],
  join: Object.freeze([]) as readonly string[],
  presence: Object.freeze([]) as readonly string[],
});

/** Most patterns in one list of {@link Capabilities}. */
export const MAX_CAPABILITY_PATTERNS = 64;

/** Lifetime of a ticket in seconds. */
export const TICKET_TTL_SECONDS = 30;

/** How long after its `exp` a ticket is still taken, in seconds, for clocks that differ. */
export const TICKET_LEEWAY_SECONDS = 5;

/** Whether one of the patterns names the channel. `user:*` covers every user, `*` everything. */
export function allows(patterns: readonly string[], channel: string): boolean {
  for (const pattern of patterns) {
    if (pattern === channel) return true;
    const last = pattern.length - 1;
    if (pattern.charCodeAt(last) === 0x2a && channel.startsWith(pattern.slice(0, last))) return true;
  }
  return false;
}

/**
 * What is wrong with a value that should be {@link Capabilities} (lists may be left out); undefined when nothing is.
 * The sentence names the field and what was expected.
 */
export function capabilitiesProblem(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'cap must be an object';
  for (const field of ['publish', 'join', 'presence'] as const) {
    const list: unknown = (value as Record<string, unknown>)[field];
    if (list === undefined) continue;
    if (!Array.isArray(list)) return `cap.${field} must be a list of channel names`;
    if (list.length > MAX_CAPABILITY_PATTERNS) {
      return `cap.${field} has ${list.length} entries, at most ${MAX_CAPABILITY_PATTERNS} are allowed`;
    }
    for (const pattern of list) {
      if (typeof pattern !== 'string' || pattern === '' || pattern.length > MAX_NAME_BYTES + 8) {
        return `cap.${field} must hold channel names of 1 to ${MAX_NAME_BYTES + 8} characters`;
      }
      const star = pattern.indexOf('*');
      if (star !== -1 && star !== pattern.length - 1)
        return `cap.${field}: '*' may stand only at the end of a name`;
    }
  }
  return undefined;
}

/**
 * Claims of a ticket: a JWT (HS256, `typ` `ringway-ticket+jwt`) that opens one session on one node, once.
 * All times are NumericDate (RFC 7519): seconds since the epoch.
 */
export interface TicketClaims {
  /** The cluster's name. */
  readonly iss: string;
  /** The user. */
  readonly sub: string;
  /** `<node id>/<incarnation>`: this start of this node and no other. */
  readonly aud: string;
  readonly exp: number;
  /** Unique; a node takes it once. */
  readonly jti: string;
  /** When the session's own right ends; absent when it does not. */
  readonly sexp?: number;
  /** The ring by which the node was chosen. */
  readonly ring: { readonly index: string; readonly checksum: string };
  readonly cap: Capabilities;
  /** With `via` `move`: since when the session has been there, in milliseconds since the epoch; it keeps that. */
  readonly since?: number;
  /** Why the node is not, or was not always, the user's home: the caller avoided a node, or a node moved the session. */
  readonly via?: 'avoid' | 'move';
  /** With `via` `avoid`: the nodes that the caller avoided; with `move`: the node that it came from, where that is leaving. */
  readonly avoid?: readonly string[];
}

/** What a cluster token lets its bearer do. */
export type ClusterScope = 'peer' | 'push' | 'admin';

/** Claims of a cluster token: a short JWT (HS256, `typ` `ringway-cluster+jwt`) between nodes and from backends. */
export interface ClusterClaims {
  readonly iss: string;
  /** Who speaks: a node id, or a backend's name. */
  readonly sub: string;
  /** Who is meant: a node id, or `locator`. */
  readonly aud: string;
  readonly exp: number;
  readonly scope: ClusterScope;
}
