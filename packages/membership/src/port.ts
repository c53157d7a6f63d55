import type { Member, MemberEntry } from './member.ts';

/**
 * The members at one moment. `members` holds every listed member once, ordered by id; the ring is made of those whose
 * state is `up`. `index` is the registry's own count of changes, in decimal: compare it as a BigInt, and only by
 * `newerRing`, for it can fall (a registry that restarted empty).
 */
export interface Snapshot {
  readonly index: string;
  readonly members: readonly MemberEntry[];
}

/** Why what a watch shows may be out of date. The members last shown stand meanwhile. */
export type StaleReason =
  /** The registry does not answer, or answers with an error. */
  | 'unreachable'
  /** The registry answers as if there were nothing at all: the token has no right to read. */
  | 'unauthorised'
  /** The registry has no leader, or has not heard from it for too long: it may add members, never take any away. */
  | 'leaderless'
  /** What passes the registry's word on holds none, an older one than was shown, or one that nobody has confirmed of late. */
  | 'unfed'
  /** What is held there was not signed by a key of this cluster. */
  | 'unproven';

/** Who watches. Calls come one at a time and never from within a call to the port; what an observer throws is logged. */
export interface MembershipObserver {
  /** The members changed: never called twice with the same members. The first call is the first read. */
  snapshot(snapshot: Snapshot): void;
  /** What was shown may be out of date from now on. Told at each change of the reason. */
  stale?(reason: StaleReason, cause: unknown): void;
  /** What is shown is confirmed again, after `stale`. */
  fresh?(): void;
}

/** A watch that runs until it is closed. */
export interface MembershipWatch {
  /** Resolves when the first snapshot has been shown; rejects with `MembershipClosedError` when closed before. */
  readonly ready: Promise<void>;
  /** Milliseconds since the registry last confirmed what is shown; `Infinity` before the first time. */
  sinceConfirmed(): number;
  /**
   * Reads again, not from a stale copy, and resolves with what is then shown, its index being that of this read. For
   * settling whose ring is newer, and for a process that was paused. Rejects when the registry cannot be read.
   */
  reread(): Promise<Snapshot>;
  /**
   * A node said itself, by another way than the registry, that this start of it is leaving. It counts at once, for
   * this incarnation alone, and is no reason to suspect a mass loss.
   */
  saidLeaving(id: string, incarnation: string): void;
  /** Ends the watch; no observer is called afterwards. May be called again. */
  close(): Promise<void>;
}

/** What a registered node may want to know. */
export interface RegistrationObserver {
  /** The registry has lost the node; the adapter is registering it again. */
  lost?(): void;
  /** The node is registered again, after `lost`. */
  restored?(): void;
  /** A later start under the same id has taken the registration over: this one is out, and is not registered again. */
  replaced?(incarnation: string): void;
}

/** A node's hold on its registration. Calls are done one after another, in the order in which they came. */
export interface Registration {
  /** Out of the ring at every watcher, still listed as `leaving`. Stays so if the registry loses the node meanwhile. */
  leave(): Promise<void>;
  /** Back into the ring after `leave`. */
  rejoin(): Promise<void>;
  /** No longer listed. The registration is over: later calls do nothing. Say `leave` first for a planned departure. */
  deregister(): Promise<void>;
}

/**
 * PORT: who is in the cluster, for those who read it.
 *
 * - Every watcher of one registry comes to the same members; in between it may see some of the states on the way, each
 *   in the order in which the registry had them. An arrival and a word of leaving are shown without delay. A departure
 *   that nobody announced may be held back while it may be an error of the registry; nothing else is.
 * - A watch never ends by itself: whatever the registry does, it keeps what it showed last and goes on trying.
 * - An adapter over a registry that can err never shows a ring without members once it has shown one with some.
 * - `close` ends the handle's watches.
 */
export interface Watching {
  watch(observer: MembershipObserver): MembershipWatch;
  close(): Promise<void>;
}

/**
 * PORT: who is in the cluster, for those who are.
 *
 * - `register` resolves when the registry has accepted the node, as `up`: call it when the node listens. It rejects
 *   with `InvalidMemberError`, or, when the registry refuses or does not answer in time, with `RegistryError`. Once
 *   registered, a node that the registry loses is registered again without being asked, until it deregisters, is
 *   replaced, or the handle is closed. Registering an id anew takes it over from its earlier start.
 * - `close` ends the handle's care for registrations; it does not deregister (a crash does not either).
 */
export interface Registering {
  register(self: Member, observer?: RegistrationObserver): Promise<Registration>;
  close(): Promise<void>;
}

/** PORT: both. Not every way to read the members is also one to register (Redis only passes on what Consul says). */
export interface Membership extends Watching, Registering {}
