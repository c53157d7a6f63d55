import { errorText } from '../audience.ts';
import { backoffMs } from '../backoff.ts';
import { RegistryError } from '../errors.ts';
import type { MembershipWatch, Snapshot } from '../port.ts';
import { Alarm } from './alarm.ts';
import type { OfferResult, ResolvedRedisOptions } from './redis-options.ts';
import { RedisStore, type Stored } from './redis-store.ts';
import { compareRings, readRing, ringSize, type SharedRing, sameMembers, writeRing } from './shared-ring.ts';

const MAX_ATTEMPTS = 8;

/**
 * Offers what one process knows of the members to Redis. Any number of them can: each reads what stands there, decides
 * whether its own is newer, and writes only if the very same still stands there. So an older one never replaces a newer.
 *
 * - Redis is read first, then the registry again, not stale; only that is offered. So what is offered was true after what
 *   stands there: an index that is lower nevertheless fell, and the generation rises. What was known before, or comes
 *   from a server that lags, is never written.
 * - Within a generation the index decides; at equal index the ring with fewer members, for only departures are held back.
 * - While the registry does not confirm what is known here, nothing is written at all.
 * - A ring without members never replaces one with some.
 */
export class RingOfferer {
  readonly #options: ResolvedRedisOptions;
  readonly #store: RedisStore;
  readonly #alarm: Alarm;
  readonly #closing = new AbortController();
  #done: Promise<void> = Promise.resolve();
  #mine: Snapshot | undefined;
  #held = false;
  /** What stands in Redis as far as it was read. */
  #seen: { readonly sig: string; readonly ring: SharedRing | undefined } = { sig: '', ring: undefined };
  /** The last that was not believed, so that it is told once. */
  #refused: string | undefined;
  #highest = 0n;
  #forcedAt: number | undefined;

  constructor(options: ResolvedRedisOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock);
    this.#store = new RedisStore(options, (sig) => {
      if (sig === undefined || sig !== this.#seen.sig) this.#react();
    });
  }

  /** Begins to offer what the watch shows. */
  start(watch: MembershipWatch): void {
    this.#done = this.#run(watch);
  }

  take(snapshot: Snapshot): void {
    this.#mine = snapshot;
    this.#alarm.ring();
  }

  /** The registry no longer confirms what was taken. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#alarm.ring();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#store.close();
    this.#alarm.ring();
    await this.#done;
  }

  /** Soon, but not at once: the own registry mostly says the same a moment later, and then nothing needs to be done. */
  #react(): void {
    const { clock, random, timings } = this.#options;
    void clock.sleep(random() * timings.reactMs, this.#closing.signal).then(() => this.#alarm.ring());
  }

  async #run(watch: MembershipWatch): Promise<void> {
    const { clock, hooks, log, random, timings } = this.#options;
    const ended = this.#closing.signal;
    let failures = 0;
    while (!ended.aborted) {
      try {
        const result = this.#mine === undefined || this.#held ? undefined : await this.#offer(watch);
        if (result !== undefined) {
          hooks.offered?.(result);
          if (failures > 0) log.info({ result }, 'redis: the ring is offered again');
          failures = 0;
        }
        await this.#alarm.sleep(timings.offerMs * (0.75 + random() / 2));
      } catch (error) {
        if (ended.aborted) break;
        failures += 1;
        hooks.offered?.('failed');
        if (failures === 1 || failures % 30 === 0)
          log.warn({ failures, error: errorText(error) }, 'redis: the ring cannot be offered');
        await clock.sleep(backoffMs(failures, timings.backoff, random), ended);
      }
    }
  }

  /** @throws RegistryError when Redis or the registry cannot be asked */
  async #offer(watch: MembershipWatch): Promise<OfferResult | undefined> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const stored = await this.#store.read(this.#seen.sig);
      const there = this.#understand(stored);
      if (there !== undefined && there.generation > this.#highest) this.#highest = there.generation;
      const next = await this.#next(watch, stored, there);
      if (next === 'refused' || next === undefined) return next;
      if (next === 'same') {
        if (await this.#store.confirm(stored.sig)) return 'same';
        continue;
      }
      const { service, signer, log } = this.#options;
      const written = writeRing(service, next, signer);
      if (!(await this.#store.swap(stored.sig, written))) continue;
      this.#seen = { sig: written.sig, ring: next };
      this.#highest = next.generation;
      const { generation, index, members } = next;
      const fields = { generation: `${generation}`, index: `${index}`, members: members.length };
      if (there !== undefined && generation > there.generation) {
        const from = `${there.index}`;
        log.warn({ ...fields, from }, 'redis: the index of the registry fell, the generation rises');
      } else log.info(fields, 'redis: the ring is offered');
      return 'accepted';
    }
    throw new RegistryError('offer the ring', { message: `others were faster ${MAX_ATTEMPTS} times` });
  }

  /** What is to stand there next; or that it does already, or must not; undefined when nothing can be said now. */
  async #next(
    watch: MembershipWatch,
    stored: Stored,
    there: SharedRing | undefined,
  ): Promise<SharedRing | 'same' | 'refused' | undefined> {
    let mine = this.#mine;
    if (mine === undefined || this.#held) return undefined;
    if (there !== undefined && says(there, mine)) return 'same';
    mine = await watch.reread();
    if (this.#held) return undefined;
    this.#mine = mine;
    if (there === undefined) {
      // Nothing there, or nothing to believe. In the latter case somebody else may see it the other way round.
      if (stored.sig !== '' && !this.#mayForce()) return 'refused';
      return asRing(mine, later(this.#highest + 1n, stored.now));
    }
    if (says(there, mine)) return 'same';
    const known = asRing(mine, there.generation);
    if (emptied(known, there)) return 'refused';
    if (compareRings(known, there) > 0) return known;
    if (known.index === there.index || !this.#mayForce()) return 'refused';
    return asRing(mine, later(there.generation + 1n, stored.now));
  }

  /** The ring that stands there, if it is one to believe. */
  #understand({ sig, text }: Stored): SharedRing | undefined {
    if (sig === '') return undefined;
    if (text === undefined) return this.#seen.ring;
    const { hooks, log, service, signer } = this.#options;
    const ring = readRing(service, { sig, text }, signer);
    if ('reason' in ring) {
      // Not remembered: by other keys it may be right.
      this.#seen = { sig: '', ring: undefined };
      if (this.#refused !== sig) {
        this.#refused = sig;
        hooks.rejected?.(ring.reason);
        log.warn({ ...ring }, 'redis: the ring that stands there is not believed');
      }
      return undefined;
    }
    this.#seen = { sig, ring };
    return ring;
  }

  /** At most now and then, so that two who cannot agree do not take turns without end. */
  #mayForce(): boolean {
    const { clock, timings } = this.#options;
    const now = clock.now();
    if (this.#forcedAt !== undefined && now - this.#forcedAt < timings.forceGapMs) return false;
    this.#forcedAt = now;
    return true;
  }
}

/** Whether nothing would be gained by offering: a newer index alone is worth it, for it outlives older offers. */
function says(there: SharedRing, mine: Snapshot): boolean {
  return sameMembers(there.members, mine.members) && BigInt(mine.index) <= there.index;
}

function asRing({ index, members }: Snapshot, generation: bigint): SharedRing {
  return { generation, index: BigInt(index), members };
}

function emptied(next: SharedRing, there: SharedRing): boolean {
  return ringSize(next.members) === 0 && ringSize(there.members) > 0;
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
