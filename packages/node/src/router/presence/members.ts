import type { PresenceControl } from '../../peers/presence-control.ts';
import { encodeControl } from '../../peers/wire.ts';
import type { Holder, Home } from '../home.ts';
import type { LocalChannels, Subscriber } from '../port.ts';
import type { Pending } from './pending.ts';

type MembersAre = Extract<PresenceControl, { t: 'membersAre' }>;
/** Whose sessions are in a channel. */
export type Members = Omit<MembersAre, 't' | 'correlation' | 'code'>;

/** Most users that are named. */
const MOST_USERS = 10_000;

/** Gathers whose sessions are in a channel: those of this node, and, where it is home, those of all holders. */
export class MembersOf {
  private readonly home: Home;
  private readonly local: LocalChannels;
  private readonly pending: Pending<Holder, Members>;

  constructor(home: Home, local: LocalChannels, pending: Pending<Holder, Members>) {
    this.home = home;
    this.local = local;
    this.pending = pending;
  }

  /** Those of this node alone. */
  here(channel: string): Members {
    const subscribers = this.local.subscribersOf(channel);
    const users = new Set<string>();
    const more = addUpTo(users, usersOf(subscribers));
    return { sessions: subscribers.length, users: [...users], more, missing: [] };
  }

  everywhere(channel: string, deadline: number, done: (members: Members) => void): void {
    const own = this.here(channel);
    const users = new Set(own.users);
    let { sessions, more } = own;
    const missing: string[] = [];
    let open = 1;
    const settled = (): void => {
      if (--open === 0) done({ sessions, users: [...users], more, missing });
    };
    for (const { holder, sessions: theirs } of this.home.interestsIn(channel)) {
      open++;
      sessions += theirs;
      const record = (correlation: number): string => encodeControl({ t: 'members', correlation, channel });
      this.pending.ask(holder, record, deadline, (members) => {
        if (!members) missing.push(holder.nodeId);
        else if (addUpTo(users, members.users) || members.more) more = true;
        settled();
      });
    }
    settled();
  }
}

function* usersOf(subscribers: readonly Subscriber[]): Iterable<string> {
  for (const { userId } of subscribers) yield userId;
}

/** Whether some had no room. */
function addUpTo(users: Set<string>, more: Iterable<string>): boolean {
  for (const userId of more) {
    if (users.has(userId)) continue;
    if (users.size >= MOST_USERS) return true;
    users.add(userId);
  }
  return false;
}
