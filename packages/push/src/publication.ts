import { type Position, type PublishTarget, type TargetResult, userOf } from '@ringway/protocol';
import {
  NoNodesError,
  type PushError,
  RateLimitedError,
  UnavailableError,
  UnknownOutcomeError,
} from './errors.ts';
import type { LaneWork } from './lanes.ts';

/** What a publish came to. */
export interface PublishResult {
  /** The publish's id: the one given, or the one that was made. */
  readonly id: string;
  /** Sessions written to, as the home's table had it: a hint, not a receipt. For a list, of all users together. */
  readonly reached: number;
  /** Absent for ephemeral messages and lists. */
  readonly position?: Position;
  /** The id had been stored before: `position` is that message's. */
  readonly duplicate?: boolean;
  /** For a list: one for each distinct user (`to` is the user id), in the order given; one that failed has `error`. */
  readonly results?: readonly TargetResult[];
}

/** What one channel answered. */
export interface TargetOutcome {
  readonly position?: Position;
  readonly reached?: number;
  readonly duplicate?: boolean;
  readonly error?: PushError;
}

export interface PublicationInit {
  readonly id: string;
  readonly to: PublishTarget;
  readonly channels: readonly string[];
  /** JSON text. */
  readonly data: string;
  readonly ephemeral: boolean;
  readonly timeoutMs: number;
}

/** One publish on its way: collects the outcome of each of its channels and settles once, at its deadline at the latest. */
export class Publication implements LaneWork {
  readonly id: string;
  readonly channels: readonly string[];
  readonly isList: boolean;
  readonly ephemeral: boolean;
  readonly promise: Promise<PublishResult>;
  readonly #tail: string;
  readonly #outcomes = new Map<string, TargetOutcome>();
  /** Channels to which it was sent without an answer. */
  readonly #unanswered = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #resolve: (result: PublishResult) => void;
  readonly #reject: (error: PushError) => void;
  #lastRefusal: unknown;
  #settled = false;

  constructor(init: PublicationInit) {
    this.id = init.id;
    this.channels = init.channels;
    this.isList = typeof init.to !== 'string';
    this.ephemeral = init.ephemeral;
    this.#tail = `,"id":${JSON.stringify(init.id)}${init.ephemeral ? ',"ephemeral":true' : ''},"data":${init.data}}`;
    const { promise, resolve, reject } = Promise.withResolvers<PublishResult>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timer = setTimeout(() => this.#expire(init.timeoutMs), init.timeoutMs);
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** The element of a `POST /publish` for some of its channels. `data` goes as it was given. */
  body(channels: readonly string[]): string {
    const to = this.isList
      ? `{"users":${JSON.stringify(channels.map(userName))}}`
      : JSON.stringify(channels[0]);
    return `{"to":${to}${this.#tail}`;
  }

  /** It was sent for the channel and not answered: what became of it is not known until a later answer tells. */
  unanswered(channel: string): void {
    this.#unanswered.add(channel);
  }

  /** Why it is tried again; the last one becomes the cause when the deadline passes. */
  refused(cause: unknown): void {
    this.#lastRefusal = cause;
  }

  /** The outcome for one channel; the last one settles the whole. */
  outcome(channel: string, outcome: TargetOutcome): void {
    if (this.#settled) return;
    this.#outcomes.set(channel, outcome);
    if (this.#outcomes.size === this.channels.length) this.#finish();
  }

  /** Gives up on whatever is open. */
  fail(error: PushError): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#reject(error);
  }

  #expire(timeoutMs: number): void {
    for (const channel of this.channels) {
      if (!this.#outcomes.has(channel)) this.outcome(channel, { error: this.#late(channel, timeoutMs) });
    }
  }

  #late(channel: string, timeoutMs: number): PushError {
    const fields = { id: this.id, to: channel, cause: this.#lastRefusal };
    if (this.#unanswered.has(channel)) {
      return new UnknownOutcomeError(`${channel}: sent, but not answered within ${timeoutMs} ms`, fields);
    }
    const last = this.#lastRefusal;
    if (last instanceof NoNodesError || last instanceof RateLimitedError) {
      const Same = last instanceof NoNodesError ? NoNodesError : RateLimitedError;
      return new Same(`${last.message} (for ${timeoutMs} ms)`, fields);
    }
    if (last instanceof UnavailableError) {
      return new UnavailableError(`${channel}: ${last.message} (for ${timeoutMs} ms)`, fields);
    }
    return new UnavailableError(`${channel}: refused for ${timeoutMs} ms, nothing was stored`, fields);
  }

  #finish(): void {
    this.#settled = true;
    clearTimeout(this.#timer);
    if (this.isList) {
      const results = this.channels.map((channel) =>
        listResult(userName(channel), this.#outcomes.get(channel)),
      );
      const reached = results.reduce((sum, result) => sum + (result.reached ?? 0), 0);
      this.#resolve({ id: this.id, reached, results });
      return;
    }
    const { error, position, reached, duplicate } = this.#outcomes.get(this.channels[0] ?? '') ?? {};
    if (error !== undefined) this.#reject(error);
    else
      this.#resolve({
        id: this.id,
        reached: reached ?? 0,
        ...(position && { position }),
        ...(duplicate && { duplicate }),
      });
  }
}

/** Channels of a list are those of users. */
function userName(channel: string): string {
  return userOf(channel) ?? channel;
}

function listResult(to: string, outcome: TargetOutcome | undefined): TargetResult {
  const error = outcome?.error;
  if (error !== undefined) {
    const code = error.code === 'closed' || error.code === 'bad_option' ? 'internal' : error.code;
    return { to, error: { code, message: error.message } };
  }
  return {
    to,
    reached: outcome?.reached ?? 0,
    ...(outcome?.position && { position: outcome.position }),
    ...(outcome?.duplicate && { duplicate: true }),
  };
}
