import type { GroupPresence, PresenceState, UserPresence } from '@ringway/protocol';

/** Is told of users, in order, from {@link Presence.follow} on. */
export interface PresenceListener {
  /** A user has come or, for longer than the debounce, gone. May say what was said before. */
  changed(state: PresenceState): void;
  /** Nothing more comes: the node stops. */
  ended(): void;
}

/** Somebody's standing interest in users. */
export interface Following {
  /** Those that are online, each looked at when it is its turn: what was told meanwhile is not contradicted. */
  snapshot(): Iterable<PresenceState>;
  /** `slow`: it took less than there was to tell. */
  close(why: 'left' | 'slow'): void;
}

/**
 * PORT. Optional capability of a router beside `Router`: who of the users is there, as their homes know it.
 *
 * Callbacks and not promises where the answer has its place in the order of messages. All are called once, within half of
 * RINGWAY_HOME_TIMEOUT.
 */
export interface Presence {
  /** One answer for each user, in order; with an error for those whose home did not answer. */
  ask(
    userIds: readonly string[],
    options: {
      /** As those who watch have been told: who went less than the debounce ago is still there. */
      readonly debounced: boolean;
    },
    done: (users: readonly UserPresence[]) => void,
  ): void;
  /** Who has sessions in a group; undefined when its home did not answer. */
  members(group: string, done: (answer: GroupPresence | undefined) => void): void;
  /** Follows users that this node is home of; all of them, unless some are named. Undefined: too many do already. */
  follow(userIds: readonly string[] | undefined, listener: PresenceListener): Following | undefined;
}
