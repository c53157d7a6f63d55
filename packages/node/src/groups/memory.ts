import { every } from '@ringway/service';
import type { Inbound } from '../peers/inbound.ts';
import type { PeerParty } from '../peers/peers.ts';
import { type Control, encodeControl } from '../peers/wire.ts';
import { MembershipSync, type SyncLink } from './membership-sync.ts';
import { BUCKETS, isPresent, type MembershipEntry, MembershipTable, stampAfter } from './membership-table.ts';
import {
  type MemberPage,
  type Roster,
  RosterFullError,
  RosterRefusedError,
  RosterUnknownError,
  type RosterUser,
} from './port.ts';

/** The links of a node, as far as a roster needs them. */
export interface RosterPeers {
  readonly parties: PeerParty[];
  readonly hearing: { hearsHalf(): boolean };
  /** Half of the ring may be taken to hear this node still; not after it stood still. */
  readonly heard: boolean;
  links(): Iterable<SyncLink & { readonly member: { readonly id: string } }>;
  /** The link to a member of the ring. */
  get(id: string): SyncLink | undefined;
  counts(): { readonly wanted: number };
}

export interface MemoryRosterOptions {
  readonly peers: RosterPeers;
  /** Groups that a user may be put in. */
  readonly maxUserGroups: number;
  /** Memberships in all; of those that have ended as many again are remembered. */
  readonly maxMemberships: number;
  /** How long a peer may take to say that it has a change, in milliseconds. */
  readonly timeoutMs: number;
  /** How long the start waits for a peer that tells nothing, or nothing more, of what it knows, in milliseconds. */
  readonly startMs: number;
  /** How long it waits at most, in milliseconds: a peer may know very much. */
  readonly mostStartMs: number;
  /** Monotonic, milliseconds. */
  readonly now: () => number;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly random: () => number;
}

/** So long it is remembered that a membership has ended: who was away for longer may bring it back. Milliseconds. */
const REMEMBER_MS = 3_600_000;
const TICK_MS = 1_000;

/** A change that waits for peers to say that they have it. */
interface Spread {
  /** Links that can still answer, and whose answer counts. */
  readonly asked: Set<SyncLink>;
  /** Answers that are enough. */
  wanted: number;
  /** The latest stamp that was answered; undefined before the first. */
  stamp: number | undefined;
  settle(outcome: SpreadOutcome): void;
}

/** The latest stamp that peers have; that all who were asked are gone; or that too few have answered in time. */
type SpreadOutcome = { readonly stamp: number } | 'gone' | 'late';

/**
 * Keeps all memberships at every node, without anything beside the nodes. A change is made here, goes to all peers, and is
 * confirmed once more than half of the nodes have it, as far as they can be reached; what the others miss they fetch
 * ({@link MembershipSync}). So of two changes that were confirmed some node has seen both, and the later one is made to be
 * the later, whatever the clocks say. It lasts for as long as one node does that has it.
 */
export class MemoryRoster implements Roster, PeerParty {
  private readonly options: MemoryRosterOptions;
  private readonly table = new MembershipTable();
  private readonly sync: MembershipSync;
  private readonly spreads = new Map<number, Spread>();
  private user: RosterUser | undefined;
  private correlation = 0;
  private swept = 0;
  private stopTicks: () => void = () => {};
  /** Memberships that came otherwise than by word at once. */
  fetched = 0;
  /** Those that peers know, and that are too many here. */
  overflowed = 0;

  constructor(options: MemoryRosterOptions) {
    this.options = options;
    const { timeoutMs, now, random } = options;
    this.sync = new MembershipSync({
      table: this.table,
      timeoutMs,
      nextCorrelation: () => this.nextCorrelation(),
      learned: (entry) => this.learn(entry),
      wanted: () => options.peers.counts().wanted,
      now,
      random,
    });
    options.peers.parties.push(this);
  }

  /** Memberships, and those that have ended and are still known. */
  get size(): { readonly present: number; readonly ended: number } {
    return this.table.size;
  }

  /** Waits until a peer has told all that it knows, but not for one that does not answer. */
  async start(user: RosterUser): Promise<void> {
    this.user = user;
    const { peers, startMs, mostStartMs, now } = this.options;
    this.stopTicks = every(TICK_MS, () => this.tick());
    if (peers.counts().wanted > 0) await this.untilTold(startMs, mostStartMs, now);
    this.sync.started();
  }

  /** Until a peer has told all that it knows, unless none says anything for `startMs`. */
  private async untilTold(startMs: number, mostStartMs: number, now: () => number): Promise<void> {
    const began = now();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      const quiet = now() - Math.max(began, this.sync.heardAt);
      if (quiet >= startMs || now() - began >= mostStartMs) resolve();
      else timer = setTimeout(look, startMs - quiet);
    };
    let timer = setTimeout(look, startMs);
    await Promise.race([this.sync.done, late]);
    clearTimeout(timer);
  }

  stop(): Promise<void> {
    this.stopTicks();
    for (const { settle } of this.spreads.values()) settle('late');
    return Promise.resolve();
  }

  async put(userId: string, group: string): Promise<void> {
    const { table, options } = this;
    const { maxUserGroups, maxMemberships } = options;
    if (!isPresent(table.stampOf(userId, group))) {
      this.checkRoom();
      if (table.countOf(userId) >= maxUserGroups)
        throw new RosterFullError(
          `${userId} is in ${maxUserGroups} groups already, the most that are allowed`,
        );
      if (table.size.present >= maxMemberships)
        throw new RosterFullError(
          `there are ${maxMemberships} memberships already, the most that are allowed`,
        );
    }
    await this.change(userId, group, true);
  }

  async remove(userId: string, group: string): Promise<void> {
    if (this.table.stampOf(userId, group) === 0) this.checkRoom();
    await this.change(userId, group, false);
  }

  groupsOf(userId: string): readonly string[] {
    return this.table.groupsOf(userId);
  }

  membersOf(group: string, after: string, limit: number): MemberPage {
    return this.table.membersOf(group, after, limit);
  }

  onRequest(from: Inbound, control: Control): boolean {
    switch (control.t) {
      case 'member': {
        const { correlation, userId, group } = control;
        // not answered: what is not kept here others may keep
        if (!this.admits(control)) return true;
        this.take(control);
        from.send(encodeControl({ t: 'membered', correlation, stamp: this.table.stampOf(userId, group) }));
        return true;
      }
      case 'rosterAsk':
        from.send(this.sync.asked(control, this.options.peers.get(from.nodeId)));
        return true;
      case 'rosterRead':
        for (const record of this.sync.read(control)) from.send(record);
        return true;
      default:
        return false;
    }
  }

  onReply(from: SyncLink, control: Control): boolean {
    switch (control.t) {
      case 'membered': {
        const { correlation, stamp } = control;
        const spread = this.spreads.get(correlation);
        if (!spread?.asked.delete(from)) return true;
        spread.stamp = Math.max(spread.stamp ?? 0, stamp);
        spread.wanted--;
        this.look(spread);
        return true;
      }
      case 'rosterTold':
        this.sync.told(from, control);
        return true;
      case 'rosterPage':
        this.sync.page(from, control);
        return true;
      default:
        return false;
    }
  }

  onLinkOpen(link: SyncLink): void {
    this.sync.onLinkOpen(link);
  }

  onLinkDown(link: SyncLink): void {
    this.sync.onLinkDown(link);
    for (const spread of this.spreads.values()) if (spread.asked.delete(link)) this.look(spread);
  }

  private async change(userId: string, group: string, present: boolean): Promise<void> {
    const { table, options } = this;
    const { peers } = options;
    // what waited for a node that stood still was asked of another one meanwhile, and may have been undone by now
    if (!peers.hearing.hearsHalf() || !peers.heard)
      throw new RosterRefusedError(
        'fewer than half of the nodes can be heard: what was stored here could be lost',
      );
    const deadline = options.now() + options.timeoutMs;
    for (let tries = 0; ; tries++) {
      const known = table.stampOf(userId, group);
      // what is so already is said again: it may be that nobody else has it
      const stamp = present && isPresent(known) ? known : stampAfter(known, options.wallClock(), present);
      this.take({ userId, group, stamp });
      const newer = await this.spread({ userId, group, stamp }, deadline);
      // somebody knows of a change that had not come here: this one is the later of the two. At once both may be said to be
      if (newer === undefined || isPresent(newer) === present || tries > 0) return;
      table.merge({ userId, group, stamp: newer });
    }
  }

  /** Resolves when enough peers have it, or there are none; with the stamp that they have where that is a later one. */
  private async spread(entry: MembershipEntry, deadline: number): Promise<number | undefined> {
    for (;;) {
      const outcome = await this.tell(entry, deadline);
      if (outcome === 'late')
        throw new RosterUnknownError('too few other nodes have said in time that they have stored it');
      if (outcome !== 'gone') return outcome.stamp > entry.stamp ? outcome.stamp : undefined;
      if (!this.options.peers.hearing.hearsHalf())
        throw new RosterUnknownError(
          'the nodes that it was sent to are gone, and it may be lost with this one',
        );
    }
  }

  private tell(entry: MembershipEntry, deadline: number): Promise<SpreadOutcome> {
    const { peers, now } = this.options;
    const correlation = this.nextCorrelation();
    const record = encodeControl({ t: 'member', correlation, ...entry });
    const asked = new Set<SyncLink>();
    // those that have left the ring still have sessions, but will not keep it
    for (const link of peers.links())
      if (link.send(record) && peers.get(link.member.id) === link) asked.add(link);
    if (asked.size === 0) return Promise.resolve({ stamp: entry.stamp });
    const { promise, resolve } = Promise.withResolvers<SpreadOutcome>();
    const timer = setTimeout(() => resolve('late'), Math.max(0, deadline - now()));
    // with this one more than half
    const wanted = Math.ceil(peers.counts().wanted / 2);
    this.spreads.set(correlation, { asked, wanted, stamp: undefined, settle: resolve });
    return promise.finally(() => {
      clearTimeout(timer);
      this.spreads.delete(correlation);
    });
  }

  /** Enough have answered, or nobody is left who could. */
  private look({ asked, wanted, stamp, settle }: Spread): void {
    if (wanted > 0 && asked.size > 0) return;
    settle(stamp === undefined ? 'gone' : { stamp });
  }

  /** A change that is made now, here or at a peer. */
  private take(entry: MembershipEntry): void {
    const before = this.table.merge(entry);
    if (before === entry.stamp) return;
    const present = isPresent(entry.stamp);
    // sessions may have joined by themselves: an end is told also where there was no membership
    if (!present || !isPresent(before)) this.user?.changed(entry.userId, entry.group, present);
  }

  /** What a peer knows, from whenever that is: those who have joined by themselves since are left in peace. */
  private learn(entry: MembershipEntry): void {
    const { table, options } = this;
    const { userId, group, stamp } = entry;
    const known = table.stampOf(userId, group);
    if (known === 0 && !isPresent(stamp) && stamp < 2 * (options.wallClock() - REMEMBER_MS)) return;
    if (!this.admits(entry)) return;
    if (table.merge(entry) === stamp) return;
    this.fetched++;
    if (isPresent(known) !== isPresent(stamp)) this.user?.changed(userId, group, isPresent(stamp));
  }

  /** Peers have bounds of their own, by which they keep: these are only for those that do not. */
  private admits({ userId, group }: MembershipEntry): boolean {
    if (!this.isFull || this.table.stampOf(userId, group) > 0) return true;
    this.overflowed++;
    return false;
  }

  private get isFull(): boolean {
    const { present, ended } = this.table.size;
    return present + ended >= 2 * this.options.maxMemberships;
  }

  private checkRoom(): void {
    if (!this.isFull) return;
    throw new RosterFullError(
      `there are ${this.options.maxMemberships} memberships and as many that have ended within the hour, the most that are remembered`,
    );
  }

  private tick(): void {
    this.sync.tick();
    this.table.forget(this.swept, this.options.wallClock() - REMEMBER_MS);
    this.swept = (this.swept + 1) % BUCKETS;
  }

  private nextCorrelation(): number {
    this.correlation = (this.correlation % 0xffff_fffe) + 1;
    return this.correlation;
  }
}
