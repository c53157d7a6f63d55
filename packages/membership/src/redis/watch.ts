import { Audience, errorText } from '../audience.ts';
import { backoffMs } from '../backoff.ts';
import { type Answer, entriesOf, NOTHING_SEEN, takeAnswer, takeWord, type View } from '../decide.ts';
import { MembershipClosedError, RegistryError } from '../errors.ts';
import type { MembershipObserver, MembershipWatch, Snapshot } from '../port.ts';
import { Alarm } from './alarm.ts';
import type { ResolvedRedisOptions } from './redis-options.ts';
import { RedisStore, type Stored } from './redis-store.ts';
import { compareRings, readRing, type SharedRing } from './shared-ring.ts';

interface Waiter {
  resolve(snapshot: Snapshot): void;
  reject(error: unknown): void;
}

/**
 * Reads the ring that stands in Redis, when it is told of a change, when the connection stands anew, and now and then.
 * It keeps what it read last and never goes back: an older ring, none, or one without proof changes nothing.
 *
 * What the registry says was weighed by those who offer it, so a departure is believed at once. Only when the registry
 * started over (the generation rose) who is missing is kept a while: an offerer that came with it has no memory of them.
 */
export class RedisWatch implements MembershipWatch {
  readonly ready: Promise<void>;
  readonly #options: ResolvedRedisOptions;
  readonly #audience: Audience;
  readonly #store: RedisStore;
  readonly #alarm: Alarm;
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  readonly #settleReady: { resolve(): void; reject(error: unknown): void };
  #waiters: Waiter[] = [];
  #view: View = NOTHING_SEEN;
  #snapshot: Snapshot | undefined;
  /** What is shown, and its signature. */
  #ring: SharedRing | undefined;
  #sig = '';
  /** The last that was refused, so that it is told once. */
  #refused: string | undefined;
  #rereadAt: number | undefined;
  #confirmedAt: number | undefined;

  constructor(options: ResolvedRedisOptions, observer: MembershipObserver) {
    this.#options = options;
    this.#audience = new Audience('redis', observer, options.log, this.#closing.signal);
    this.#alarm = new Alarm(options.clock);
    this.#store = new RedisStore(options, (sig) => {
      if (sig === undefined || sig !== this.#sig) this.#alarm.ring();
    });
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
      this.#alarm.ring();
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
    this.#settleReady.reject(new MembershipClosedError());
    this.#store.close();
    this.#alarm.ring();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { clock, timings, random } = this.#options;
    const ended = this.#closing.signal;
    let failures = 0;
    while (!ended.aborted) {
      const waiters = this.#waiters;
      this.#waiters = [];
      try {
        this.#take(await this.#store.read(this.#sig));
        failures = 0;
        for (const { resolve } of waiters) resolve(this.#current());
        const poll = timings.pollMs * (0.75 + random() / 2);
        const due = this.#rereadAt === undefined ? poll : this.#rereadAt - clock.now();
        await this.#alarm.sleep(Math.max(0, Math.min(poll, due)));
      } catch (error) {
        failures += 1;
        for (const { reject } of waiters) reject(ended.aborted ? new MembershipClosedError() : error);
        if (ended.aborted) break;
        this.#failed(error, failures);
        const pause = backoffMs(failures, timings.backoff, random);
        // Where Redis fails, its return must not cut the pause short: it may come and go in a circle.
        await (error instanceof NotTakenError ? this.#alarm.sleep(pause) : clock.sleep(pause, ended));
      }
    }
    for (const { reject } of this.#waiters) reject(new MembershipClosedError());
  }

  #failed(error: unknown, failures: number): void {
    const { hooks, log } = this.#options;
    hooks.failed?.();
    if (!(error instanceof NotTakenError)) this.#audience.stale('unreachable', error);
    if (failures > 1 && failures % 30 === 0)
      log.warn({ failures, error: errorText(error) }, 'redis: still cannot read the members');
  }

  /** @throws NotTakenError when nothing can be made of it */
  #take(stored: Stored): void {
    const { clock, hooks, log, service, signer, timings } = this.#options;
    if (stored.sig === '') {
      this.#audience.stale('unfed', undefined);
      throw new NotTakenError('no ring stands in Redis');
    }
    let startedOver = false;
    if (stored.text !== undefined) {
      const { sig, text } = stored;
      const ring = readRing(service, { sig, text }, signer);
      if ('reason' in ring) {
        if (this.#refused !== sig) {
          this.#refused = sig;
          hooks.rejected?.(ring.reason);
          log.warn({ ...ring }, 'redis: the ring that stands there is not believed');
        }
        this.#audience.stale('unproven', undefined);
        throw new NotTakenError(ring.detail);
      }
      if (this.#ring !== undefined && compareRings(ring, this.#ring) < 0) {
        // One that was put back, or a Redis that lost its last writes. Whoever offers will put it right.
        this.#audience.stale('unfed', undefined);
        return;
      }
      startedOver = this.#ring !== undefined && ring.generation > this.#ring.generation;
      this.#ring = ring;
      this.#sig = sig;
    }
    this.#refused = undefined;
    this.#believe(this.#ring!, startedOver);
    this.#confirmedAt = clock.now() - stored.ageMs;
    if (stored.ageMs > timings.unfedAfterMs) this.#audience.stale('unfed', undefined);
    else this.#audience.fresh();
  }

  #believe(ring: SharedRing, startedOver: boolean): void {
    const { clock, timings } = this.#options;
    const first = this.#view.index === undefined;
    const answer: Answer = {
      index: ring.index,
      authoritative: true,
      resumed: startedOver,
      members: new Map(ring.members.map((entry) => [entry.id, { member: entry, state: entry.state }])),
    };
    const decision = takeAnswer(this.#view, answer, clock.now(), {
      criticalHoldMs: 0,
      massLossHoldMs: timings.startedOverHoldMs,
      // No share is too much: those who offer have held back what was to be held back.
      massLossShare: 1,
      massLossWindowMs: 0,
    });
    this.#view = decision.view;
    this.#rereadAt = decision.rereadAt;
    if (decision.changed) this.#show();
    if (first) this.#settleReady.resolve();
  }

  /** What is shown now, with the index of the ring that was believed last. */
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
}

/** Redis answered, but not with a ring to believe. */
class NotTakenError extends RegistryError {
  constructor(message: string) {
    super('read the ring', { message });
  }
}
