import type { Duplex } from 'node:stream';
import {
  type Capabilities,
  CLOSE,
  type CloseName,
  type Position,
  type SessionInfo,
  type TicketClaims,
  userChannel,
  userOf,
} from '@ringway/protocol';
import { every, type Logger } from '@ringway/service';
import type { WebSocket } from 'ws';
import { Members } from '../groups/members.ts';
import type { Roster } from '../groups/port.ts';
import { Everyone } from '../hub/everyone.ts';
import { Hub } from '../hub/hub.ts';
import type { LocalChannel } from '../hub/local-channel.ts';
import type { Tally } from '../metrics.ts';
import type { Router } from '../router/port.ts';
import type { Presence } from '../router/presence/port.ts';
import type { NodeSettings } from '../settings.ts';
import { type FrameKind, FrameReader, OPCODE } from '../socket/frame-reader.ts';
import { quote } from '../text.ts';
import { Bans } from './bans.ts';
import { SessionsByUser } from './by-user.ts';
import { Expiry } from './expiry.ts';
import { Flusher } from './flusher.ts';
import { frame } from './frames.ts';
import type { SessionHost } from './host.ts';
import { Input } from './input.ts';
import type { MoveTickets } from './move-tickets.ts';
import { Mover } from './mover.ts';
import { PingWheel } from './ping-wheel.ts';
import type { Places } from './places.ts';
import { type ReplayContext, replay } from './replay.ts';
import { mayJoin } from './rights.ts';
import { Session } from './session.ts';
import type { Tickets } from './tickets.ts';

/** Most different rights that are looked up to be shared. */
const MAX_SHARED_CAPS = 1_000;

/** How often the mover is asked for what is due, in milliseconds. */
const MOVE_TICK_MS = 100;

export interface SessionsOptions {
  readonly nodeId: string;
  readonly settings: NodeSettings;
  readonly router: Router;
  readonly presence: Presence | undefined;
  readonly places: Places;
  readonly roster: Pick<Roster, 'groupsOf'>;
  readonly tickets: Tickets;
  readonly moveTickets: MoveTickets;
  /** Unique over all starts of all nodes. */
  readonly idPrefix: string;
  readonly publishes: Tally;
  readonly closes: Tally;
  readonly moves: Tally;
  readonly logger: Logger;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly random: () => number;
  /** The socket has shown a valid ticket. */
  readonly onAuthenticated: (stream: Duplex) => void;
}

/** Where a WebSocket keeps its session: a property costs less than a map of thousands of pairs. */
const SESSION = Symbol('session');

interface SessionSocket extends WebSocket {
  [SESSION]?: Session;
}

/** All client sessions of a node: how they begin, what they may hold, how they end. */
export class Sessions implements SessionHost {
  readonly nodeId: string;
  readonly ping: SessionHost['ping'];
  readonly limits: SessionHost['limits'];
  readonly maxWaitingBytes: number;
  readonly lagBytes: number;
  readonly flusher = new Flusher();
  readonly hub: Hub;
  readonly members: Members;
  private readonly everyone: Everyone;
  readonly mover: Mover<Session>;
  readonly now: () => number;
  readonly wallClock: () => number;
  private readonly options: SessionsOptions;
  private readonly input: Input;
  private readonly wheel: PingWheel;
  private readonly expiry: Expiry;
  private readonly caps = new Map<string, Capabilities>();
  private readonly frames: FrameKind;
  private readonly replay: ReplayContext;
  /** How often a client was given a channel from the log because it took too little. */
  lagging = 0;
  private count = 0;
  private ids = 0;
  private readonly byUser = new SessionsByUser();
  private readonly bans = new Bans();
  private readonly paused = new Set<Session>();
  private timers: (() => void)[] = [];
  /** No new sessions are taken. */
  private draining = false;

  constructor(options: SessionsOptions) {
    const { settings } = options;
    this.options = options;
    this.nodeId = options.nodeId;
    this.now = options.now;
    this.wallClock = options.wallClock;
    this.ping = { intervalMs: settings.pingInterval, timeoutMs: settings.pingTimeout };
    this.limits = { frameBytes: settings.frameBytes, publishesPerSecond: settings.publishesPerSecond };
    this.maxWaitingBytes = settings.waitingBytes;
    this.lagBytes = settings.waitingBytes / 2;
    this.replay = {
      router: options.router,
      hub: { continueFrom: (name, position, goesOn) => this.hub.continueFrom(name, position, goesOn) },
      highWaterBytes: settings.waitingBytes / 4,
      attempts: Math.ceil(settings.homeTimeout / 250),
    };
    this.frames = { opcode: OPCODE.text, masked: true, maxBytes: settings.frameBytes };
    this.expiry = new Expiry(options.wallClock() / 1000);
    this.hub = new Hub(options.router, {
      onKick: (channel, banSeconds) => this.kick(channel, banSeconds),
      onRelieved: () => {
        for (const session of this.paused) {
          session.heard();
          session.resume();
        }
        this.paused.clear();
      },
    });
    this.members = new Members({ roster: options.roster, hub: this.hub, byUser: this.byUser });
    this.everyone = new Everyone({
      hub: this.hub,
      router: options.router,
      sessions: () => this.byUser.all(),
    });
    this.wheel = new PingWheel({
      intervalMs: settings.pingInterval,
      timeoutMs: settings.pingTimeout,
      random: options.random,
      onSilent: (session) => {
        // who is not read cannot be heard: it waits for its home, or for peers that take less than they are given
        if (session.state === 'open' && !this.paused.has(session)) this.close(session, 'ping_timeout');
      },
    });
    this.mover = new Mover<Session>({
      selfId: options.nodeId,
      mode: settings.move,
      rate: settings.moveRate,
      spreadMs: settings.moveSpread,
      deadlineMs: settings.moveDeadline,
      places: options.places,
      now: options.now,
      random: options.random,
      sessions: () => this.byUser.all(),
      pointOf: ({ state, channels }) => (state === 'open' ? channels[0]?.point : undefined),
      tell: (session, target, ring, avoid) => {
        const move = options.moveTickets.issue(session, target, ring, avoid);
        session.send(frame({ type: 'move', ...move, deadline: this.wallClock() + settings.moveDeadline }));
      },
      close: (session, name) => this.close(session, name),
      count: (result) => options.moves.add(result),
    });
    this.input = new Input({
      host: this,
      members: this.members,
      everyone: this.everyone,
      router: options.router,
      presence: options.presence,
      idPrefix: options.idPrefix,
      maxListUsers: settings.maxListUsers,
      maxGroups: settings.maxGroups,
      maxRefused: 10 * settings.publishesPerSecond,
      replay: this.replay,
      pause: (session) => {
        this.paused.add(session);
        session.pause();
      },
      takeTicket: (token) => options.tickets.take(token),
      refreshed: (session, claims) => this.refresh(session, claims),
      moveFailed: (session) => this.mover.failed(session),
      count: (result) => options.publishes.add(result),
    });
  }

  start(): void {
    this.wheel.start();
    this.everyone.tick();
    this.timers = [
      every(1_000, () => this.tellExpiring()),
      every(1_000, () => this.everyone.tick()),
      every(MOVE_TICK_MS, () => this.mover.tick()),
    ];
  }

  /** Takes no more sessions, or takes them again. */
  refuseNew(refuse: boolean): void {
    this.draining = refuse;
  }

  /**
   * The node is to end: so does every session, spread evenly over a time, so that not all of them ask for another node at one
   * moment.
   */
  async closeAll(name: CloseName, spreadMs: number): Promise<void> {
    const all = [...this.byUser.all()];
    const began = this.now();
    let closed = 0;
    while (closed < all.length) {
      const due = spreadMs === 0 ? 1 : Math.min(1, (this.now() - began + 10) / spreadMs);
      for (const until = Math.ceil(all.length * due); closed < until; closed++)
        this.close(all[closed] as Session, name);
      if (closed < all.length) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    this.everyone.leave();
  }

  stop(): void {
    this.wheel.stop();
    this.members.stop();
    for (const stop of this.timers) stop();
  }

  get size(): number {
    return this.count;
  }

  get sendBufferBytes(): number {
    let bytes = 0;
    for (const session of this.byUser.all()) bytes += session.waitingBytes;
    return bytes;
  }

  tick(): number {
    return this.wheel.tick;
  }

  sessionsOf(userId: string): SessionInfo[] {
    return this.byUser.of(userId).map(({ id, since }) => ({
      sessionId: id,
      userId,
      nodeId: this.nodeId,
      since,
    }));
  }

  /** A client has opened a socket and shown a ticket, or none. It becomes a session, or is closed with a code. */
  accept(socket: WebSocket, stream: Duplex, ticket: string | undefined): void {
    socket.on('error', ignore);
    const taken = ticket === undefined ? undefined : this.options.tickets.take(ticket);
    if (!taken?.ok) return this.turnAway(socket, taken?.close ?? 'invalid_ticket');
    this.options.onAuthenticated(stream);
    const { claims } = taken;
    const refusal = this.refusal(claims);
    if (refusal) return this.turnAway(socket, refusal);
    const userId = claims.sub;
    const channel = userChannel(userId);
    const session = new Session(this, socket, stream, {
      id: `${this.options.idPrefix}s${(this.ids++).toString(36)}`,
      userId,
      from: quote(channel),
      cap: this.shared(claims.cap),
      expiresAt: claims.sexp ?? Number.POSITIVE_INFINITY,
      since: claims.since,
    });
    (socket as SessionSocket)[SESSION] = session;
    socket.on('message', onMessage);
    new FrameReader(stream, socket, session, this.frames);
    socket.on('close', onClose);
    this.add(session);
    const own = this.hub.subscribe(channel, {
      session,
      joined: (joined) => {
        if (session.state !== 'joining' || !joined.position) return;
        // where this node is the home, that is before the subscribing has returned
        session.channels = [joined];
        session.welcome(joined, joined.position);
        this.everyone.enter(session);
        session.heard();
        session.resume();
        this.mover.arrived(session, claims.avoid ?? [], claims.via === 'move');
        this.members.arrived(session);
      },
      failed: () => this.close(session, 'unavailable'),
    });
    if (session.state !== 'joining') return;
    session.channels = [own];
    // nothing is read before the welcome: what the client sends waits in the network
    session.pause();
  }

  /** A frame came in. */
  received(session: Session, bytes: Buffer, start: number, end: number): void {
    if (session.state === 'open') this.input.read(session, bytes, start, end);
  }

  /** A binary frame came in: none is taken. */
  receivedBinary(session: Session): void {
    if (session.state === 'open') this.input.refuseBinary(session);
  }

  lags(session: Session, channel: LocalChannel, since: Position): void {
    this.lagging++;
    replay(this.replay, session, channel, since, (position) => {
      if (position === undefined) this.close(session, 'slow_consumer');
    });
  }

  /** The connection of a session is gone. */
  ended(session: Session, left: boolean): void {
    if (session.state === 'closed') return;
    this.options.closes.add('gone');
    this.forget(session, left);
    session.ended();
  }

  close(session: Session, name: CloseName): void {
    if (session.state === 'closed') return;
    this.options.closes.add(String(CLOSE[name].code));
    this.forget(session);
    session.end(name);
  }

  private refusal({ sub, sexp }: TicketClaims): CloseName | undefined {
    const { maxSessions, maxUserSessions } = this.options.settings;
    const now = this.wallClock();
    if (this.draining) return 'draining';
    if (sexp !== undefined && sexp * 1000 <= now) return 'session_expired';
    if (this.bans.has(sub, now)) return 'kicked';
    if (this.count >= maxSessions) return 'node_full';
    if (this.byUser.of(sub).length >= maxUserSessions) return 'user_sessions';
    return undefined;
  }

  /** The same rights for many sessions are kept once. */
  private shared(cap: Capabilities): Capabilities {
    const text = JSON.stringify(cap);
    const known = this.caps.get(text);
    if (known) return known;
    if (this.caps.size >= MAX_SHARED_CAPS) this.caps.clear();
    this.caps.set(text, cap);
    return cap;
  }

  private turnAway(socket: WebSocket, name: CloseName): void {
    const { code } = CLOSE[name];
    this.options.closes.add(String(code));
    this.options.logger.debug({ code, reason: name }, 'a socket was turned away');
    socket.close(code, name);
    // the answer to a close is waited for, but not for long: this is still a stranger
    setTimeout(() => socket.terminate(), 2_000).unref();
  }

  private add(session: Session): void {
    this.count++;
    this.byUser.add(session);
    this.wheel.add(session);
    this.watchExpiry(session);
  }

  private forget(session: Session, left = false): void {
    this.count--;
    this.mover.ended(session, left);
    this.paused.delete(session);
    this.wheel.remove(session);
    this.expiry.remove(session);
    this.byUser.remove(session);
    this.members.ended(session);
    this.everyone.exit(session);
    for (const channel of session.channels) this.hub.unsubscribe(channel, session);
  }

  private kick(channel: string, banSeconds: number): void {
    const userId = userOf(channel);
    if (userId === undefined) return;
    this.bans.add(userId, banSeconds, this.wallClock());
    for (const session of [...this.byUser.of(userId)]) this.close(session, 'kicked');
  }

  private refresh(session: Session, claims: TicketClaims): void {
    session.cap = claims.cap;
    this.mover.refreshed(session, claims.avoid ?? []);
    session.expiresAt = claims.sexp ?? Number.POSITIVE_INFINITY;
    this.watchExpiry(session);
    const more = claims.sexp === undefined ? {} : { expiresAt: claims.sexp * 1000 };
    session.send(frame({ type: 'refreshed', ...more }));
    // what the right does not cover any more
    for (const channel of session.channels.slice(1)) {
      const { name } = channel;
      if (!mayJoin(claims.cap, name) && !this.members.holds(session.userId, name))
        this.members.leave(session, name);
    }
  }

  /** The right is looked at some time before its end, to say so, and at its end. */
  private watchExpiry(session: Session): void {
    const { expiresAt } = session;
    if (expiresAt === Number.POSITIVE_INFINITY) return this.expiry.remove(session);
    const now = this.wallClock() / 1000;
    const notice = Math.min(this.options.settings.expiringNotice / 1000, (expiresAt - now) / 2);
    this.expiry.set(session, expiresAt - notice);
  }

  private tellExpiring(): void {
    const now = this.wallClock();
    for (const session of this.expiry.take(now / 1000)) {
      const left = session.expiresAt * 1000 - now;
      if (left <= 0) this.close(session, 'session_expired');
      else {
        session.send(
          frame({ type: 'expiring', expiresAt: session.expiresAt * 1000, expiresIn: Math.round(left) }),
        );
        this.expiry.set(session, Math.ceil(session.expiresAt));
      }
    }
  }
}

// Shared by all sockets: a closure for each would cost more than the session's own fields.
function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  const session = (this as SessionSocket)[SESSION];
  if (isBinary) session?.host.receivedBinary(session);
  else session?.received(data as Buffer, 0, (data as Buffer).length);
}

function onClose(this: WebSocket, code: number): void {
  const session = (this as SessionSocket)[SESSION];
  session?.host.ended(session, code === 1000);
}

/** A socket that breaks closes too, and the close is looked at. */
function ignore(): void {}
