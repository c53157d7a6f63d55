import { isUtf8 } from 'node:buffer';
import {
  allows,
  CHANNEL_ALL,
  channelKind,
  ERRORS,
  type ErrorCode,
  isUserId,
  type Position,
  RawFields,
  scanFields,
  type TicketClaims,
  userChannel,
} from '@ringway/protocol';
import type { Members } from '../groups/members.ts';
import type { Everyone } from '../hub/everyone.ts';
import type { LocalChannel } from '../hub/local-channel.ts';
import type { Outcome, Router } from '../router/port.ts';
import type { Presence } from '../router/presence/port.ts';
import { jsonFromWire, requote, unquote } from '../text.ts';
import { errorFrame, frame, joinedFrame, listFrame, outcomeFrame, PONG_FRAME } from './frames.ts';
import type { SessionHost } from './host.ts';
import { type ReplayContext, replay } from './replay.ts';
import { mayJoin } from './rights.ts';
import type { Session } from './session.ts';
import { tellState } from './tell-state.ts';
import type { Taken } from './tickets.ts';

/** Most bytes of a message id, in JSON. */
const MAX_ID_LENGTH = 130;
const MAX_RECENT = 1_000;
/** Replays of one channel to one session at once: each holds a page of the log until the client has taken it. */
const MAX_REPLAYS = 4;

const ONLY_THESE = 'only group:<name> and presence:user:<id> can be joined';
const NEEDS_RING = 'presence needs RINGWAY_ROUTER=ring';
const NOBODY_PUBLISHES = 'nobody publishes to presence: the cluster says who is there';

/** What the reader of frames needs of its node. */
export interface InputOptions {
  readonly host: SessionHost;
  readonly members: Pick<Members, 'holds' | 'ownOf' | 'join' | 'leave'>;
  readonly everyone: Pick<Everyone, 'channel'>;
  readonly router: Router;
  /** Undefined where nobody knows who is there. */
  readonly presence: Presence | undefined;
  /** Prefix of the ids that this node gives to messages without one; unique over all starts of all nodes. */
  readonly idPrefix: string;
  readonly maxListUsers: number;
  readonly maxGroups: number;
  /** Refusals for rate in a row after which the session is closed. */
  readonly maxRefused: number;
  readonly replay: ReplayContext;
  /** Peers take less than they are given: the session is read no further until they do. */
  pause(session: Session): void;
  takeTicket(token: string): Taken;
  refreshed(session: Session, claims: TicketClaims): void;
  moveFailed(session: Session): void;
  count(result: string): void;
}

/** Reads what clients send. One for all sessions. */
export class Input {
  private readonly options: InputOptions;
  private readonly fields = new RawFields();
  private ids = 0;

  constructor(options: InputOptions) {
    this.options = options;
  }

  /** One WebSocket message of a welcomed session. Whatever it holds, it is answered or obeyed; nothing is thrown. */
  read(session: Session, bytes: Buffer, start: number, end: number): void {
    session.heard();
    const { fields } = this;
    const failure = scanFields(bytes.toString('latin1', start, end), fields);
    // beyond ASCII only strings can be; outside of them the scanner has refused it
    if (fields.beyondAscii && !isUtf8(bytes.subarray(start, end)))
      return this.refuse(session, 'bad_frame', 'not valid UTF-8');
    if (failure) return this.refuse(session, 'bad_frame', failure.message);
    switch (fields.get('type')) {
      case '"publish"':
        return this.publish(session);
      case '"pong"':
        return;
      case '"ping"':
        return session.send(PONG_FRAME);
      case '"join"':
        return this.join(session);
      case '"leave"':
        return this.leave(session);
      case '"resume"':
        return this.resume(session);
      case '"refresh"':
        return this.refresh(session);
      case '"moveFailed"':
        return this.options.moveFailed(session);
      case undefined:
        return this.refuse(session, 'bad_frame', 'the member "type" is missing');
      default:
        return this.refuse(
          session,
          'unknown_type',
          `no frame has the type ${fields.get('type')?.slice(0, 64)}`,
        );
    }
  }

  refuseBinary(session: Session): void {
    session.heard();
    this.refuse(session, 'bad_frame', 'a binary message; expected a text message with a JSON object');
  }

  private publish(session: Session): void {
    const { fields, options } = this;
    const given = fields.get('id');
    const badId =
      given !== undefined &&
      (given.charCodeAt(0) !== 0x22 || given.length > MAX_ID_LENGTH || given.length < 3);
    if (badId) return this.refuse(session, 'bad_frame', 'id: expected a string of 1 to 128 bytes');
    // a repeat is the same id, however it is written
    const id = given && requote(given);
    const wait = session.takePublish();
    if (wait > 0) return this.tooFast(session, id, wait);
    session.refused = 0;
    const to = fields.get('to');
    const data = fields.get('data');
    const ephemeral = fields.get('ephemeral');
    if (to === undefined) return this.refuse(session, 'bad_frame', 'the member "to" is missing', id);
    if (data === undefined) return this.refuse(session, 'bad_frame', 'the member "data" is missing', id);
    if (ephemeral !== undefined && ephemeral !== 'true' && ephemeral !== 'false') {
      return this.refuse(session, 'bad_frame', 'ephemeral: expected true or false', id);
    }
    const message = {
      from: session.from,
      id: id ?? this.nextId(),
      data,
      ephemeral: ephemeral === 'true',
    };
    const channel = unquote(to);
    if (channel === undefined) return this.publishList(session, to, id, message);
    const kind = channelKind(channel);
    if (kind === undefined) return this.refuse(session, 'invalid_channel', ERRORS.invalid_channel.means, id);
    if (kind === 'presence') return this.refuse(session, 'invalid_channel', NOBODY_PUBLISHES, id);
    if (!allows(session.cap.publish, channel)) {
      return this.refuse(session, 'forbidden', `publishing to ${channel} is not allowed to this session`, id);
    }
    if (options.router.congested) options.pause(session);
    options.router.publish({
      channel,
      from: message.from,
      id: message.id,
      data,
      ephemeral: message.ephemeral,
      done: id === undefined ? undefined : (outcome) => this.answer(session, id, outcome),
    });
  }

  /** As a JSON string on the wire. */
  private nextId(): string {
    return `"${this.options.idPrefix}${(this.ids++).toString(36)}"`;
  }

  private answer(session: Session, id: string, outcome: Outcome): void {
    this.options.count(
      outcome.kind === 'published' ? (outcome.duplicate ? 'duplicate' : 'published') : outcome.code,
    );
    session.send(outcomeFrame(id, outcome));
  }

  private publishList(
    session: Session,
    to: string,
    id: string | undefined,
    message: { from: string; id: string; data: string; ephemeral: boolean },
  ): void {
    const { options } = this;
    const users = usersOf(to);
    if (users === undefined) {
      return this.refuse(session, 'bad_frame', 'to: expected a channel name or {"users": [user ids]}', id);
    }
    if (users.length > options.maxListUsers) {
      return this.refuse(
        session,
        'list_too_long',
        `${users.length} users, at most ${options.maxListUsers} are allowed`,
        id,
      );
    }
    const channels = users.map(userChannel);
    const forbidden = channels.find((channel) => !allows(session.cap.publish, channel));
    if (forbidden !== undefined) {
      return this.refuse(
        session,
        'forbidden',
        `publishing to ${forbidden} is not allowed to this session`,
        id,
      );
    }
    const done = (outcomes: readonly Outcome[]): void => {
      for (const outcome of outcomes)
        options.count(outcome.kind === 'published' ? 'published' : outcome.code);
      if (id !== undefined) session.send(listFrame(id, users, outcomes));
    };
    if (options.router.congested) options.pause(session);
    options.router.publishMany(message, channels, id === undefined ? undefined : done);
  }

  private join(session: Session): void {
    const { options } = this;
    const name = this.channelField(session);
    if (name === undefined) return;
    if (name === CHANNEL_ALL) return this.joinAll(session);
    const { members, maxGroups, presence } = options;
    const kind = channelKind(name);
    const isWatch = kind === 'presence';
    if (kind !== 'group' && !isWatch)
      return this.refuse(session, 'invalid_channel', ONLY_THESE, undefined, name);
    if (isWatch && !presence) return this.refuse(session, 'invalid_channel', NEEDS_RING, undefined, name);
    const joined = (channel: LocalChannel): void => {
      if (!channel.position) return;
      session.send(joinedFrame(name, channel.position));
      if (isWatch && presence) tellState(presence, session, channel, this.nextId());
    };
    const present = session.channels.find((channel) => channel.name === name);
    if (present) return joined(present);
    if (!members.holds(session.userId, name)) {
      if (!mayJoin(session.cap, name)) {
        const message = `joining ${name} is not allowed to this session`;
        return this.refuse(session, 'forbidden', message, undefined, name);
      }
      if (session.channels.length > maxGroups && members.ownOf(session) >= maxGroups) {
        const message = `at most ${maxGroups} groups, and users that are watched, a session`;
        return this.refuse(session, 'forbidden', message, undefined, name);
      }
    }
    session.declined?.delete(name);
    members.join(session, name, {
      joined,
      failed: () =>
        session.send(errorFrame('unavailable', ERRORS.unavailable.means, undefined, { channel: name })),
    });
  }

  /** Every session is in it already, and where the node is, the session is. */
  private joinAll(session: Session): void {
    const position = this.options.everyone.channel?.position;
    if (position) session.send(joinedFrame(CHANNEL_ALL, position));
    else this.refuse(session, 'unavailable', ERRORS.unavailable.means, undefined, CHANNEL_ALL);
  }

  private leave(session: Session): void {
    const name = this.channelField(session);
    if (name === undefined) return;
    const kind = channelKind(name);
    if (kind === 'all' || kind === 'user') {
      const message = `every session is in ${kind === 'all' ? 'the channel all' : 'its own channel'} for as long as it lasts`;
      return this.refuse(session, 'invalid_channel', message, undefined, name);
    }
    const { members } = this.options;
    if (members.holds(session.userId, name)) {
      session.declined ??= new Set();
      session.declined.add(name);
    }
    members.leave(session, name);
  }

  private channelField(session: Session): string | undefined {
    const raw = this.fields.get('channel');
    const name = raw === undefined ? undefined : unquote(raw);
    if (name !== undefined && channelKind(name) !== undefined) return name;
    // named, so that whoever asked knows which of its questions this answers
    this.refuse(session, 'invalid_channel', ERRORS.invalid_channel.means, undefined, name);
    return undefined;
  }

  private resume(session: Session): void {
    const wanted = this.wanted(session);
    if (wanted === undefined)
      return this.refuse(session, 'unavailable', ERRORS.unavailable.means, undefined, CHANNEL_ALL);
    if (typeof wanted === 'string') return this.refuse(session, 'bad_frame', wanted);
    const busy = [...wanted.keys()].find((channel) => (session.replaying?.get(channel) ?? 0) >= MAX_REPLAYS);
    if (busy) return this.refuse(session, 'rate_limited', 'too many resumes at once', undefined, busy.name);
    const resumed: { channel: string; position: Position }[] = [];
    let open = wanted.size;
    const settle = (): void => {
      if (session.state !== 'closed') session.send(frame({ type: 'resumed', channels: resumed }));
    };
    if (open === 0) settle();
    for (const [channel, since] of wanted) {
      replay(this.options.replay, session, channel, since, (position) => {
        if (position === undefined) return this.options.host.close(session, 'unavailable');
        resumed.push({ channel: channel.name, position });
        if (--open === 0) settle();
      });
    }
  }

  /**
   * The session's channels with what it has of each; a sentence when the frame is not as described, undefined where it
   * names `all` and the node does not hold that yet.
   */
  private wanted(session: Session): Map<LocalChannel, Position | number> | string | undefined {
    const wanted = new Map<LocalChannel, Position | number>();
    const last = this.fields.get('last');
    if (last !== undefined) {
      const count = Number(last);
      if (!Number.isInteger(count) || count < 0 || count > MAX_RECENT)
        return `last: expected 0 to ${MAX_RECENT}`;
      const own = session.channels[0];
      if (own) wanted.set(own, count);
      return wanted;
    }
    const positions = jsonFromWire(this.fields.get('positions') ?? 'null');
    if (typeof positions !== 'object' || positions === null || Array.isArray(positions)) {
      return 'expected "positions", an object of channel names and positions, or "last", a number';
    }
    for (const [name, position] of Object.entries(positions)) {
      if (!isPosition(position)) return `positions: expected {"epoch": text, "seq": number} for ${name}`;
      const channel =
        name === CHANNEL_ALL
          ? this.options.everyone.channel
          : session.channels.find((subscribed) => subscribed.name === name && !subscribed.joiners);
      if (!channel)
        return name === CHANNEL_ALL ? undefined : `positions: this session has not joined ${name}`;
      wanted.set(channel, position);
    }
    return wanted;
  }

  private refresh(session: Session): void {
    const raw = this.fields.get('ticket');
    const token = raw === undefined ? undefined : unquote(raw);
    if (token === undefined) return this.refuse(session, 'bad_frame', 'ticket: expected a string');
    const taken = this.options.takeTicket(token);
    if (!taken.ok) return this.refuse(session, 'unauthenticated', `the ticket was refused: ${taken.reason}`);
    const { claims } = taken;
    if (claims.sub !== session.userId)
      return this.refuse(session, 'forbidden', 'the ticket is another user’s');
    if (claims.sexp !== undefined && claims.sexp * 1000 <= this.options.host.wallClock()) {
      return this.refuse(session, 'unauthenticated', 'the ticket was refused: its right has ended');
    }
    this.options.refreshed(session, claims);
  }

  private tooFast(session: Session, id: string | undefined, retryAfterMs: number): void {
    this.options.count('rate_limited');
    if (++session.refused > this.options.maxRefused) return this.options.host.close(session, 'rate_limited');
    const { publishesPerSecond } = this.options.host.limits;
    session.send(
      errorFrame('rate_limited', `at most ${publishesPerSecond} publishes a second`, id, { retryAfterMs }),
    );
  }

  private refuse(session: Session, code: ErrorCode, message: string, id?: string, channel?: string): void {
    this.options.count(code);
    session.send(errorFrame(code, message, id, channel === undefined ? {} : { channel }));
  }
}

/** The user ids of `{"users": [...]}`, each once; undefined when it is something else. */
export function usersOf(to: string): string[] | undefined {
  const value = jsonFromWire(to);
  if (typeof value !== 'object' || value === null || !('users' in value)) return undefined;
  const { users } = value;
  return Array.isArray(users) && users.every(isUserId) ? [...new Set(users)] : undefined;
}

function isPosition(value: unknown): value is Position {
  if (typeof value !== 'object' || value === null) return false;
  const { epoch, seq } = value as Partial<Position>;
  return (
    typeof epoch === 'string' &&
    /^[\w.-]{1,64}$/.test(epoch) &&
    Number.isSafeInteger(seq) &&
    (seq as number) >= 0
  );
}
