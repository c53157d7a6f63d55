import type { ErrorCode, Position } from '@ringway/protocol';
import type { MembershipEntry } from '../groups/membership-table.ts';
import type { PresenceControl } from './presence-control.ts';

/** What became of one channel of a list. */
export interface ListOutcome {
  readonly code?: ErrorCode;
  readonly reached?: number;
  readonly duplicate?: boolean;
  readonly position?: Position;
}

export interface StandbyItem {
  readonly channel: string;
  readonly sessions: number;
  readonly since?: number;
}

/** Everything that is not sent once for each message. */
export type Control =
  | PresenceControl
  /** First record from the accepting side: proves the cluster key. */
  | { readonly t: 'hello'; readonly nodeId: string; readonly incarnation: string; readonly proof: string }
  /** Whom the sender does not hear. Sent at intervals and whenever it changes. */
  | { readonly t: 'heartbeat'; readonly unheard: readonly string[]; readonly echo: boolean }
  /**
   * The sender holds `sessions` subscribers of the channel; from `position` on, where it has one. `since`, here and below: when
   * the first of them began, of a user's channel, in milliseconds since the epoch.
   */
  | {
      readonly t: 'interest';
      readonly correlation: number;
      readonly channel: string;
      readonly sessions: number;
      readonly position?: Position;
      readonly since?: number;
    }
  /**
   * The stream of the channel goes on behind `start`; deliveries follow on the same link. `goesOn`: nothing lies between
   * that and the position that the interest named. Otherwise what does is to be read.
   */
  | {
      readonly t: 'interested';
      readonly correlation: number;
      readonly start?: Position;
      readonly goesOn?: boolean;
      readonly code?: ErrorCode;
      /** With a code: the node that is the home, as the refusing one sees it. */
      readonly home?: string;
    }
  /** How many they are now. None: the sender is no holder any more, unless it says that it has `kept` the channel. */
  | {
      readonly t: 'sessions';
      readonly channel: string;
      readonly sessions: number;
      readonly kept?: boolean;
      readonly since?: number;
    }
  /**
   * The sender holds subscribers of these channels, and the receiver is to send to them should it become the home; with no
   * sessions, it is not any more. Nothing is answered.
   */
  | { readonly t: 'standby'; readonly items: readonly StandbyItem[] }
  /** The sender is not the channel's home any more, and has dropped the receiver's interest in it. */
  | { readonly t: 'moved'; readonly channel: string }
  /**
   * The messages come as `deliver` records with this correlation, then `readEnd`. `past`: asked of a node that was the
   * home; where it still is, it answers once it is not. `closedBy`: the node whose epoch ended at `since`.
   */
  | {
      readonly t: 'read';
      readonly correlation: number;
      readonly channel: string;
      readonly since?: Position;
      readonly last?: number;
      readonly limit: number;
      readonly past?: boolean;
      readonly closedBy?: string;
    }
  /** `follows`: the node whose epoch came before the one that was read. */
  | {
      readonly t: 'readEnd';
      readonly correlation: number;
      readonly start?: Position;
      readonly end?: Position;
      readonly follows?: string;
      readonly next?: string;
      readonly forMs?: number;
      readonly code?: ErrorCode;
    }
  /** Answered once every publication that came before it on the link has been stored, refused or given up. */
  | { readonly t: 'sync'; readonly correlation: number }
  | { readonly t: 'synced'; readonly correlation: number }
  /** The sender has left the ring, and goes once the receiver needs nothing of it any more: that is the answer. */
  | { readonly t: 'release'; readonly correlation: number }
  | { readonly t: 'released'; readonly correlation: number }
  /** Where a holder stands in some channels, and with how many sessions. */
  | {
      readonly t: 'check';
      readonly items: readonly {
        readonly channel: string;
        readonly sessions: number;
        readonly at: Position;
        readonly since?: number;
      }[];
    }
  /** Channels of a check in which the holder is not known, and those in which it is behind. */
  | {
      readonly t: 'checked';
      readonly lost: readonly string[];
      readonly behind: readonly { readonly channel: string; readonly head: Position }[];
    }
  /** One outcome for each channel of a list, in its order. */
  | { readonly t: 'listed'; readonly correlation: number; readonly outcomes: readonly ListOutcome[] }
  /** Ends the sessions of a channel's user, at its home and from there at its holders. */
  | {
      readonly t: 'kick';
      readonly channel: string;
      readonly banSeconds: number;
      readonly forwarded: boolean;
    }
  /** A user was put into a group, or taken out, as the stamp says. Answered once the receiver has it, with the stamp that counts there. */
  | ({ readonly t: 'member'; readonly correlation: number } & MembershipEntry)
  | { readonly t: 'membered'; readonly correlation: number; readonly stamp: number }
  /** Whether the receiver has the same memberships. Told are the digests of its buckets, where it has not. */
  | { readonly t: 'rosterAsk'; readonly correlation: number; readonly digest: string }
  | {
      readonly t: 'rosterTold';
      readonly correlation: number;
      readonly digests?: readonly number[];
      /** The sender is starting itself: what it knows may not be all. */
      readonly partial?: boolean;
    }
  /** What the receiver knows in a bucket; comes in pages. */
  | { readonly t: 'rosterRead'; readonly correlation: number; readonly bucket: number }
  | {
      readonly t: 'rosterPage';
      readonly correlation: number;
      readonly entries: readonly MembershipEntry[];
      readonly more: boolean;
    };
