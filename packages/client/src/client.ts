import {
  type AfterClose,
  after,
  closeGracefully,
  Link,
  type LinkClose,
  type SocketLike,
} from '@ringway/link';
import {
  type ClientFrame,
  closeRule,
  type Position,
  type PublishTarget,
  type ServerFrame,
  SUBPROTOCOL,
  type WelcomeFrame,
} from '@ringway/protocol';
import { AvoidList } from './avoid.ts';
import { Channels } from './channels.ts';
import { type Deferred, deferred } from './deferred.ts';
import { Emitter } from './emitter.ts';
import { ClosedError, NodeError, RingwayError, RouteError, SessionEndedError } from './errors.ts';
import type { ClientEvents, ClientState } from './events.ts';
import { parseFrame } from './frame.ts';
import { Heartbeat } from './heartbeat.ts';
import { type ClientOptions, type ResolvedOptions, resolveOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { watchPage } from './page.ts';
import type { Published, PublishOptions } from './publication.ts';
import { renew } from './renewal.ts';
import { RouteAsker } from './route.ts';
import { standBy } from './standby.ts';

/** After so many connections in a row that could not be made straight, the way through the locator is taken. */
const DIRECT_FAILURES = 2;

/** How long the socket before is read after another has taken over, in milliseconds, if catching up takes that long. */
const LINGER_MS = 10_000;

/** What a node said when the session began. */
export type Welcome = Readonly<Omit<WelcomeFrame, 'type'>>;

interface Session {
  readonly welcome: WelcomeFrame;
  /** Aborts when the session has ended. */
  readonly abort: AbortController;
}

/**
 * A session of one user: asks `/route`, connects straight to the node, and comes back by itself whatever happens to the
 * connection, with nothing lost unless a `gap` says so.
 *
 * ```ts
 * const client = new RingwayClient({ locator: 'https://ringway.example.com', getToken });
 * client.on('message', ({ from, data }) => show(from, data));
 * await client.connect();
 * await client.publish('user:bob', { text: 'hello' });
 * ```
 */
export class RingwayClient extends Emitter<ClientEvents> {
  readonly #options: ResolvedOptions;
  readonly #router: RouteAsker;
  readonly #avoid: AvoidList;
  readonly #link: Link;
  readonly #heartbeat: Heartbeat;
  readonly #outbox: Outbox;
  readonly #channels: Channels;
  #state: ClientState = 'disconnected';
  #session: Session | undefined;
  #connecting: Deferred<Welcome> | undefined;
  /** Why nothing can be published; undefined before the first `connect()` and after any. */
  #closed: ClosedError | undefined;
  /** The node of the attempt under way. */
  #target: string | undefined;
  #directFailures = 0;
  #cancelWelcome: (() => void) | undefined;
  #giveUpStandby: (() => void) | undefined;
  /** Who wanted the move that is under way, to be told if it fails. */
  #movers: ((reason: string) => void)[] = [];
  #retireBefore: (() => void) | undefined;
  #unwatch: (() => void) | undefined;

  /** @throws TypeError | RangeError naming the bad option */
  constructor(options: ClientOptions) {
    super();
    this.#options = resolveOptions(options);
    const { clock, connectTimeoutMs, locator } = this.#options;
    this.#router = new RouteAsker(this.#options);
    this.#avoid = new AvoidList(this.#options);
    this.#heartbeat = new Heartbeat(clock, {
      ping: () => this.#send({ type: 'ping' }),
      dead: (reason) => this.#link.drop(reason),
    });
    this.#outbox = new Outbox(this.#options, (text) => this.#link.send(text));
    this.#channels = new Channels(this.#options, {
      send: (frame) => this.#session !== undefined && this.#send(frame),
      emit: (name, event) => this.emit(name, event),
    });
    this.#link = new Link({
      ...this.#options,
      dial: (_attempt, signal) => this.#dial(signal),
      afterClose: (close) => this.#afterClose(close),
      // the node is there; it may need a while to reach the home of the user's channel
      onOpen: () => {
        this.#cancelWelcome = after(clock, 2 * connectTimeoutMs, () => this.#link.drop('no welcome'));
      },
      onMessage: (data, socket) => this.#receive(data, socket),
      // the token, and each locator with the first token and with a second
      dialTimeoutMs: connectTimeoutMs * (1 + 2 * locator.length),
    });
  }

  get state(): ClientState {
    return this.#state;
  }

  /** What the node said when the present session began; undefined unless `connected`. */
  get session(): Welcome | undefined {
    return this.#session?.welcome;
  }

  /** The position of the last message of a channel; undefined while it is not known. */
  position(channel: string): Position | undefined {
    return this.#channels.position(channel);
  }

  /**
   * Resolves when a session stands. Goes on trying until then; rejects with a {@link ClosedError} when the locator or a
   * node refuses for good (`cause` says how), or when the client is closed.
   */
  connect(): Promise<Welcome> {
    if (this.#session) return Promise.resolve(this.#session.welcome);
    if (this.#connecting) return this.#connecting.promise;
    const connecting = deferred<Welcome>();
    // who does not wait for it is told by the events
    connecting.promise.catch(() => {});
    this.#connecting = connecting;
    this.#closed = undefined;
    this.#unwatch ??= watchPage({
      awake: () => {
        this.#link.reconnectNow();
        this.#heartbeat.probe();
      },
      hide: () => {
        this.#leaveSession();
        void this.#link.stop(1000, 'page hidden');
        this.#setState('connecting', 1000, 'page hidden');
      },
      show: () => this.#link.start(),
    });
    this.#setState('connecting', 0, '');
    // connect() may be called from a listener that is told of the end of the connection before
    queueMicrotask(() => {
      if (this.#state === 'connecting') this.#link.start();
    });
    return connecting.promise;
  }

  /** Ends the session and whatever waits for an answer; resolves when the socket is closed. `connect()` goes on from there. */
  async close(): Promise<void> {
    this.#leaveSession();
    const stopped = this.#link.stop(1000, 'closed');
    this.#end(new ClosedError('the client was closed'), 1000, 'closed');
    await stopped;
  }

  /**
   * Publishes to a channel (`user:bob`, `group:class-7`) or to a list of users. Made while away, it waits. Rejects with a
   * `PublishTimeoutError`, `PublishRefusedError`, `QueueFullError`, `FrameTooBigError` or `ClosedError`.
   */
  async publish(to: PublishTarget, data: unknown, options: PublishOptions = {}): Promise<Published> {
    if (this.#closed) throw this.#closed;
    return this.#outbox.publish(to, data, options);
  }

  /**
   * Sends an ephemeral message and asks for no answer: at most once, now or never. False when there is no session.
   *
   * @throws FrameTooBigError | TypeError
   */
  send(to: PublishTarget, data: unknown): boolean {
    return this.#session !== undefined && this.#outbox.sendOnce(to, data);
  }

  /** Joins a channel, and again after each reconnect. Rejects with a `JoinRefusedError` or `ClosedError`. */
  async join(channel: string, options: { readonly timeoutMs?: number } = {}): Promise<Position> {
    if (this.#closed) throw this.#closed;
    return this.#channels.join(channel, options.timeoutMs);
  }

  /** Leaves a channel: no more of its messages are handed out. */
  leave(channel: string): void {
    this.#channels.leave(channel);
  }

  #send(frame: ClientFrame): boolean {
    return this.#link.send(JSON.stringify(frame));
  }

  #setState(next: ClientState, code: number, reason: string): void {
    const old = this.#state;
    if (old === next) return;
    this.#state = next;
    this.emit('state', { old, new: next, code, reason });
  }

  async #dial(signal: AbortSignal): Promise<SocketLike> {
    this.#target = undefined;
    const answer = await this.#router.ask(this.#avoid.current(), signal);
    signal.throwIfAborted();
    this.#target = answer.nodeId;
    const { url, fallbackUrl } = answer;
    const roundabout = this.#directFailures >= DIRECT_FAILURES ? fallbackUrl : undefined;
    return new this.#options.WebSocket(roundabout ?? url, [SUBPROTOCOL]);
  }

  /** A session stands on the link's socket. `caughtUp` is called when all that was missed has come. */
  #stand(welcome: WelcomeFrame, caughtUp?: () => void): void {
    this.#cancelWelcome?.();
    this.#session?.abort.abort();
    this.#session = { welcome, abort: new AbortController() };
    this.#target = welcome.nodeId;
    this.#avoid.delete(welcome.nodeId);
    this.#directFailures = 0;
    this.#heartbeat.start(welcome.ping.intervalMs, welcome.ping.timeoutMs);
    this.#channels.welcome(welcome, caughtUp);
    this.#outbox.connected(welcome.limits);
    this.#connecting?.resolve(welcome);
    this.#connecting = undefined;
    this.#setState('connected', 0, '');
  }

  /** Nothing of the session goes on; what is to outlive it is kept for the next one. */
  #leaveSession(): void {
    this.#cancelWelcome?.();
    this.#session?.abort.abort();
    this.#session = undefined;
    this.#heartbeat.stop();
    this.#giveUpStandby?.();
    this.#giveUpStandby = undefined;
    this.#movers = [];
    this.#retireBefore?.();
    this.#outbox.disconnected();
    this.#channels.ended();
  }

  /** The one funnel for every end that the application did not ask for. */
  #afterClose({ code, reason, opened, error }: LinkClose): AfterClose {
    const stood = this.#session !== undefined;
    const rule = closeRule(code);
    this.#leaveSession();
    if (this.#target !== undefined) {
      if (rule.avoid || (!stood && code < 4000)) this.#avoid.add(this.#target);
      if (!opened) this.#directFailures++;
    }
    if (rule.newToken) this.#router.forgetToken();
    const refusal = error instanceof RouteError ? error : undefined;
    if (rule.action === 'terminal' || refusal?.terminal) {
      const cause = refusal ?? new SessionEndedError(code, reason);
      this.#end(new ClosedError(cause.message, { cause }), code, reason);
      this.emit('error', cause);
      return 'stop';
    }
    this.#setState('connecting', code, reason);
    if (error instanceof RingwayError) this.emit('error', error);
    if (refusal && refusal.retryAfterMs > 0) return { afterMs: refusal.retryAfterMs };
    return rule.action === 'again' ? 'again' : 'backoff';
  }

  #end(error: ClosedError, code: number, reason: string): void {
    this.#closed = error;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    this.#outbox.fail(error);
    this.#channels.fail(error);
    this.#setState('disconnected', code, reason);
  }

  #receive(data: string | Uint8Array, socket: SocketLike): void {
    const frame = parseFrame(data);
    if (!frame) {
      this.#link.drop('what came is not JSON');
      return;
    }
    const { state } = this.#link;
    if (state.name === 'open' && state.socket === socket) this.#take(frame);
    else if (frame.type === 'message') this.#channels.message(frame, false);
    else if (frame.type === 'published') this.#outbox.published(frame);
  }

  #take(frame: ServerFrame): void {
    this.#heartbeat.heard();
    switch (frame.type) {
      case 'welcome':
        if (!this.#session) this.#stand(frame);
        return;
      case 'message':
        this.#channels.message(frame, true);
        return;
      case 'published':
        this.#outbox.published(frame);
        return;
      case 'error':
        if (this.#outbox.refused(frame) || this.#channels.refused(frame)) return;
        this.emit('error', new NodeError(frame.code, frame.message, frame.channel));
        return;
      case 'joined':
        this.#channels.joined(frame);
        return;
      case 'left':
        this.#channels.left(frame.channel);
        return;
      case 'resumed':
        this.#channels.resumed(frame);
        return;
      case 'gap':
        this.#channels.gap(frame);
        return;
      case 'move':
        this.#moveTo(frame.url, (reason) => this.#send({ type: 'moveFailed', reason }));
        return;
      case 'expiring':
        void this.#renew(this.#options.clock.now() + frame.expiresIn);
        return;
      case 'ping':
        this.#send({ type: 'pong' });
        return;
      case 'pong':
        this.#heartbeat.pong();
        return;
      case 'refreshed':
        return;
      default:
        // a newer node may say more
        frame satisfies never;
    }
  }

  /** Opens the other socket first; the one in use is read until what it may have missed has come on the new one. */
  #moveTo(url: string, failed: (reason: string) => void): void {
    this.#movers.push(failed);
    if (this.#giveUpStandby) return;
    const { clock } = this.#options;
    this.#giveUpStandby = standBy(url, this.#options, {
      welcome: (socket, frame) => {
        this.#giveUpStandby = undefined;
        this.#movers = [];
        this.#retireBefore?.();
        const replaced = this.#link.replace(socket);
        if (!replaced.taken) return;
        const { before } = replaced;
        if (before) {
          const cancel = after(clock, LINGER_MS, () => this.#retireBefore?.());
          this.#retireBefore = () => {
            this.#retireBefore = undefined;
            cancel();
            void closeGracefully(before, 1000, 'moved', clock, LINGER_MS);
          };
        }
        this.#stand(frame, () => this.#retireBefore?.());
      },
      failed: (reason) => {
        this.#giveUpStandby = undefined;
        for (const each of this.#movers.splice(0)) each(reason);
      },
    });
  }

  /**
   * Renews the right while it lasts. A ticket is for one node: where `/route` names another node by now, the session
   * moves there, with the old connection standing until the new one does; where it cannot, it asks for a ticket elsewhere.
   */
  async #renew(until: number): Promise<void> {
    const session = this.#session;
    if (!session) return;
    const port = {
      avoid: () => this.#avoid.current(),
      failed: (error: RingwayError) => this.emit('error', error),
    };
    const answer = await renew(this.#router, this.#options, until, port, session.abort.signal);
    if (!answer || this.#session !== session) return;
    const { nodeId, url, ticket } = answer;
    if (nodeId === session.welcome.nodeId) this.#send({ type: 'refresh', ticket });
    else {
      this.#moveTo(url, () => {
        if (this.#avoid.current().includes(nodeId)) return;
        this.#avoid.add(nodeId);
        void this.#renew(until);
      });
    }
  }
}
