import { Audience, errorText } from '../audience.ts';
import { backoffMs } from '../backoff.ts';
import {
  type Decision,
  entriesOf,
  hasSaid,
  NOTHING_SEEN,
  takeAnswer,
  takeWord,
  type View,
} from '../decide.ts';
import { MembershipClosedError, RegistryError, RegistryUnauthorisedError } from '../errors.ts';
import type { MembershipObserver, MembershipWatch, Snapshot } from '../port.ts';
import { type Rejection, readCatalogue } from './catalogue.ts';
import { blockingTimeoutMs, type ConsulApi, type HealthAnswer } from './consul-api.ts';
import type { ResolvedConsulOptions } from './consul-options.ts';

interface Waiter {
  resolve(snapshot: Snapshot): void;
  reject(error: unknown): void;
}

/**
 * Reads the members of one service for ever. It only reads, paces and reports; what to believe is decided in
 * decide.ts. The index of a blocking query is dropped after every error and every fall, so that a registry which
 * starts over is never waited for at an index that it has yet to reach.
 */
export class ConsulWatch implements MembershipWatch {
  readonly ready: Promise<void>;
  readonly #api: ConsulApi;
  readonly #options: ResolvedConsulOptions;
  readonly #audience: Audience;
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  readonly #settleReady: { resolve(): void; reject(error: unknown): void };
  /** Breaks off the query under way. */
  #query = new AbortController();
  #waiters: Waiter[] = [];
  /** Whether the query under way answers waiters. */
  #fresh = false;
  #view: View = NOTHING_SEEN;
  #snapshot: Snapshot | undefined;
  #index: bigint | undefined;
  #rereadAt: number | undefined;
  #leaderless = false;
  /** Whether contact was lost since the last answer with authority. */
  #resumed = false;
  #confirmedAt: number | undefined;
  #rejections = new Set<string>();
  #held: readonly string[] = [];
  #kept: readonly string[] = [];

  constructor(api: ConsulApi, options: ResolvedConsulOptions, observer: MembershipObserver) {
    this.#api = api;
    this.#options = options;
    this.#audience = new Audience('consul', observer, options.log, this.#closing.signal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    // Nobody has to wait for it.
    promise.catch(() => {});
    this.#settleReady = { resolve, reject };
    this.#done = this.#run();
  }

  sinceConfirmed(): number {
    return this.#confirmedAt === undefined ? Infinity : this.#options.clock.now() - this.#confirmedAt;
  }

  reread(): Promise<Snapshot> {
    if (this.#closing.signal.aborted) return Promise.reject(new MembershipClosedError());
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      // One that is read for others may have begun too early for this caller; its turn comes right after.
      if (!this.#fresh) this.#query.abort();
    });
  }

  saidLeaving(id: string, incarnation: string): void {
    if (this.#closing.signal.aborted) return;
    const decision = takeWord(this.#view, id, incarnation);
    this.#view = decision.view;
    if (decision.changed) this.#show();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#query.abort();
    this.#settleReady.reject(new MembershipClosedError());
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock, timings, random } = this.#options;
    let failures = 0;
    while (!this.#closing.signal.aborted) {
      const startedAt = clock.now();
      this.#query = new AbortController();
      const waiters = this.#waiters;
      this.#waiters = [];
      this.#fresh = waiters.length > 0;
      try {
        this.#take(await this.#read());
        failures = 0;
        for (const { resolve } of waiters) resolve(this.#current());
        await clock.sleep(startedAt + timings.minGapMs - clock.now(), this.#closing.signal);
      } catch (error) {
        this.#index = undefined;
        // Broken off on purpose, to read again at once: no failure.
        const wanted = this.#query.signal.aborted && !this.#fresh;
        if (!wanted) {
          failures += 1;
          for (const { reject } of waiters)
            reject(this.#closing.signal.aborted ? new MembershipClosedError() : error);
        }
        if (this.#closing.signal.aborted) break;
        if (!wanted) this.#failed(error, failures);
        const pause = wanted ? timings.minGapMs : backoffMs(failures, timings.backoff, random);
        await clock.sleep(pause, this.#closing.signal);
      }
    }
    for (const { reject } of this.#waiters) reject(new MembershipClosedError());
  }

  /** One answer to decide on: read again, not stale, when asked to or when the index fell. */
  async #read(): Promise<HealthAnswer> {
    if (this.#fresh) return this.#ask(false, undefined);
    const { clock } = this.#options;
    const answered = new AbortController();
    const overdue = this.#rereadAt !== undefined && this.#rereadAt <= clock.now();
    if (this.#rereadAt !== undefined && !overdue) this.#breakOffAt(this.#rereadAt, answered.signal);
    try {
      const answer = await this.#ask(true, overdue ? undefined : this.#index);
      // A server that lags behind the one asked before, or a registry that started over? The leader knows.
      if (this.#view.index !== undefined && answer.index < this.#view.index && answer.knownLeader) {
        return await this.#ask(false, undefined);
      }
      return answer;
    } finally {
      answered.abort();
    }
  }

  #breakOffAt(time: number, answered: AbortSignal): void {
    const query = this.#query;
    void this.#options.clock.sleep(time - this.#options.clock.now(), answered).then(() => {
      if (!answered.aborted) query.abort();
    });
  }

  async #ask(stale: boolean, index: bigint | undefined): Promise<HealthAnswer> {
    const { service, timings } = this.#options;
    const signal = this.#query.signal;
    const waitMs = this.#leaderless ? timings.leaderlessWaitMs : timings.waitMs;
    const answer = await this.#api.health({
      service,
      stale,
      signal,
      timeoutMs: index === undefined ? timings.requestTimeoutMs : blockingTimeoutMs(waitMs),
      ...(index === undefined ? {} : { index, waitMs }),
    });
    if (Array.isArray(answer.body) && answer.body.length === 0) await this.#provenEmpty(stale, signal);
    return answer;
  }

  /** A token without rights sees an empty catalogue, not an error: then it does not see Consul's own servers either. */
  async #provenEmpty(stale: boolean, signal: AbortSignal): Promise<void> {
    const { service, timings } = this.#options;
    const timeoutMs = timings.requestTimeoutMs;
    const servers = await this.#api.health({ service: 'consul', stale, signal, timeoutMs });
    if (!Array.isArray(servers.body) || servers.body.length === 0)
      throw new RegistryUnauthorisedError(service);
  }

  #take(answer: HealthAnswer): void {
    const { clock, service, signer, timings } = this.#options;
    const catalogue = readCatalogue(service, answer.body, signer);
    if (catalogue === undefined) {
      throw new RegistryError(`health of ${service}`, { status: 200, message: 'an answer that is no list' });
    }
    const authoritative = answer.knownLeader && answer.lastContactMs <= timings.maxLastContactMs;
    const now = clock.now();
    const { index } = answer;
    const seen = { index, authoritative, resumed: this.#resumed, members: catalogue.members };
    const decision = takeAnswer(this.#view, seen, now, timings);
    if (authoritative) this.#resumed = false;
    const first = this.#view.index === undefined;
    this.#index = index;
    this.#leaderless = !authoritative;
    this.#rereadAt = decision.rereadAt;
    this.#view = decision.view;
    this.#tellRejected(catalogue.rejected);
    if (authoritative) this.#tellKept(decision);
    if (decision.changed) this.#show();
    if (authoritative) {
      this.#confirmedAt = now;
      this.#audience.fresh();
    } else {
      this.#audience.stale('leaderless', undefined);
    }
    if (first) this.#settleReady.resolve();
  }

  /** What is shown now, with the index of the last answer that was believed. */
  #current(): Snapshot {
    const index = String(this.#view.index ?? 0);
    if (this.#snapshot?.index !== index) {
      this.#snapshot = Object.freeze({ index, members: this.#snapshot?.members ?? entriesOf(this.#view) });
    }
    return this.#snapshot;
  }

  #show(): void {
    this.#snapshot = undefined;
    this.#audience.show(this.#current());
  }

  #failed(error: unknown, failures: number): void {
    this.#resumed = true;
    this.#options.hooks.failed?.();
    const denied = error instanceof RegistryError && (error.status === 401 || error.status === 403);
    const unauthorised = denied || error instanceof RegistryUnauthorisedError;
    this.#audience.stale(unauthorised ? 'unauthorised' : 'unreachable', error);
    // Once a minute or so after the first, at the cap of the backoff.
    if (failures > 1 && failures % 30 === 0) {
      this.#options.log.warn({ failures, error: errorText(error) }, 'consul: still cannot read the members');
    }
  }

  #tellKept({ held, kept, view }: Decision): void {
    const { hooks, log, timings } = this.#options;
    if (held.join() !== this.#held.join()) {
      hooks.held?.(held.length);
      const fields = { members: held, of: view.entries.size, holdMs: timings.massLossHoldMs };
      if (held.length > 0)
        log.warn(
          fields,
          'consul: members lost, too many at once or by a registry that started over: keeping them for now',
        );
      else log.warn({ members: this.#held }, 'consul: the members kept are back, or given up');
      this.#held = held;
    }
    if (kept.join() !== this.#kept.join()) {
      const silent = kept.filter((id) => !hasSaid(view, id));
      if (silent.length > 0) log.warn({ members: silent }, 'consul: no member left, keeping the last ring');
      else if (kept.length > 0)
        log.info({ members: kept }, 'consul: the last member has left, keeping the ring until another comes');
      this.#kept = kept;
    }
  }

  #tellRejected(rejected: readonly Rejection[]): void {
    const seen = new Set<string>();
    for (const rejection of rejected) {
      const { reason, detail, node, serviceId } = rejection;
      const key = JSON.stringify([reason, node, serviceId]);
      seen.add(key);
      if (this.#rejections.has(key)) continue;
      this.#options.hooks.rejected?.(reason);
      this.#options.log.warn(
        { reason, detail, node, serviceId },
        'consul: a registration is kept out of the members',
      );
    }
    this.#rejections = seen;
  }
}
