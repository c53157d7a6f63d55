import { groupChannel } from '@ringway/protocol';
import type { Hub } from '../hub/hub.ts';
import type { Waiting } from '../hub/local-channel.ts';
import { whenever } from '../router/whenever.ts';
import type { SessionsByUser } from '../session/by-user.ts';
import { frame, joinedFrame } from '../session/frames.ts';
import type { Session } from '../session/session.ts';
import type { Roster, RosterUser } from './port.ts';

export interface MembersContext {
  readonly roster: Pick<Roster, 'groupsOf'>;
  readonly hub: Hub;
  readonly byUser: SessionsByUser;
}

/** So many of those who are to be looked at are at a time, and so long between, in milliseconds. */
const LOOKS = 500;
const LOOK_MS = 50;
/** The same after the roster could not be read, or a home not be reached. */
const REST_MS = 500;

/** Puts the sessions of this node into the groups that backends have put their users in, and takes them out again. */
export class Members implements RosterUser {
  private readonly context: MembersContext;
  /** Channels of the groups of each user with sessions here; nothing of users in none. */
  private readonly known = new Map<string, Set<string>>();
  /** Users that are being read; `again` where something has changed since that was asked. */
  private readonly reading = new Map<string, 'once' | 'again'>();
  /** Users that are to be read. */
  private readonly doubts = new Set<string>();
  /** Until the next look, where there is to be one. */
  private timer: NodeJS.Timeout | undefined;
  private resting = false;

  constructor(context: MembersContext) {
    this.context = context;
  }

  stop(): void {
    clearTimeout(this.timer);
    this.doubts.clear();
  }

  /** A session was welcomed. Its groups are told behind that, each by a `joined`. */
  arrived(session: Session): void {
    const { userId } = session;
    if (this.known.has(userId)) this.enter(session);
    else this.read(userId);
  }

  /** A session has ended. */
  ended({ userId }: Session): void {
    if (this.context.byUser.of(userId).length > 0) return;
    this.known.delete(userId);
    this.doubts.delete(userId);
  }

  /** Whether a backend has put the user in: neither a right nor room among the session's own groups is needed. */
  holds(userId: string, channel: string): boolean {
    return this.known.get(userId)?.has(channel) === true;
  }

  /** Channels that the session has joined by itself. */
  ownOf({ userId, channels }: Session): number {
    const known = this.known.get(userId);
    return channels.reduce((count, { name }, i) => (i === 0 || known?.has(name) ? count : count + 1), 0);
  }

  changed(userId: string, group: string, present: boolean): void {
    // also where nobody is here just now: somebody may be when the answer comes
    if (this.reading.has(userId)) this.reading.set(userId, 'again');
    const sessions = this.context.byUser.of(userId);
    if (sessions.length === 0) return;
    const channel = groupChannel(group);
    const known = this.known.get(userId);
    if (present) {
      if (known) known.add(channel);
      else this.known.set(userId, new Set([channel]));
      for (const session of [...sessions]) this.enter(session);
      return;
    }
    known?.delete(channel);
    if (known?.size === 0) this.known.delete(userId);
    this.takeOut(sessions, channel);
  }

  doubtful(): void {
    for (const userId of this.context.byUser.users()) this.doubts.add(userId);
    this.lookIn(LOOK_MS);
  }

  /**
   * Subscribes the session, which is not. `joined` is called when the home knows, `failed` where it could not be asked:
   * whatever a backend has wanted is asked for again.
   */
  join(session: Session, name: string, { joined, failed }: Waiting): void {
    const channel = this.context.hub.subscribe(name, {
      session,
      joined,
      failed: () => {
        const at = session.channels.findIndex((subscribed) => subscribed.name === name);
        if (at > 0) session.channels.splice(at, 1);
        if (this.holds(session.userId, name)) this.doubt(session.userId);
        failed();
      },
    });
    session.channels.push(channel);
  }

  /** Ends the session's subscription to a group, and says so whether there was one or not. */
  leave(session: Session, name: string): void {
    const at = session.channels.findIndex((channel, i) => i > 0 && channel.name === name);
    const [channel] = at > 0 ? session.channels.splice(at, 1) : [];
    if (channel) this.context.hub.unsubscribe(channel, session);
    session.send(frame({ type: 'left', channel: name }));
  }

  /** Into all groups of its user but those that it has left. */
  private enter(session: Session): void {
    if (session.state !== 'open') return;
    const present = new Set(session.channels.map(({ name }) => name));
    for (const name of this.known.get(session.userId) ?? []) {
      if (present.has(name) || session.declined?.has(name)) continue;
      this.join(session, name, {
        joined: ({ position }) => {
          if (position) session.send(joinedFrame(name, position));
        },
        failed() {},
      });
    }
  }

  private takeOut(sessions: readonly Session[], name: string): void {
    for (const session of [...sessions]) {
      session.declined?.delete(name);
      if (session.channels.some((channel, i) => i > 0 && channel.name === name)) this.leave(session, name);
    }
  }

  private read(userId: string): void {
    if (this.reading.has(userId)) return;
    this.reading.set(userId, 'once');
    whenever(
      this.context.roster.groupsOf(userId),
      (groups) => {
        const again = this.reading.get(userId) === 'again';
        this.reading.delete(userId);
        const sessions = this.context.byUser.of(userId);
        if (sessions.length === 0) return;
        // which of the two is the newer is not to be seen
        if (again) this.read(userId);
        else this.take(userId, sessions, groups);
      },
      () => {
        this.reading.delete(userId);
        this.doubt(userId);
      },
    );
  }

  private take(userId: string, sessions: readonly Session[], groups: readonly string[]): void {
    const before = this.known.get(userId);
    const now = new Set(groups.map(groupChannel));
    if (now.size > 0) this.known.set(userId, now);
    else this.known.delete(userId);
    for (const channel of before ?? []) if (!now.has(channel)) this.takeOut(sessions, channel);
    for (const session of [...sessions]) this.enter(session);
  }

  private doubt(userId: string): void {
    if (this.context.byUser.of(userId).length === 0) return;
    this.doubts.add(userId);
    if (this.resting) return;
    // whoever is next would fare no better
    this.resting = true;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.lookIn(REST_MS);
  }

  private lookIn(ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.resting = false;
      this.look();
    }, ms).unref();
  }

  private look(): void {
    let left = LOOKS;
    for (const userId of this.doubts) {
      if (left-- === 0) return this.lookIn(LOOK_MS);
      this.doubts.delete(userId);
      this.read(userId);
    }
  }
}
