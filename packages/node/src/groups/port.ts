/** What a roster tells the node that it serves. */
export interface RosterUser {
  /**
   * The user is in the group from now on, or is not: all its sessions of this node follow. Where a membership has ended it may
   * never have been one: its sessions may have joined by themselves.
   */
  changed(userId: string, group: string, present: boolean): void;
  /** Changes may have been missed: whoever has sessions here is to be looked at anew. */
  doubtful(): void;
}

/** Some members of a group, in order. */
export interface MemberPage {
  readonly members: readonly string[];
  /** There are others behind them. */
  readonly more: boolean;
}

/** No more may be put in: the message says which bound is reached. Nothing was changed. */
export class RosterFullError extends Error {
  override readonly name = 'RosterFullError';
  readonly code = 'roster_full';
}

/** Nothing was changed, or could be read. */
export class RosterRefusedError extends Error {
  override readonly name = 'RosterRefusedError';
  readonly code = 'roster_refused';
}

/** The change may hold, or not: nobody has said so in time. */
export class RosterUnknownError extends Error {
  override readonly name = 'RosterUnknownError';
  readonly code = 'roster_unknown';
}

/**
 * PORT. Which users backends have put into which groups; one for all nodes of a cluster. Groups are named without `group:`.
 *
 * - `put` and `remove` may be repeated. Once one has resolved the change is kept by more than this process, where there is
 *   more; every node is told it by {@link RosterUser.changed}, this one included, soon and not necessarily before.
 * - Changes of one membership take effect in the order of the calls where each is made after the one before was answered,
 *   whichever node was asked.
 * - They reject with {@link RosterFullError}, {@link RosterRefusedError} or {@link RosterUnknownError}, reads with the second.
 * - What a node was not told, because it heard nobody for a while, it is told later or by {@link RosterUser.doubtful}.
 * - Members of a group, and groups of a user, are in the order of their UTF-8 bytes.
 */
export interface Roster {
  /** @throws RosterFullError (as a rejection) when the user, or the roster, may have no more */
  put(userId: string, group: string): Promise<void>;
  remove(userId: string, group: string): Promise<void>;
  /** A value where it is at hand, a promise where it must be asked for. */
  groupsOf(userId: string): readonly string[] | Promise<readonly string[]>;
  /** Those behind `after`, at most `limit`. */
  membersOf(group: string, after: string, limit: number): MemberPage | Promise<MemberPage>;
  /** Resolves once it can be asked. */
  start(user: RosterUser): Promise<void>;
  stop(): Promise<void>;
}

/** Most users and groups of one page. */
export const MOST_MEMBERS_A_PAGE = 10_000;
