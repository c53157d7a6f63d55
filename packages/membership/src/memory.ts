import { InvalidMemberError, MembershipClosedError } from './errors.ts';
import {
  byId,
  type Member,
  type MemberEntry,
  type MemberState,
  memberEntry,
  memberProblem,
  sameEntry,
} from './member.ts';
import type {
  Membership,
  MembershipObserver,
  MembershipWatch,
  Registration,
  RegistrationObserver,
  Snapshot,
} from './port.ts';

interface Listed {
  readonly entry: MemberEntry;
  readonly owner: MemoryRegistration;
}

/**
 * A registry within one process, the embedded default: what the handles of `memoryMembership` share. As true to the
 * port as a real one: an index that rises with each change, watchers told later and in order. It never errs, so it
 * holds nothing back, and the last member that leaves leaves the ring empty.
 */
export class MemoryRegistry {
  readonly #listed = new Map<string, Listed>();
  readonly #watchers = new Set<() => void>();
  #index = 1n;
  #members: readonly MemberEntry[] = Object.freeze([]);

  /** What is listed now. */
  get snapshot(): Snapshot {
    return Object.freeze({ index: this.#index.toString(), members: this.#members });
  }

  /** As if the health check of a node had failed for long enough; `recover` heals it. */
  fail(id: string): void {
    this.#setState(id, 'critical');
  }

  recover(id: string): void {
    this.#setState(id, 'up');
  }

  /** As if the registry had lost a node: it is registered again, as the port demands. */
  lose(id: string): void {
    const listed = this.#listed.get(id);
    if (listed === undefined) return;
    this.remove(listed.owner);
    listed.owner.lost();
  }

  /** For handles. */
  put(owner: MemoryRegistration, member: Member, state: MemberState): void {
    const before = this.#listed.get(member.id);
    const entry = memberEntry(member, state);
    this.#listed.set(member.id, { entry, owner });
    if (before === undefined || !sameEntry(before.entry, entry)) this.#changed();
    if (before !== undefined && before.owner !== owner) before.owner.replacedBy(member.incarnation);
  }

  /** For handles. */
  remove(owner: MemoryRegistration): void {
    for (const [id, listed] of this.#listed) {
      if (listed.owner !== owner) continue;
      this.#listed.delete(id);
      this.#changed();
    }
  }

  /** For handles: calls back after each change, until the returned function is called. */
  follow(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  #setState(id: string, state: MemberState): void {
    const listed = this.#listed.get(id);
    if (listed !== undefined) this.put(listed.owner, listed.entry, state);
  }

  #changed(): void {
    this.#index += 1n;
    this.#members = Object.freeze([...this.#listed.values()].map(({ entry }) => entry).sort(byId));
    for (const changed of [...this.#watchers]) changed();
  }
}

/** Members within this process. Handles that are to see each other are given the same registry. */
export function memoryMembership(registry: MemoryRegistry = new MemoryRegistry()): Membership {
  return new MemoryMembership(registry);
}

class MemoryMembership implements Membership {
  readonly #registry: MemoryRegistry;
  readonly #watches = new Set<MemoryWatch>();
  readonly #registrations = new Set<MemoryRegistration>();
  #closed = false;

  constructor(registry: MemoryRegistry) {
    this.#registry = registry;
  }

  async register(self: Member, observer: RegistrationObserver = {}): Promise<Registration> {
    if (this.#closed) throw new MembershipClosedError();
    const problem = memberProblem(self);
    if (problem !== undefined) throw new InvalidMemberError(problem);
    const registration = new MemoryRegistration(this.#registry, self, observer);
    this.#registrations.add(registration);
    this.#registry.put(registration, self, 'up');
    return registration;
  }

  watch(observer: MembershipObserver): MembershipWatch {
    if (this.#closed) throw new MembershipClosedError();
    const watch = new MemoryWatch(this.#registry, observer);
    this.#watches.add(watch);
    return watch;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const watch of this.#watches) await watch.close();
    for (const registration of this.#registrations) registration.stop();
  }
}

/** One node's registration in a {@link MemoryRegistry}. */
export class MemoryRegistration implements Registration {
  readonly #registry: MemoryRegistry;
  readonly #member: Member;
  readonly #observer: RegistrationObserver;
  #state: MemberState = 'up';
  #over = false;

  constructor(registry: MemoryRegistry, member: Member, observer: RegistrationObserver) {
    this.#registry = registry;
    this.#member = member;
    this.#observer = observer;
  }

  async leave(): Promise<void> {
    this.#put('leaving');
  }

  async rejoin(): Promise<void> {
    this.#put('up');
  }

  async deregister(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#registry.remove(this);
  }

  /** The registry calls it: registers again. */
  lost(): void {
    queueMicrotask(() => {
      if (this.#over) return;
      this.#observer.lost?.();
      this.#put(this.#state);
      this.#observer.restored?.();
    });
  }

  /** The registry calls it. */
  replacedBy(incarnation: string): void {
    if (this.#over) return;
    this.#over = true;
    queueMicrotask(() => this.#observer.replaced?.(incarnation));
  }

  /** The handle calls it: no more care. */
  stop(): void {
    this.#over = true;
  }

  #put(state: MemberState): void {
    if (this.#over) return;
    this.#state = state;
    this.#registry.put(this, this.#member, state);
  }
}

class MemoryWatch implements MembershipWatch {
  readonly ready: Promise<void>;
  readonly #registry: MemoryRegistry;
  readonly #observer: MembershipObserver;
  readonly #unfollow: () => void;
  readonly #word = new Map<string, { incarnation: string; listedLeaving: boolean }>();
  #shown: readonly MemberEntry[] | undefined;
  #closed = false;

  constructor(registry: MemoryRegistry, observer: MembershipObserver) {
    this.#registry = registry;
    this.#observer = observer;
    this.#unfollow = registry.follow(() => this.#look());
    this.#look();
    this.ready = new Promise((resolve, reject) => {
      queueMicrotask(() => (this.#closed ? reject(new MembershipClosedError()) : resolve()));
    });
    this.ready.catch(() => {});
  }

  sinceConfirmed(): number {
    return 0;
  }

  async reread(): Promise<Snapshot> {
    if (this.#closed) throw new MembershipClosedError();
    return this.#snapshot();
  }

  saidLeaving(id: string, incarnation: string): void {
    if (this.#closed) return;
    const listed = this.#registry.snapshot.members.find((entry) => entry.id === id);
    if (listed?.incarnation !== incarnation) return;
    this.#word.set(id, { incarnation, listedLeaving: listed.state === 'leaving' });
    this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#unfollow();
  }

  #snapshot(): Snapshot {
    return Object.freeze({ index: this.#registry.snapshot.index, members: this.#shown ?? Object.freeze([]) });
  }

  #look(): void {
    const listed = this.#registry.snapshot.members;
    this.#forgetWords(listed);
    const members = listed.map((entry) =>
      entry.state === 'up' && this.#word.has(entry.id) ? memberEntry(entry, 'leaving') : entry,
    );
    if (this.#shown !== undefined && sameList(this.#shown, members)) return;
    this.#shown = Object.freeze(members);
    const snapshot = this.#snapshot();
    queueMicrotask(() => {
      if (!this.#closed) this.#observer.snapshot(snapshot);
    });
  }

  // A word holds until the node is gone, has started anew, or was listed as leaving and then as back.
  #forgetWords(listed: readonly MemberEntry[]): void {
    for (const [id, word] of this.#word) {
      const entry = listed.find((one) => one.id === id);
      const back = entry?.state === 'up' && word.listedLeaving;
      if (entry?.incarnation !== word.incarnation || back) this.#word.delete(id);
      else if (entry.state === 'leaving') word.listedLeaving = true;
    }
  }
}

function sameList(a: readonly MemberEntry[], b: readonly MemberEntry[]): boolean {
  return a.length === b.length && a.every((entry, i) => sameEntry(entry, b[i]!));
}
