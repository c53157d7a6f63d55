import type { PresenceControl } from '../../peers/presence-control.ts';
import { encodeControl } from '../../peers/wire.ts';
import type { Holder, Home } from '../home.ts';
import type { LocalChannels } from '../port.ts';
import type { Pending } from './pending.ts';

type OccupantsAre = Extract<PresenceControl, { t: 'occupantsAre' }>;
/** Whose sessions are in a channel. */
export type Occupants = Omit<OccupantsAre, 't' | 'correlation' | 'code'>;

/** Most users that are named. */
const MOST_USERS = 10_000;

/** Gathers whose sessions are in a channel: those of this node, and, where it is home, those of all holders. */
export class OccupantsOf {
  private readonly home: Home;
  private readonly local: LocalChannels;
  private readonly pending: Pending<Holder, Occupants>;

  constructor(home: Home, local: LocalChannels, pending: Pending<Holder, Occupants>) {
    this.home = home;
    this.local = local;
    this.pending = pending;
  }

  /** Those of this node alone. */
  here(channel: string): Occupants {
    let sessions = 0;
    const users = new Set<string>();
    let more = false;
    for (const { userId } of this.local.subscribersOf(channel)) {
      sessions++;
      more ||= addUpTo(users, [userId]);
    }
    return { sessions, users: [...users], more, missing: [] };
  }

  everywhere(channel: string, deadline: number, done: (members: Occupants) => void): void {
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
      const record = (correlation: number): string => encodeControl({ t: 'occupants', correlation, channel });
      this.pending.ask(holder, record, deadline, (members) => {
        if (!members) missing.push(holder.nodeId);
        else if (addUpTo(users, members.users) || members.more) more = true;
        settled();
      });
    }
    settled();
  }
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
