import type { ErrorCode } from './errors.ts';
import type { Position } from './position.ts';

/** Where a publish goes: one channel (`user:<id>`, `group:<name>`, `all`), or a list of users. */
export type PublishTarget = string | { readonly users: readonly string[] };

/** Frames that a client sends. Unknown fields are ignored. */
export type ClientFrame =
  | {
      readonly type: 'publish';
      readonly to: PublishTarget;
      readonly data: unknown;
      /** Unique per user; asks for `published` or `error`. Left out: no answer. */
      readonly id?: string;
      /** Sent at most once, not stored, no position. */
      readonly ephemeral?: boolean;
    }
  | { readonly type: 'join'; readonly channel: string }
  | { readonly type: 'leave'; readonly channel: string }
  | {
      readonly type: 'resume';
      /** Channel to the position after which messages are wanted. */
      readonly positions?: Readonly<Record<string, Position>>;
      /** Instead of positions: the last n messages of the user's own channel. */
      readonly last?: number;
    }
  | { readonly type: 'refresh'; readonly ticket: string }
  | { readonly type: 'moveFailed'; readonly reason?: string }
  | { readonly type: 'ping' }
  | { readonly type: 'pong' };

/** First frame of a session: it stands, and its home knows. */
export interface WelcomeFrame {
  readonly type: 'welcome';
  readonly protocol: number;
  readonly nodeId: string;
  readonly sessionId: string;
  readonly userId: string;
  /** The session's own channel, `user:<userId>`, and its position now. */
  readonly channel: string;
  readonly position: Position;
  readonly ping: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly limits: { readonly frameBytes: number; readonly publishesPerSecond: number };
  /** When the session's right ends, in milliseconds since the epoch; absent when it does not. */
  readonly expiresAt?: number;
}

export interface MessageFrame {
  readonly type: 'message';
  readonly channel: string;
  readonly id: string;
  /** Absent on an ephemeral message. */
  readonly position?: Position;
  /** The position of the message before this one in the channel. Absent on an ephemeral message. */
  readonly previous?: Position;
  readonly from: string;
  readonly data: unknown;
}

/** Outcome for one target of a list. */
export interface TargetResult {
  readonly to: string;
  readonly position?: Position;
  readonly reached?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

export interface PublishedFrame {
  readonly type: 'published';
  readonly id: string;
  /** Sessions written to, as the home's table had it: a hint, not a receipt. */
  readonly reached: number;
  /** Absent for ephemeral messages and lists. */
  readonly position?: Position;
  /** The id had been stored before: this is that message's position. */
  readonly duplicate?: boolean;
  /** For a list: one for each user, in the order given. */
  readonly results?: readonly TargetResult[];
}

export interface ErrorFrame {
  readonly type: 'error';
  /** The publish that it answers, where it answers one. */
  readonly id?: string;
  readonly channel?: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

export interface JoinedFrame {
  readonly type: 'joined';
  readonly channel: string;
  readonly position: Position;
}

export interface LeftFrame {
  readonly type: 'left';
  readonly channel: string;
}

/** Sent once a `resume` has been served: the missed messages came before it, as `message` frames. */
export interface ResumedFrame {
  readonly type: 'resumed';
  readonly channels: readonly { readonly channel: string; readonly position: Position }[];
}

/** Messages after `after` up to and including `upTo` cannot be delivered any more, or cannot be known. */
export interface GapFrame {
  readonly type: 'gap';
  readonly channel: string;
  readonly after: Position;
  readonly upTo: Position;
}

export interface MoveFrame {
  readonly type: 'move';
  readonly url: string;
  readonly ticket: string;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
}

/** The session's right ends soon: ask `/route` with a fresh token and send its ticket in `refresh`. */
export interface ExpiringFrame {
  readonly type: 'expiring';
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly expiresIn: number;
}

export interface RefreshedFrame {
  readonly type: 'refreshed';
  /** Milliseconds since the epoch; absent when the right does not end. */
  readonly expiresAt?: number;
}

/** Frames that a node sends to a client. */
export type ServerFrame =
  | WelcomeFrame
  | MessageFrame
  | PublishedFrame
  | ErrorFrame
  | JoinedFrame
  | LeftFrame
  | ResumedFrame
  | GapFrame
  | MoveFrame
  | ExpiringFrame
  | RefreshedFrame
  | { readonly type: 'ping' }
  | { readonly type: 'pong' };
