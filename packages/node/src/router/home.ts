import { CHANNEL_ALL, type Position, samePosition } from '@ringway/protocol';
import { type Appended, type Log, type LoggedMessage, LogRefusedError, type SharedLog } from '../log/port.ts';
import { type Control, encodeControl, encodeDeliver, type StandbyItem } from '../peers/wire.ts';
import { type Interest, Interests } from './interests.ts';
import type { LocalChannels, Message, Outcome } from './port.ts';
import { pageOf } from './read-requests.ts';
import { SentOn } from './sent-on.ts';
import { whenever } from './whenever.ts';

/** A node with subscribers of a channel, as its home reaches it: by the link on which it said so. */
export interface Holder {
  readonly nodeId: string;
  /** The link stands. Once it does not, its interest is dropped, and none must come behind that. */
  readonly open: boolean;
  send(record: string): void;
}

/** So many characters of a backlog a holder is sent unasked: more at once could be more than its link may hold. */
const BACKLOG_LENGTH = 64 * 1024;

/** Messages read at a time to catch up with the log. */
const PAGE = 256;

const FAILED_UNKNOWN: Outcome = Object.freeze({ kind: 'failed', code: 'unknown' });
const FAILED_UNAVAILABLE: Outcome = Object.freeze({ kind: 'failed', code: 'unavailable' });
const FAILED_CONFLICT: Outcome = Object.freeze({ kind: 'failed', code: 'id_conflict' });

type Done = ((outcome: Outcome) => void) | undefined;

/** What a node does for the channels that it is home of: orders them, and knows which other nodes hold subscribers. */
export class Home {
  private readonly log: Log;
  private readonly local: LocalChannels;
  /** Local sessions are not in it: the hub knows them. */
  private readonly interests: Interests;
  /** In channels that this node is home of next; the holders are registered with whoever it is now. */
  private readonly standbys = new Interests();
  /** Registrations that wait for a shared log, each by its number: whoever takes one back does not get it afterwards. */
  private readonly asking = new Interests();
  private asked = 0;
  private readonly sentOn = new SentOn();
  /** Channels that are read from the log just now, and whether to look again after that. */
  private readonly catching = new Map<string, 'once' | 'again'>();
  /** Frames sent to holders, one each for a message however many sessions are there. */
  delivered = 0;

  /** `onAudience` is called behind each change of who holds a channel elsewhere. */
  constructor(log: Log, local: LocalChannels, onAudience?: (channel: string) => void) {
    this.interests = new Interests(onAudience);
    this.log = log;
    this.local = local;
  }

  /** Gives the message its place and sends it once to each holder. */
  publish(channel: string, message: Message, dedupe: boolean, done: Done): void {
    if (message.ephemeral) {
      const reached = this.spread(channel, message, undefined);
      done?.({ kind: 'published', reached, position: undefined, duplicate: false });
      return;
    }
    const { from, id, data } = message;
    const { log } = this;
    if (!log.shared)
      return this.placed(channel, message, log.append(channel, { from, id, data, dedupe }), done);
    log.append(channel, { from, id, data, dedupe }, this.sentOn.get(channel)).then(
      (appended) => this.stored(log, channel, message, appended, done),
      (error: unknown) => done?.(error instanceof LogRefusedError ? FAILED_UNAVAILABLE : FAILED_UNKNOWN),
    );
  }

  /** Where the stream of a channel begins for who has no position in it. */
  head(channel: string): Position | Promise<Position> {
    return this.log.head(channel, this.sentOn.get(channel));
  }

  /**
   * A holder takes the channel from a position on. `accepted` gets the position behind which its stream goes on, and
   * whether that is all that there is behind `since`; where it is, what the log holds follows at once (of much of it, the
   * beginning and the newest), then what comes. `failed` where the log does not answer, or this node is not the home any
   * more when it does.
   */
  register(
    holder: Holder,
    channel: string,
    { sessions, since: began }: { readonly sessions: number; readonly since?: number | undefined },
    since: Position | undefined,
    accepted: (start: Position, goesOn: boolean) => void,
    failed: () => void,
    isHome: () => boolean,
  ): void {
    const asked = ++this.asked;
    this.asking.set(holder, channel, asked);
    const wanted = (): boolean => {
      if (this.asking.get(channel)?.get(holder) !== asked) return false;
      this.asking.delete(holder, channel);
      return holder.open;
    };
    const fail = (): void => {
      if (wanted()) failed();
    };
    const take = (start: Position, goesOn: boolean): boolean => {
      if (!wanted()) return false;
      if (!isHome()) {
        failed();
        return false;
      }
      this.interests.set(holder, channel, sessions, began);
      this.standbys.delete(holder, channel);
      accepted(start, goesOn);
      return true;
    };
    if (since === undefined) {
      whenever(this.head(channel), (head) => take(head, false), fail);
      return;
    }
    // what another process would have to be asked for again and again the holder reads as well by itself
    const most = this.log.shared ? PAGE : Number.MAX_SAFE_INTEGER;
    whenever(
      this.log.read(channel, since, most),
      ({ start, messages, end, more }) => {
        const goesOn = samePosition(start, since) && !more;
        // who is elsewhere reads what is between, and there may be more than this log knows of
        if (!take(goesOn && messages.length > 0 ? start : end, goesOn) || !goesOn) return;
        const page = pageOf(messages, messages.length, BACKLOG_LENGTH);
        // of a long backlog the newest comes at once: before it the holder sees a hole, and reads that page by page
        const newest = page.length < messages.length ? messages.slice(-1) : [];
        for (const message of [...page, ...newest])
          holder.send(encodeDeliver({ ...message, correlation: 0, channel }));
      },
      fail,
    );
  }

  /** A holder has more or fewer sessions now. After a change of home it is no holder any more. */
  setSessions(holder: Holder, channel: string, sessions: number, since?: number): void {
    if (this.interests.has(holder, channel)) this.interests.set(holder, channel, sessions, since);
  }

  /** It is no holder any more. */
  withdraw(holder: Holder, channel: string): void {
    this.asking.delete(holder, channel);
    this.interests.delete(holder, channel);
    this.standbys.delete(holder, channel);
  }

  /** A holder that is registered elsewhere is to be sent to once this node is home, which it may be already. */
  standBy(holder: Holder, { channel, sessions, since }: StandbyItem, isHome: boolean): void {
    if (sessions === 0) this.withdraw(holder, channel);
    else if (this.interests.has(holder, channel)) this.interests.set(holder, channel, sessions, since);
    else (isHome ? this.interests : this.standbys).set(holder, channel, sessions, since);
  }

  /** This node may have become home: who stood by is a holder from now on, and registers when it sees that, too. */
  takeOver(isHome: (channel: string) => boolean): void {
    for (const channel of this.standbys.channels()) {
      if (!isHome(channel)) continue;
      for (const { holder, sessions, since } of this.standbys.take(channel)) {
        if (!this.interests.has(holder, channel)) this.interests.set(holder, channel, sessions, since);
      }
    }
  }

  /** A holder says where it stands: it is told what it is not registered for, and where it is behind. */
  check(holder: Holder, items: Extract<Control, { t: 'check' }>['items']): void {
    const lost: string[] = [];
    const behind: { channel: string; head: Position }[] = [];
    for (const { channel, sessions, at, since } of items) {
      if (!this.interests.has(holder, channel)) {
        lost.push(channel);
        continue;
      }
      this.setSessions(holder, channel, sessions, since);
      const { log } = this;
      const head: Position | undefined = log.shared ? this.sentOn.get(channel) : log.head(channel);
      if (head !== undefined && !samePosition(head, at)) behind.push({ channel, head });
    }
    if (lost.length + behind.length > 0) holder.send(encodeControl({ t: 'checked', lost, behind }));
  }

  /** Looks into a shared log for what somebody else has appended, who took itself for the home as well. */
  verify(channel: string): void {
    const { log } = this;
    if (!log.shared || this.catching.has(channel)) return;
    // of a channel that it has sent nothing of yet: what a home before it appended last may have come after its look
    const reached = (): Position | undefined => this.sentOn.get(channel) ?? this.local.positionOf(channel);
    const sent = reached();
    log.head(channel, sent).then(
      (head) => {
        if (sent && !samePosition(head, reached() ?? head)) return this.catchUp(log, channel, sent);
        if (!this.sentOn.get(channel)) this.sentOn.set(channel, head);
        // the sessions here are checked by nobody else: what they missed they may not have been able to read
        this.local.continueFrom(channel, head, false);
      },
      () => {},
    );
  }

  /** The link to a holder is gone, and all its interest with it. */
  dropHolder(holder: Holder): void {
    this.asking.dropHolder(holder);
    this.interests.dropHolder(holder);
    this.standbys.dropHolder(holder);
  }

  /**
   * Channels that this node is not the home of any more. Their holders are told, for they may not see what this node
   * sees, or no longer by the time that they look: who did not know would wait for messages that nobody sends it.
   */
  dropChannels(moved: (channel: string) => boolean): void {
    for (const channel of this.interests.channels()) {
      if (!moved(channel)) continue;
      this.sentOn.delete(channel);
      const record = encodeControl({ t: 'moved', channel });
      for (const { holder } of this.interests.take(channel)) holder.send(record);
    }
  }

  /** Channels that this node is home of next, and that other nodes hold, but for `all`, which they hold in any case. */
  get standbyCount(): number {
    return this.standbys.size - (this.standbys.get(CHANNEL_ALL) ? 1 : 0);
  }

  /** Channels that other nodes hold. */
  channels(): Iterable<string> {
    return this.interests.channels();
  }

  holdersOf(channel: string): Iterable<Holder> {
    return this.interests.get(channel)?.keys() ?? [];
  }

  /** Who holds the channel elsewhere, as far as they have told. */
  interestsIn(channel: string): Iterable<Interest> {
    return this.interests.of(channel);
  }

  private placed(channel: string, message: Message, appended: Appended, done: Done): void {
    switch (appended.kind) {
      case 'appended': {
        const reached = this.spread(channel, message, appended.message);
        done?.({ kind: 'published', reached, position: appended.message.position, duplicate: false });
        return;
      }
      case 'duplicate':
        done?.({ kind: 'published', reached: 0, position: appended.position, duplicate: true });
        return;
      case 'conflict':
        done?.(FAILED_CONFLICT);
    }
  }

  /**
   * An answer of a shared log, which another node that took itself for the home may have written to. Whatever lies between
   * what was sent on and what is there now is read and sent on, also what an earlier home stored and could not send.
   */
  private stored(log: SharedLog, channel: string, message: Message, appended: Appended, done: Done): void {
    if (appended.kind === 'conflict') return done?.(FAILED_CONFLICT);
    const duplicate = appended.kind === 'duplicate';
    const position = duplicate ? appended.position : appended.message.position;
    const sent = this.sentOn.get(channel);
    let reached = 0;
    if (this.catching.has(channel)) this.catching.set(channel, 'again');
    else if (duplicate) {
      const before = { epoch: position.epoch, seq: position.seq - 1 };
      if (!sent || sent.epoch !== position.epoch || sent.seq < position.seq)
        this.catchUp(log, channel, sent ?? before);
    } else if (sent === undefined || samePosition(appended.message.previous, sent)) {
      this.sentOn.set(channel, position);
      reached = this.spread(channel, message, appended.message);
    } else if (sent.epoch !== position.epoch || sent.seq < position.seq) this.catchUp(log, channel, sent);
    done?.({ kind: 'published', reached: reached || this.audience(channel), position, duplicate });
  }

  /** Sends on what the log holds behind a position, until it holds no more. */
  private catchUp(log: SharedLog, channel: string, since: Position): void {
    this.catching.set(channel, 'once');
    log.read(channel, since, PAGE).then(
      ({ messages, end }) => {
        for (const message of messages) this.spread(channel, { ...message, ephemeral: false }, message);
        this.sentOn.set(channel, end);
        const again = this.catching.get(channel) === 'again';
        this.catching.delete(channel);
        if (messages.length > 0 || again) this.catchUp(log, channel, end);
      },
      // the next answer, or a check, comes back to it
      () => this.catching.delete(channel),
    );
  }

  /** Sessions of the channel elsewhere, as holders have told. */
  private audience(channel: string): number {
    let sessions = 0;
    for (const count of this.interests.get(channel)?.values() ?? []) sessions += count;
    return sessions;
  }

  private spread(channel: string, message: Message, logged: LoggedMessage | undefined): number {
    let reached = this.local.deliver(channel, logged ?? message, 'here');
    const holders = this.interests.get(channel);
    if (!holders) return reached;
    const { from, id, data } = message;
    const { position, previous } = logged ?? {};
    const record = encodeDeliver({ correlation: 0, channel, from, id, data, position, previous });
    for (const [holder, sessions] of holders) {
      holder.send(record);
      this.delivered++;
      reached += sessions;
    }
    return reached;
  }
}
