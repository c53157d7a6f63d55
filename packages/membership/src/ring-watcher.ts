import { buildRing, RING_FORMAT, type Ring } from '@ringway/ring';
import { MembershipClosedError } from './errors.ts';
import { type MembershipLog, SILENT } from './log.ts';
import { type Member, type MemberEntry, sameMember } from './member.ts';
import type { MembershipWatch, Snapshot, StaleReason, Watching } from './port.ts';

/** Told after the ring was swapped. Must not throw; what it throws is logged. */
export type RingListener = (before: Ring<Member>, after: Ring<Member>) => void;

/** Options of {@link RingWatcher}. */
export interface RingWatcherOptions {
  readonly membership: Watching;
  /** Formats that this build can place keys by; the one of `@ringway/ring` by default. */
  readonly ringFormats?: readonly number[];
  readonly log?: MembershipLog;
  readonly hooks?: {
    /** A member of an unknown ring format is kept out of the ring; once for each start of it. */
    rejected?(reason: 'ring_format'): void;
  };
}

/**
 * Owns the current ring of a process. The ring is an immutable object that is swapped, so that no reader ever waits;
 * listeners get the old and the new. It stands, and only ages, while the registry cannot be read.
 */
export class RingWatcher {
  readonly #options: RingWatcherOptions;
  readonly #log: MembershipLog;
  readonly #formats: ReadonlySet<number>;
  readonly #listeners = new Set<RingListener>();
  #watch: MembershipWatch | undefined;
  #ring: Ring<Member> = buildRing<Member>([]);
  #snapshot: Snapshot | undefined;
  #stale: StaleReason | undefined;
  #rejected = new Set<string>();
  #closed = false;

  constructor(options: RingWatcherOptions) {
    this.#options = options;
    this.#log = options.log ?? SILENT;
    this.#formats = new Set(options.ringFormats ?? [RING_FORMAT]);
  }

  /**
   * Begins to watch; resolves after the first read, so that the ring is there before anyone asks. May be called again.
   * While the registry is away it goes on trying: bound the wait where that matters.
   * @throws {MembershipClosedError} when closed before the first read
   */
  start(): Promise<void> {
    if (this.#closed) return Promise.reject(new MembershipClosedError());
    this.#watch ??= this.#options.membership.watch({
      snapshot: (snapshot) => this.#take(snapshot),
      stale: (reason) => {
        this.#stale = reason;
      },
      fresh: () => {
        this.#stale = undefined;
      },
    });
    return this.#watch.ready;
  }

  /** The ring to use now; empty before the first read. */
  get current(): Ring<Member> {
    return this.#ring;
  }

  /** All listed members, also those outside the ring; undefined before the first read. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** Why the ring may be out of date; undefined while the registry confirms it. */
  get stale(): StaleReason | undefined {
    return this.#stale;
  }

  /** Seconds since the registry last confirmed the ring; `Infinity` before the first read. */
  ageSeconds(): number {
    return (this.#watch?.sinceConfirmed() ?? Infinity) / 1_000;
  }

  /** Calls the listener after each change of who is in the ring (a new start of a member is one). Returns the way out. */
  subscribe(listener: RingListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Reads again, not from a stale copy, and gives the ring that then stands, its `version.index` being that of this
   * read. For settling by `newerRing` whose ring is newer, and for a process that was paused. Rejects when the registry
   * cannot be read; the ring stands.
   */
  async reread(): Promise<Ring<Member>> {
    if (this.#watch === undefined || this.#closed) throw new MembershipClosedError();
    this.#take(await this.#watch.reread());
    return this.#ring;
  }

  /** A node said itself, on a link for instance, that this start of it is leaving: it leaves the ring at once. */
  saidLeaving(id: string, incarnation: string): void {
    this.#watch?.saidLeaving(id, incarnation);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    await this.#watch?.close();
  }

  #take(snapshot: Snapshot): void {
    if (
      this.#closed ||
      (this.#snapshot?.index === snapshot.index && this.#snapshot.members === snapshot.members)
    )
      return;
    this.#snapshot = snapshot;
    const before = this.#ring;
    const after = this.#build(snapshot, before);
    if (after === undefined) return;
    this.#ring = after;
    if (sameMembers(before.members, after.members)) return;
    this.#log.info(
      { ring: after.version, members: after.size, before: before.version, membersBefore: before.size },
      'the ring changed',
    );
    for (const listener of [...this.#listeners]) {
      try {
        listener(before, after);
      } catch (error) {
        this.#log.error({ error: String(error) }, 'a ring listener failed');
      }
    }
  }

  #build(snapshot: Snapshot, previous: Ring<Member>): Ring<Member> | undefined {
    const members = snapshot.members.filter((entry) => entry.state === 'up' && this.#placeable(entry));
    this.#forgetRejected(snapshot);
    try {
      return buildRing<Member>(members, { index: snapshot.index, previous });
    } catch (error) {
      // Members are checked one by one when they are listed; together they can still be too many for one ring.
      this.#log.error(
        { error: String(error), members: members.length },
        'no ring of these members, keeping the last',
      );
      return undefined;
    }
  }

  #placeable(entry: MemberEntry): boolean {
    if (this.#formats.has(entry.ringFormat)) return true;
    const key = `${entry.id}/${entry.incarnation}`;
    if (!this.#rejected.has(key)) {
      this.#rejected.add(key);
      this.#options.hooks?.rejected?.('ring_format');
      this.#log.warn(
        { id: entry.id, ringFormat: entry.ringFormat },
        'a member of an unknown ring format is kept out',
      );
    }
    return false;
  }

  #forgetRejected({ members }: Snapshot): void {
    if (this.#rejected.size === 0) return;
    const listed = new Set(members.map((entry) => `${entry.id}/${entry.incarnation}`));
    this.#rejected = new Set([...this.#rejected].filter((key) => listed.has(key)));
  }
}

function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  return a.length === b.length && a.every((member, i) => sameMember(member, b[i]!));
}
