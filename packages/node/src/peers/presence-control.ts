import type { ErrorCode } from '@ringway/protocol';

/** What a home knows of one user; with a code it is not the user's home. */
export interface PresenceItem {
  readonly code?: ErrorCode;
  readonly online: boolean;
  /** Not online as far as it knows, but it has become the home so lately that not all who hold sessions may have said so. */
  readonly unsure?: boolean;
  /** Milliseconds since the epoch. */
  readonly since?: number;
  readonly nodes: readonly { readonly nodeId: string; readonly sessions: number }[];
}

/** Questions about who is there, and their answers. */
export type PresenceControl =
  /** Which of these `user:` channels have sessions, and where; asked of their home. */
  | {
      readonly t: 'presence';
      readonly correlation: number;
      readonly channels: readonly string[];
      /** As those who watch have been told: who went less than the debounce ago is still there. */
      readonly debounced: boolean;
    }
  /** One item for each channel, in order. */
  | { readonly t: 'presences'; readonly correlation: number; readonly items: readonly PresenceItem[] }
  /** Whose sessions are in a channel: asked of its home, and by the home of its holders. */
  | { readonly t: 'occupants'; readonly correlation: number; readonly channel: string }
  /**
   * `users`: at most 10,000; `more`: there are more than those. `missing`: holders that did not answer in time. A code: the
   * one that was asked is not the home.
   */
  | {
      readonly t: 'occupantsAre';
      readonly correlation: number;
      readonly sessions: number;
      readonly users: readonly string[];
      readonly more: boolean;
      readonly missing: readonly string[];
      readonly code?: ErrorCode;
    };
