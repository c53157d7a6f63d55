import { after, fullJitter } from '@ringway/link';
import {
  type ClientFrame,
  type ErrorFrame,
  type GapFrame,
  type JoinedFrame,
  type MessageFrame,
  type Position,
  type ResumedFrame,
  samePosition,
  type WelcomeFrame,
} from '@ringway/protocol';
import { type Deferred, deferred } from './deferred.ts';
import { type ClosedError, JoinRefusedError } from './errors.ts';
import type { ClientEvents } from './events.ts';
import type { ResolvedOptions } from './options.ts';
import { Positions } from './positions.ts';

/** Waits before a refused join or resume is asked for again. */
const RETRY = fullJitter({ baseMs: 200, capMs: 10_000 });

/** What has no answer by then is asked for again, in milliseconds: the node may be waiting for its log. */
const UNANSWERED_MS = 15_000;

/** A channel that the application has joined, or wants to. */
interface Membership {
  readonly result: Deferred<Position>;
  /** Set until the node has taken us in for the first time, or `result` is rejected. */
  cancelDeadline: (() => void) | undefined;
  /** The node has taken us in, on this connection. */
  joined: boolean;
}

type ChannelEvent = 'message' | 'gap' | 'joined' | 'left';

type ChannelsOptions = Pick<ResolvedOptions, 'clock' | 'random' | 'publishTimeoutMs'>;

/** What channels need around them. */
export interface ChannelsPort {
  /** False, and nothing is sent, while no session stands. */
  send(frame: ClientFrame): boolean;
  /** May call back at once. */
  emit<Name extends ChannelEvent>(name: Name, event: ClientEvents[Name]): void;
}

/**
 * The channels of a session and the position in each: what was missed while away, or fell into a hole, is asked for
 * with `resume`, and handed on in order, each message once.
 */
export class Channels {
  readonly #options: ChannelsOptions;
  readonly #port: ChannelsPort;
  readonly #positions = new Positions();
  readonly #members = new Map<string, Membership>();
  /** The groups of which `joined` was the last that was told: a connection that ends does not end them. */
  readonly #in = new Set<string>();
  /** Left, and the node has not said so yet: what was on its way is not wanted any more. */
  readonly #leaving = new Set<string>();
  /** Channels whose `resume` has not been answered. What does not fit meanwhile will come again. */
  readonly #resuming = new Set<string>();
  #own: string | undefined;
  #attempts = 0;
  /** When everything that has no answer is asked for again. */
  #retry: { readonly at: number; readonly cancel: () => void } | undefined;
  #caughtUp: (() => void) | undefined;

  constructor(options: ChannelsOptions, port: ChannelsPort) {
    this.#options = options;
    this.#port = port;
  }

  position(channel: string): Position | undefined {
    return this.#positions.get(channel);
  }

  /** A session stands: join again what was joined, and ask for what was missed. `caughtUp` is called once all came. */
  welcome({ channel, position }: WelcomeFrame, caughtUp?: () => void): void {
    this.ended();
    const isAnother = this.#own !== channel;
    if (isAnother) {
      this.#positions.clear();
      this.#in.clear();
    }
    this.#own = channel;
    this.#caughtUp = caughtUp;
    for (const [name, member] of this.#members) {
      member.joined = false;
      // what another user had joined is not this one's
      if (isAnother && !member.cancelDeadline) this.#members.delete(name);
    }
    this.#join();
    this.#arrive(channel, position);
    this.#checkCaughtUp();
  }

  /** The connection has ended. */
  ended(): void {
    this.#resuming.clear();
    this.#leaving.clear();
    this.#cancelRetry();
    this.#attempts = 0;
    this.#caughtUp = undefined;
  }

  /** Nothing more will come, unless the application connects again: what was joined is kept for that. */
  fail(error: ClosedError): void {
    this.ended();
    for (const [channel, { cancelDeadline }] of this.#members)
      if (cancelDeadline) this.#giveUp(channel, error);
  }

  join(channel: string, timeoutMs: number = this.#options.publishTimeoutMs): Promise<Position> {
    const known = this.#members.get(channel);
    if (known) return known.result.promise;
    const result = deferred<Position>();
    const late = () => this.leave(channel, 'timeout');
    const cancelDeadline = after(this.#options.clock, timeoutMs, late);
    this.#members.set(channel, { result, cancelDeadline, joined: false });
    this.#leaving.delete(channel);
    this.#port.send({ type: 'join', channel });
    return result.promise;
  }

  /** Also a group that nobody has asked for, and that a backend has put us in. */
  leave(channel: string, why: 'left' | 'timeout' = 'left'): void {
    if (!this.#members.has(channel) && !this.#in.has(channel)) return;
    if (this.#port.send({ type: 'leave', channel })) this.#leaving.add(channel);
    this.#drop(channel, new JoinRefusedError(channel, why));
  }

  /** The answer to a join, or the node's own doing. */
  joined({ channel, position }: JoinedFrame): void {
    if (this.#leaving.has(channel)) return;
    const member = this.#members.get(channel);
    this.#arrive(channel, position);
    if (member) {
      member.joined = true;
      member.cancelDeadline?.();
      member.cancelDeadline = undefined;
      member.result.resolve(position);
      this.#checkCaughtUp();
    }
    if (this.#in.has(channel) || !channel.startsWith('group:')) return;
    this.#in.add(channel);
    this.#port.emit('joined', { channel, position });
  }

  /** The answer to a leave, or the node's own doing. Where we have asked to join again since, that answer is to come. */
  left(channel: string): void {
    const member = this.#members.get(channel);
    if (!this.#leaving.delete(channel) && (!member || member.joined)) {
      this.#drop(channel, new JoinRefusedError(channel, 'left'));
      this.#checkCaughtUp();
    }
  }

  /** `current` is false for a connection that is being left: what does not fit will come on the new one. */
  message(frame: MessageFrame, current: boolean): void {
    if (this.#leaving.has(frame.channel)) return;
    const taken = this.#positions.take(frame);
    const { type: _, previous: __, ...message } = frame;
    if (taken === 'deliver') this.#port.emit('message', message);
    else if (taken === 'hole' && current) this.#resume([frame.channel]);
  }

  /**
   * Behind our very position it counts wherever it leads: the log may have lost what we have. One that begins ahead of us is
   * for those who have what comes before it, which we are to ask for.
   */
  gap({ channel, after, upTo }: GapFrame): void {
    const ours = this.#positions.get(channel);
    const isOurs = ours && samePosition(ours, after);
    if (isOurs ? samePosition(ours, upTo) : !this.#positions.isAhead(channel, upTo)) return;
    if (ours && !isOurs && this.#positions.isAhead(channel, after)) return this.#resume([channel]);
    this.#positions.set(channel, upTo);
    this.#port.emit('gap', { channel, after, upTo });
  }

  resumed({ channels }: ResumedFrame): void {
    for (const { channel, position } of channels) {
      this.#resuming.delete(channel);
      const ours = this.#positions.get(channel);
      // left meanwhile
      if (!ours) continue;
      // across epochs the node has told every gap; within ours the count itself says that something did not come
      if (ours.epoch !== position.epoch) this.#positions.set(channel, position);
      else if (position.seq > ours.seq) this.gap({ type: 'gap', channel, after: ours, upTo: position });
    }
    this.#attempts = 0;
    // a join that was refused for the moment is still to be asked for
    if (this.#answered) this.#cancelRetry();
    this.#checkCaughtUp();
  }

  /** An `error` without an id. False when it answers neither a join nor a resume, or answers one for good. */
  refused({ channel = '', code, message, retryable, retryAfterMs = 0 }: ErrorFrame): boolean {
    const asked = this.#members.get(channel)?.joined === false;
    if (asked && !retryable) {
      this.#drop(channel, new JoinRefusedError(channel, code, message));
      this.#checkCaughtUp();
      return true;
    }
    // a leave can be refused, too: of the channel `all`, which goes on
    if (!retryable) this.#leaving.delete(channel);
    if (!retryable && this.#resuming.delete(channel)) this.#positions.forget(channel);
    // without a channel it may be a resume that was refused as a whole
    else if (asked || this.#resuming.size > 0) this.#retryLater(retryAfterMs);
    this.#checkCaughtUp();
    return asked || (retryable && this.#resuming.has(channel));
  }

  /** The node has us in a channel from this position on. */
  #arrive(channel: string, position: Position): void {
    const ours = this.#positions.get(channel);
    if (!ours) this.#positions.set(channel, position);
    else if (!samePosition(ours, position)) this.#resume([channel]);
  }

  #join(): void {
    for (const [channel, { joined }] of this.#members)
      if (!joined) this.#port.send({ type: 'join', channel });
  }

  #resume(channels: readonly string[], again = false): void {
    const positions: Record<string, Position> = {};
    for (const channel of channels) {
      const ours = this.#positions.get(channel);
      if (!ours || (this.#resuming.has(channel) && !again)) continue;
      this.#resuming.add(channel);
      positions[channel] = ours;
    }
    if (Object.keys(positions).length === 0) return;
    this.#port.send({ type: 'resume', positions });
    this.#retryLater(UNANSWERED_MS);
  }

  /** Asks again for everything that has no answer, then or when that is due anyhow. */
  #retryLater(leastMs: number): void {
    const { clock, random } = this.#options;
    const waitMs = leastMs + RETRY(this.#attempts, random());
    const at = clock.now() + waitMs;
    if (this.#retry && this.#retry.at <= at) return;
    this.#attempts++;
    this.#cancelRetry();
    const cancel = after(clock, waitMs, () => {
      this.#retry = undefined;
      this.#join();
      this.#resume([...this.#resuming], true);
    });
    this.#retry = { at, cancel };
  }

  #cancelRetry(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
  }

  /** Nobody wants to be in any more; the promise is rejected unless it was kept before. */
  #giveUp(channel: string, error: Error): void {
    const member = this.#members.get(channel);
    member?.cancelDeadline?.();
    member?.result.reject(error);
    this.#members.delete(channel);
  }

  /** We are not in, whoever had asked for it. */
  #drop(channel: string, error: Error): void {
    this.#giveUp(channel, error);
    this.#resuming.delete(channel);
    this.#positions.forget(channel);
    if (this.#in.delete(channel)) this.#port.emit('left', { channel });
  }

  /** Nothing that was asked for is open. */
  get #answered(): boolean {
    return this.#resuming.size === 0 && [...this.#members.values()].every(({ joined }) => joined);
  }

  #checkCaughtUp(): void {
    if (!this.#answered) return;
    this.#caughtUp?.();
    this.#caughtUp = undefined;
  }
}
