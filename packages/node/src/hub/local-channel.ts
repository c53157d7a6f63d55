import { type Position, samePosition } from '@ringway/protocol';
import { channelPoint } from '../channel-point.ts';
import type { Delivery } from '../router/port.ts';
import { messageHead } from '../session/frames.ts';
import type { Session } from '../session/session.ts';
import { quote } from '../text.ts';

/** So many messages back a repeat is recognised after a change of epoch. */
const RECENT = 32;

/** So many sessions are searched one by one when one leaves; of more a set is kept, which costs each of them memory. */
const MANY = 32;

/** Who waits for a channel to be accepted by the home. */
export interface Waiting {
  joined(channel: LocalChannel): void;
  failed(): void;
}

/** A session that does. */
export interface Joiner extends Waiting {
  readonly session: Session;
}

/** Before there are any: never written to. */
const NOBODY: Session[] = [];

/** A channel with sessions on this node. */
export class LocalChannel {
  readonly name: string;
  /** The name's place on the ring. */
  readonly point: number;
  private members: Session[] | Set<Session> = NOBODY;
  /** Who waits for the home's answer; undefined once it has come. */
  joiners: Map<Session, Joiner> | undefined = new Map();
  /** The last message that was taken, as the sessions have it; undefined until the home has answered. */
  position: Position | undefined;
  /** The same place by the name that the home has for it now: the beginning of an epoch that follows the position's. */
  alias: Position | undefined;
  /**
   * Whether a hole is being read from the log; what comes meanwhile is passed by, and asks for another look. `anew`: the
   * home has taken this node in meanwhile, and can be read.
   */
  filling: 'no' | 'reading' | 'again' | 'anew' = 'no';
  private head: string | undefined;
  private recent: string[] | undefined;
  private recentAt = 0;
  /** After a change of epoch the new home's log may hold what the old one had sent already: so many are compared. */
  private suspects = 0;

  constructor(name: string) {
    this.name = name;
    this.point = channelPoint(name);
  }

  /** Those whom the home has accepted. */
  get sessions(): Iterable<Session> {
    return this.members;
  }

  get size(): number {
    return Array.isArray(this.members) ? this.members.length : this.members.size;
  }

  has(session: Session): boolean {
    const { members } = this;
    return Array.isArray(members) ? members.includes(session) : members.has(session);
  }

  add(session: Session): void {
    const { members } = this;
    if (!Array.isArray(members)) members.add(session);
    // written out, so that the array has room for one: most channels have one session
    else if (members.length === 0) this.members = [session];
    else if (members.length < MANY) members.push(session);
    else this.members = new Set(members).add(session);
  }

  /** False where it was not there. */
  remove(session: Session): boolean {
    const { members } = this;
    if (!Array.isArray(members)) return members.delete(session);
    const at = members.indexOf(session);
    if (at < 0) return false;
    members[at] = members[members.length - 1] as Session;
    members.pop();
    return true;
  }

  /** Where the sessions are at, as the home of now would say it. */
  get at(): Position | undefined {
    return this.alias ?? this.position;
  }

  /** Whether this is where the sessions are at, by either name. */
  isAt(position: Position): boolean {
    const { alias, position: own } = this;
    return (
      (own !== undefined && samePosition(own, position)) ||
      (alias !== undefined && samePosition(alias, position))
    );
  }

  /** The stream goes on behind another name of the same place. */
  goOnAs(position: Position): void {
    if (this.position && samePosition(this.position, position)) return;
    // who comes later is told the name that other nodes have for it, too
    if (this.size === 0) this.position = position;
    this.alias = this.size === 0 ? undefined : position;
    this.epochChanged();
  }

  /** What every `message` frame of the channel begins with; made when the first is. */
  get messageHead(): string {
    this.head ??= messageHead(quote(this.name));
    return this.head;
  }

  /** The stream goes on in another epoch. */
  epochChanged(): void {
    this.suspects = this.recent ? RECENT : 0;
  }

  /** Whether this message was delivered before, under a position of another epoch. */
  isRepeat({ from, id }: Delivery): boolean {
    if (this.suspects === 0) return false;
    this.suspects--;
    return this.recent?.includes(from + id) === true;
  }

  /** To be recognised should it come again. Only what another node ordered can: this node's own log finds repeats itself. */
  remember({ from, id }: Delivery): void {
    this.recent ??= [];
    this.recent[this.recentAt++ % RECENT] = from + id;
  }
}
