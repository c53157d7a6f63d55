import type { ErrorCode } from './errors.ts';
import type { PublishTarget, TargetResult } from './frames.ts';
import type { Position } from './position.ts';

/** Paths and media types of the HTTP surface. */
export const HTTP = Object.freeze({
  route: '/route',
  connect: '/connect',
  ring: '/ring',
  owner: '/owner',
  publish: '/publish',
  sessions: '/sessions',
  presence: '/presence',
  /** Server-sent events: who comes and goes. */
  presenceEvents: '/presence/events',
  /** `/groups/NAME/members/USER`; `?userId=` lists the groups of a user. */
  groups: '/groups',
  drain: '/drain',
  healthz: '/healthz',
  readyz: '/readyz',
  metrics: '/metrics',
  docs: '/docs',
  /** On a node's public listener: where clients open their socket. */
  socket: '/ws',
  /** On a node's internal listener: where its peers open theirs. */
  peer: '/peer',
  problemType: 'application/problem+json',
});

/**
 * Where a client opens its socket, up to the ticket: the member's public URL, which may carry a path prefix
 * (`wss://ws.example.com/n/node-2`), then `/ws`. A ticket's characters need no escaping.
 */
export function socketUrlHead(publicUrl: string): string {
  return `${publicUrl.endsWith('/') ? publicUrl.slice(0, -1) : publicUrl}${HTTP.socket}?ticket=`;
}

/** 200 of `GET /route`. Times in milliseconds: `expiresAt` since the epoch, `expiresIn` from now. */
export interface RouteAnswer {
  readonly userId: string;
  readonly nodeId: string;
  /** Ready to open as it is. */
  readonly url: string;
  readonly fallbackUrl?: string;
  readonly ticket: string;
  readonly expiresAt: number;
  readonly expiresIn: number;
  readonly ring: { readonly index: string; readonly checksum: string };
}

/** One answer of `GET /owner` and `POST /owner`: where to push to, and the 60 s token for it. */
export interface OwnerAnswer {
  readonly userId: string;
  readonly nodeId: string;
  readonly internalUrl: string;
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly ring: { readonly index: string; readonly checksum: string };
}

/** A member as `GET /ring` shows it. */
export interface RingDocumentMember {
  readonly id: string;
  readonly incarnation: string;
  readonly publicUrl: string;
  readonly internalUrl: string;
  readonly weight: number;
  /** Only members that are `up` are in the ring. */
  readonly state: string;
}

/** 200 of `GET /ring`. */
export interface RingDocument {
  readonly index: string;
  readonly checksum: string;
  /** Ring format, as docs/ring.md specifies it. */
  readonly format: number;
  readonly members: readonly RingDocumentMember[];
}

/** Body, or element of a body's array, of `POST /publish`. */
export interface PublishRequest {
  readonly to: PublishTarget;
  readonly data: unknown;
  readonly id?: string;
  readonly ephemeral?: boolean;
}

/** Answer to one {@link PublishRequest}. */
export interface PublishAnswer {
  readonly id: string;
  readonly reached?: number;
  readonly position?: Position;
  readonly duplicate?: boolean;
  readonly results?: readonly TargetResult[];
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly retryable: boolean };
}

/** A session as `GET /sessions?userId=` shows it. */
export interface SessionInfo {
  readonly sessionId: string;
  readonly userId: string;
  readonly nodeId: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** `data` of a message of a `presence:` channel. */
export interface PresenceState {
  readonly userId: string;
  readonly online: boolean;
  /** While online: when the earliest of the user's sessions began, in milliseconds since the epoch. */
  readonly since?: number;
}

/** `data` of a `state` event of `GET /presence/events`. */
export interface StreamedState extends PresenceState {
  /** It was so when the stream began, or soon after. */
  readonly snapshot?: true;
}

/** One of `users` in the answer of `GET` and `POST /presence`; with `error` nothing is known of the user. */
export type UserPresence =
  | (PresenceState & {
      readonly sessions: number;
      readonly nodes: readonly { readonly nodeId: string; readonly sessions: number }[];
      readonly error?: undefined;
    })
  | {
      readonly userId: string;
      readonly error: { readonly code: ErrorCode; readonly message: string };
    };

/** Answer of `GET /presence?group=`. */
export interface GroupPresence {
  readonly group: string;
  readonly sessions: number;
  /** Whose sessions they are, each once; at most 10,000. */
  readonly users: readonly string[];
  /** There are more users than those. */
  readonly more: boolean;
  /** Nodes with sessions of the group that did not tell in time whose they are. */
  readonly missing: readonly string[];
}

/** Where backends put a user into a group, by `PUT`, and take it out, by `DELETE`. */
export function memberPath(group: string, userId: string): string {
  return `${membersPath(group)}/${encodeURIComponent(userId)}`;
}

/** Where the members of a group are listed. */
export function membersPath(group: string): string {
  return `${HTTP.groups}/${encodeURIComponent(group)}/members`;
}

/** 200 of `PUT` and `DELETE /groups/NAME/members/USER`. */
export interface GroupMember {
  readonly group: string;
  readonly userId: string;
}

/** 200 of `GET /groups/NAME/members`: whom backends have put in, by the bytes of their ids. */
export interface GroupMembers {
  readonly group: string;
  readonly members: readonly string[];
  /** There are others: ask again with `after`, the last of these. */
  readonly more: boolean;
}

/** 200 of `GET /groups?userId=`: where backends have put the user in. */
export interface UserGroups {
  readonly userId: string;
  readonly groups: readonly string[];
}

/** Why a node drains: a signal or a stop of the process, a request, the registry that shows it in maintenance or critical. */
export type DrainCause = 'signal' | 'request' | 'maintenance' | 'critical';

/** Answer of `GET`, `POST` and `DELETE /drain`. */
export interface DrainAnswer {
  readonly nodeId: string;
  readonly state: 'serving' | 'draining' | 'drained';
  readonly causes: readonly DrainCause[];
  /** Sessions when the drain began, those of them that are gone, and those that are still here. */
  readonly total: number;
  readonly moved: number;
  readonly left: number;
  /** How long it has been going on. */
  readonly seconds: number;
  /** How long it may take, over all. */
  readonly graceSeconds: number;
}

/** RFC 9457, with the members that Ringway adds. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly retryAfterMs?: number;
}
